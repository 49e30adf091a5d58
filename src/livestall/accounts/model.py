"""People and who they are to the market: the actor behind a request, channels, sellers, and the rules of getting in."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from livestall.base.money import MINOR_DIGITS

COOKIE = "livestall_session"
COOKIE_SECONDS = 400 * 24 * 3600
"""The longest life browsers give a cookie; the session behind it expires earlier, on the server."""

TOKEN_PREFIX = "lst_"  # noqa: S105 - marks tokens for secret scanners, is none
PASSWORD_MIN, PASSWORD_MAX = 8, 200
SCOPES = ("orders:write", "orders:read", "shows:write", "catalog:write", "chat:write", "profile:write")
"""What an API token may be allowed to do. Nothing of the operator's is open to tokens."""

TOKENS_MAX = 50
"""API tokens one person may have."""

MEMBERS_MAX = 200
"""People one seller may have."""


class Settings(config.Section, frozen=True, kw_only=True):
    session_days: Annotated[int, Meta(ge=1, le=365, description="a session ends after so many days unused")] = 30
    attempts_per_account: Annotated[
        int, Meta(ge=1, description="failed sign-ins per account inside the window before it must wait")
    ] = 5
    attempts_per_address: Annotated[
        int, Meta(ge=1, description="failed sign-ins per network address inside the window before it must wait")
    ] = 20
    attempts_window_seconds: Annotated[int, Meta(ge=1, description="length of the window of both limits")] = 900
    open_sellers: Annotated[bool, Meta(description="new sellers are approved at once")] = False
    phone_prefix: Annotated[
        str, Meta(pattern=r"^\+[1-9][0-9]{0,3}$", description="country code put before a phone number without one")
    ] = "+86"
    trusted_origins: Annotated[
        str, Meta(description="further origins, separated by commas, whose pages may act for a signed-in person")
    ] = ""
    argon2_memory_kib: Annotated[int, Meta(ge=8, description="memory of one password hash, KiB")] = 19456
    argon2_passes: Annotated[int, Meta(ge=1, description="passes of one password hash")] = 2
    argon2_at_once: Annotated[int, Meta(ge=1, le=64, description="password hashes computed at once per process")] = 2


class Actor(msgspec.Struct, frozen=True):
    """Who is behind a request. `scopes` is None for a person with a session, a set for an API token."""

    user_id: UUID | None
    name: str
    is_operator: bool
    creator_id: UUID | None
    seller_ids: frozenset[UUID]
    scopes: frozenset[str] | None

    def need_user(self) -> UUID:
        """The id of the signed-in person. Raises Unauthenticated."""
        if self.user_id is None:
            raise Unauthenticated
        return self.user_id

    def need_creator(self) -> UUID:
        """The id of the person's channel. Raises Unauthenticated, ChannelNeeded."""
        self.need_user()
        if self.creator_id is None:
            raise ChannelNeeded
        return self.creator_id


ANONYMOUS = Actor(None, "", is_operator=False, creator_id=None, seller_ids=frozenset(), scopes=None)


class SellerState(StrEnum):
    applied = "applied"
    approved = "approved"
    suspended = "suspended"


class User(msgspec.Struct, frozen=True):
    """An account as its owner sees it."""

    id: UUID
    name: str
    login: str
    locale: str


class Creator(msgspec.Struct, frozen=True):
    """A channel. `following` is only known where a signed-in person asks about one channel."""

    id: UUID
    name: str
    bio: str
    avatar_url: str | None
    followers: int
    following: bool | None = None


