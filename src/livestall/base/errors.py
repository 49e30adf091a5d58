"""Refusals: every way in which Livestall says no to a person or a program.

    Refusal
    ├── Invalid          422  the request cannot be understood or breaks a rule of form
    ├── Unauthenticated  401  nobody is signed in
    ├── Forbidden        403  signed in, but not allowed
    ├── NotFound         404
    ├── Conflict         409  the state of things does not allow it
    ├── TooLarge         413
    ├── TooMany          429  slow down; carries retry_after_seconds
    └── Unavailable      503  a plane is down; try again, nothing was lost

A feature subclasses one of these in its `model.py` and gives `code`, `en` and `zh`. The sentences are format strings
over the keyword details, and tell a person what to do next.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class Words(NamedTuple):
    """A detail that is a text itself."""

    en: str
    zh: str


class Refusal(Exception):
    """A no with a reason. Never a bug: a Refusal is answered, not logged as an error."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 400
    en: ClassVar[str] = "This cannot be done."
    zh: ClassVar[str] = "无法完成此操作。"

    def __init__(self, **details: object) -> None:
        super().__init__(self.code)
        self.details = details
        self.told: dict[str, object] = {}
        """How it was put to a client, by language."""
        self.encoded: dict[str, bytes] = {}
        """The same in JSON."""

    def sentence(self, locale: str = "en") -> str:
        """The sentence for a person, in Chinese if `locale` starts with "zh", else in English."""
        is_zh = locale.startswith("zh")
        details = {
            name: (one.zh if is_zh else one.en) if isinstance(one, Words) else one for name, one in self.details.items()
        }
        return (self.zh if is_zh else self.en).format(**details)

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence()}"


class Invalid(Refusal):
    code = "invalid"
    status = 422
    en = "Something in the request is not right: {reason}"
    zh = "请求内容有误：{reason}"


class Unauthenticated(Refusal):
    code = "sign-in-needed"
    status = 401
    en = "Sign in first."
    zh = "请先登录。"


class Forbidden(Refusal):
    code = "not-allowed"
    status = 403
    en = "Your account may not do this."
    zh = "您的账号无权执行此操作。"


class NotFound(Refusal):
    code = "not-found"
    status = 404
    en = "This does not exist or is not yours to see."
    zh = "内容不存在或您无权查看。"


class Conflict(Refusal):
    code = "conflict"
    status = 409
    en = "This does not fit what has happened meanwhile. Reload and look again."
    zh = "状态已发生变化，请刷新后再试。"


class TooLarge(Refusal):
    code = "too-large"
    status = 413
    en = "This is too large."
    zh = "内容过大。"


class TooMany(Refusal):
    code = "too-many"
    status = 429
    en = "Too many tries. Wait {retry_after_seconds} seconds and try again."
    zh = "操作过于频繁，请在 {retry_after_seconds} 秒后重试。"

    def __init__(self, *, retry_after_seconds: int, **details: object) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds, **details)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(Refusal):
    code = "unavailable"
    status = 503
    en = "This part is down for a moment. Nothing was lost; try again."
    zh = "服务暂时不可用，数据没有丢失，请稍后重试。"


class SameIdOtherContents(Conflict):
    """A client-minted id came again, with other contents (invariant 4)."""

    code = "id-reused"
    en = "This id was already used for something else. Make a new id."
    zh = "该编号已用于其他内容，请使用新的编号。"
