"""People, how they get in, channels, sellers, the market."""

from livestall.accounts.actions import first_run, new_user, offer_first_run, open_session, sign_up
from livestall.accounts.model import (
    ANONYMOUS,
    Actor,
    ApiToken,
    Creator,
    Market,
    Me,
    Member,
    NewUser,
    Seller,
    SellerState,
    Settings,
    User,
)
from livestall.accounts.store import creators, find_user, followed, follows, market, names, sellers, users

__all__ = [
    "ANONYMOUS", "Actor", "ApiToken", "Creator", "Market", "Me", "Member", "NewUser", "Seller", "SellerState",
    "Settings", "User", "creators", "find_user", "first_run", "followed", "follows", "market", "names", "new_user",
    "offer_first_run", "open_session", "sellers", "sign_up", "users",
]  # fmt: skip
