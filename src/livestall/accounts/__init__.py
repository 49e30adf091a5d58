"""People, how they get in, channels, sellers, the market."""

from livestall.accounts.model import ANONYMOUS, Actor, ApiToken, Creator, Market, Member, Seller, Settings, User

__all__ = ["ANONYMOUS", "Actor", "ApiToken", "Creator", "Market", "Member", "Seller", "Settings", "User"]