class Seller(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    state: SellerState


class Member(msgspec.Struct, frozen=True):
    """A person who works for a seller."""

    user_id: UUID
    name: str
    login: str


class Market(msgspec.Struct, frozen=True):
    """This installation. `currency` is ISO 4217; every price in the market is in it."""

    name: str
    currency: str


class ApiToken(msgspec.Struct, frozen=True):
    """A personal API token. `secret` is there once, in the answer that made it."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None = None
    secret: str | None = None


class Me(msgspec.Struct, frozen=True):
    """Everything a page needs to know about who looks at it. `first_run`: no operator exists yet."""

    user: User | None
    creator: Creator | None
    sellers: list[Seller]
    is_operator: bool
    market: Market
    first_run: bool


class NewUser(msgspec.Struct, frozen=True):
    """`login` is normalised, `password` still in clear (to compare with what a repeated id stored) beside its hash."""

    id: UUID
    login: str
    password: str
    password_hash: str
    name: str
    locale: str = "en"


class LoginTaken(Conflict):
    code = "login-taken"
    en = "There is already an account with this e-mail or phone. Sign in instead."
    zh = "该邮箱或手机号已注册，请直接登录。"


class BadLogin(Invalid):
    code = "bad-login"
    en = "Give an e-mail address, or a phone number with its country code."
    zh = "请填写邮箱地址或手机号（境外号码请带国家代码）。"


class WeakPassword(Invalid):
    code = "weak-password"
    en = "Choose a password of 8 to 200 characters that is not your login and not a common one."
    zh = "请设置 8 到 200 个字符的密码，不能与登录名相同，也不能是常见密码。"


class WrongLogin(Unauthenticated):
    code = "wrong-login"
    en = "The login or the password is wrong."
    zh = "账号或密码错误。"


class ScopeNeeded(Forbidden):
    code = "scope-needed"
    en = "This API token may not do this: it needs the scope {scope}."
    zh = "该 API 令牌无权执行此操作，需要权限 {scope}。"


class SessionNeeded(Forbidden):
    code = "session-needed"
    en = "This cannot be done with an API token. Sign in with your password."
    zh = "此操作不能使用 API 令牌，请使用密码登录。"


class OtherOrigin(Forbidden):
    code = "other-origin"
    en = "This came from a page of another site and was not done."
    zh = "该请求来自其他网站的页面，已被拒绝。"


class ChannelNeeded(Forbidden):
    code = "channel-needed"
    en = "Open a channel first."
    zh = "请先开通达人频道。"


class SellerNotApproved(Forbidden):
    code = "seller-not-approved"
    en = "This shop waits for the operator's approval, or was suspended. Until then nothing can be changed."
    zh = "该店铺正在等待平台审核或已被停用，暂时无法修改。"


class FirstRunOver(Conflict):
    code = "first-run-over"
    en = "This link is no longer valid: the market already has its operator, or a newer link was printed."
    zh = "该链接已失效：市场已有运营账号，或已生成新的链接。"


class OneChannel(Conflict):
    code = "channel-exists"
    en = "You already have a channel."
    zh = "您已经开通了频道。"


class NoSuchPerson(NotFound):
    code = "no-such-person"
    en = "Nobody has signed up with this login yet. Ask them to sign up first."
    zh = "该账号尚未注册，请先让对方注册。"


class TooManyTokens(Conflict):
    code = "too-many-tokens"
    en = "You have 50 API tokens. Delete one that is no longer used."
    zh = "您已有 50 个 API 令牌，请先删除不再使用的令牌。"


class TooManyMembers(Conflict):
    code = "too-many-members"
    en = "This shop already has 200 members. Remove someone first."
    zh = "该店铺已有 200 名成员，请先移除一名成员。"


class LastMember(Conflict):
    code = "last-member"
    en = "A shop needs at least one member. Add another person first."
    zh = "店铺至少需要一名成员，请先添加其他成员。"


_EMAIL = re.compile(
    r"[^@\s\x00-\x1f\x7f,;<>()\"\\]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.ASCII
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
# fmt: off
_COMMON = frozenset({
    "12345678", "123456789", "1234567890", "11111111", "00000000", "88888888", "66666666", "12341234",
    "87654321", "password", "passw0rd", "password1", "password123", "qwertyui", "qwertyuiop", "qwerty123",
    "1q2w3e4r", "1qaz2wsx", "abcd1234", "abc12345", "a1234567", "aa123456", "a123456789", "asdfghjkl",
    "iloveyou", "sunshine", "football", "baseball", "princess", "superman", "trustno1", "letmein1", "welcome1",
    "zxcvbnm1", "livestall", "woaini1314", "5201314520", "woaini520", "123123123", "1234qwer", "q1w2e3r4",
    "qazwsxedc", "administrator", "changeme",
})
# fmt: on


def normal_login(text: str) -> str:
    """The one spelling of an e-mail address or phone number. Raises BadLogin."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    if "@" in plain:
        if len(plain) <= 254 and _EMAIL.fullmatch(plain):
            return plain
        raise BadLogin
    number = re.sub(r"[\s().-]", "", plain)
    if number.startswith("00"):
        number = "+" + number[2:]
    if not number.startswith("+"):
        number = config.of(Settings).phone_prefix + number.lstrip("0")
    if _PHONE.fullmatch(number):
        return number
    raise BadLogin


def check_password(password: str, login: str) -> None:
    """Raises WeakPassword."""
    plain = password.casefold()
    fits = PASSWORD_MIN <= len(password) <= PASSWORD_MAX and len(set(password)) > 2
    if not fits or plain in _COMMON or plain in {login, login.partition("@")[0], login.lstrip("+")}:
        raise WeakPassword


def check_currency(currency: str) -> None:
    """Raises Invalid for a currency whose minor units are not known."""
    if currency not in MINOR_DIGITS:
        raise Invalid(reason=f"the currency must be one of {', '.join(MINOR_DIGITS)}")
