"""Rooms: the words and rules of a show, its tray, its pins and the roles in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Conflict, Forbidden, Invalid, NotFound
from livestall.base.money import Money
from livestall.base.outbox import Event
from livestall.video import Playback

TRAY_MAX = 500
SECONDARY_PINS_MAX = 2
STAFF_MAX = 50
SHOWS_PLANNED_MAX = 200
"""Shows one creator may have that are not over yet."""


class Settings(config.Section, frozen=True, kw_only=True):
    grace_seconds: Annotated[
        int, Meta(ge=5, le=3600, description="a show whose stream drops is ended after so many seconds")
    ] = 180
    ingest_delay_ms: Annotated[
        int,
        Meta(ge=0, le=10_000, description="from the host's action to its picture's arrival, for new shows"),
    ] = 100


class ShowState(StrEnum):
    draft = "draft"  # being prepared, seen by its staff only
    scheduled = "scheduled"  # announced
    preview = "preview"  # the host looks at the picture; the audience waits
    live = "live"
    interrupted = "interrupted"  # the stream dropped; the audience sees a slate until the grace is over
    ended = "ended"  # over; the recording is being made ready
    replay = "replay"
    purged = "purged"  # the recording is gone; orders and chat remain


S = ShowState
MOVES: Mapping[ShowState, frozenset[ShowState]] = {
    S.draft: frozenset({S.scheduled}),
    S.scheduled: frozenset({S.preview}),
    S.preview: frozenset({S.live}),
    S.live: frozenset({S.interrupted, S.ended}),
    S.interrupted: frozenset({S.live, S.ended}),
    S.ended: frozenset({S.replay, S.purged}),
    S.replay: frozenset({S.purged}),
    S.purged: frozenset(),
}
"""The only moves there are. A show whose stream was never recorded goes from ended to purged."""

ON_AIR = frozenset({S.live, S.interrupted})
OPEN = frozenset({S.scheduled, S.preview, S.live, S.interrupted})
"""States in which the room is open: people may wait, talk and like."""
PUBLIC = frozenset(S) - {S.draft}
BEFORE = (S.draft, S.scheduled, S.preview)
"""The states before the broadcast, in their order."""


class Role(StrEnum):
    viewer = "viewer"
    host = "host"
    co_host = "co-host"
    stock_clerk = "stock-clerk"
    moderator = "moderator"
    observer = "observer"


StaffRole = Literal["host", "co-host", "stock-clerk", "moderator", "observer"]
ANY_STAFF = frozenset(Role) - {Role.viewer}
HOSTS = frozenset({Role.host, Role.co_host})
SELLING = HOSTS | {Role.stock_clerk}
"""Roles that pin, run deals and keep the tray."""
MODERATING = HOSTS | {Role.moderator}


class Addresses(msgspec.Struct, frozen=True):
    """Where the planes are, as the person asking reaches them; each without a slash at its end."""

    web: str
    live: str
    media: str
    rtmp: str


PORTABLE = Addresses(web="livestall-web:", live="livestall-live:", media="livestall-media:", rtmp="livestall-rtmp:")
"""Marks that stand in stored and shared frames, where nobody in particular asks: the gateway puts each reader's own
addresses in their place."""


class ShowCreator(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    avatar_url: str | None


class Pinned(msgspec.Struct, frozen=True):
    """The product being explained, as a card on the feed shows it."""

    title: str
    price: Money
    picture_url: str | None


class ShowCard(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    title: str
    state: ShowState
    creator: ShowCreator
    viewers: int
    likes: int
    planned_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    poster_url: str | None
    preview_url: str | None
    playback: Playback | None
    live_url: str | None
    pinned: Pinned | None


class Stream(msgspec.Struct, frozen=True):
    """What arrives from the host's encoder."""

    online: bool
    protocol: str | None
    since: datetime | None


class Show(ShowCard, frozen=True, kw_only=True):
    """A show as one person sees it: `role` is theirs. In a snapshot `pinned` is null: the pins say it."""

    description: str
    role: Role
    grace_until: datetime | None
    stream: Stream | None
    ingest_delay_ms: int
    room_id: UUID


class ShowChange(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the live event `show.moved`: everything of a show that changes under its viewers."""

    state: ShowState
    title: str
    description: str
    planned_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    grace_until: datetime | None
    playback: Playback | None
    stream: Stream | None
    ingest_delay_ms: int


class TrayProduct(msgspec.Struct, frozen=True):
    id: UUID
    title: str
    picture_url: str | None
    seller_id: UUID
    seller_name: str


class TrayVariant(msgspec.Struct, frozen=True):
    """A variant on offer in the show: `price` is what it costs here, `list_price` what it costs elsewhere."""

    variant_id: UUID
    title: str
    options: dict[str, str]
    price: Money
    list_price: Money
    picture_url: str | None


class TrayItem(msgspec.Struct, frozen=True):
    listing_id: UUID
    slot: int
    product: TrayProduct
    variants: list[TrayVariant]
    per_buyer: int | None


class Pin(msgspec.Struct, frozen=True):
    """A stretch of stream time in which a listing is explained; open while `ended_stream_at` is null."""

    id: UUID
    listing_id: UUID
    stream_at: datetime
    ended_stream_at: datetime | None
    primary: bool


class Chapter(msgspec.Struct, frozen=True):
    """A pin as a mark on the replay's time line, `at_seconds` after the recording's first picture."""

    pin_id: UUID
    listing_id: UUID
    title: str
    at_seconds: float


class Staff(msgspec.Struct, frozen=True):
    user_id: UUID
    name: str
    login: str
    role: Role


class Ticket(msgspec.Struct, frozen=True):
    """What opens the socket at `url`; good until `expires_at`, then ask again."""

    ticket: str
    expires_at: datetime
    url: str


class ShowRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `show`, for verbs and for other features."""

    id: UUID
    room_id: UUID
    creator_id: UUID
    host_id: UUID
    title: str
    description: str
    state: ShowState
    mode: Literal["default", "interactive"]
    planned_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    grace_until: datetime | None
    stream_id: UUID | None
    stream_online: bool
    stream_protocol: str | None
    stream_since: datetime | None
    recording_id: UUID | None
    recording_at: datetime | None
    recording_ms: int | None
    ingest_delay_ms: int
    viewers: int
    viewers_peak: int
    likes: int

    @property
    def ingest_delay(self) -> timedelta:
        return timedelta(milliseconds=self.ingest_delay_ms)


class Standing(msgspec.Struct, frozen=True):
    """What a sale in a show depends on, and not on how many watch."""

    id: UUID
    state: ShowState
    creator_id: UUID


class Listing(msgspec.Struct, frozen=True):
    """A product offered in a show. `prices` holds the show's own prices by variant; others cost their list price."""

    id: UUID
    show_id: UUID
    product_id: UUID
    seller_id: UUID
    slot: int | None
    per_buyer: int | None
    prices: dict[UUID, int]

    def price(self, variant_id: UUID, list_price: Money) -> Money:
        """What `variant_id` costs in this show."""
        amount = self.prices.get(variant_id)
        return list_price if amount is None else Money(amount, list_price.currency)


class TrayEntry(msgspec.Struct, frozen=True):
    """One line of a tray as its keeper wrote it."""

    listing_id: UUID
    product_id: UUID
    show_price_amounts: dict[UUID, Annotated[int, Meta(ge=1, le=10**15)]] = msgspec.field(default_factory=dict)
    per_buyer: Annotated[int, Meta(ge=1, le=999)] | None = None


def move(show_id: UUID, current: ShowState, wanted: ShowState) -> None:
    """Raises WrongState unless `wanted` may follow `current`."""
    if wanted not in MOVES[current]:
        raise WrongState(state=current.value, wanted=wanted.value, show=show_id)


class ShowMoved(Event, frozen=True, kw_only=True):
    """A show (subject) changed its state, or something a viewer sees of it."""

    topic = "show.moved"
    state: ShowState
    from_state: ShowState
    at: datetime


class TrayChanged(Event, frozen=True, kw_only=True):
    """The tray of a show (subject) has new listings, order or prices."""

    topic = "tray.changed"


class PinStarted(Event, frozen=True, kw_only=True):
    topic = "pin.started"
    pin: Pin
    at: datetime


class PinEnded(Event, frozen=True, kw_only=True):
    topic = "pin.ended"
    pin_id: UUID
    listing_id: UUID
    ended_stream_at: datetime
    at: datetime


class WrongState(Conflict):
    code = "wrong-state"
    en = "The show is {state}, so this cannot be done now. Reload and look again."
    zh = "当前场次状态为 {state}，无法执行此操作，请刷新后再试。"


class NoStream(Conflict):
    code = "no-stream"
    en = "No picture arrives yet. Start your camera or your encoder, wait for the green light, then go live."
    zh = "尚未收到画面。请先开启摄像头或推流软件，待信号灯变绿后再开播。"


class AlreadyOnAir(Conflict):
    code = "already-on-air"
    en = "Another show of this channel is on air. End it first."
    zh = "该频道有其他场次正在直播，请先结束后再开播。"


class ShowOver(Conflict):
    code = "show-over"
    en = "The show is over."
    zh = "本场直播已结束。"


class NotStaff(Forbidden):
    code = "not-staff"
    en = "Only the {roles} of this show may do this."
    zh = "只有本场的{roles}可以执行此操作。"


class HostStays(Conflict):
    code = "host-stays"
    en = "The person whose show this is keeps the role of host."
    zh = "场次创建者必须保留主播身份。"


class TooManyStaff(Conflict):
    code = "too-many-staff"
    en = "A show may have 50 helpers. Remove someone first."
    zh = "每场最多 50 名工作人员，请先移除一名。"


class TooManyShows(Conflict):
    code = "too-many-shows"
    en = "You have 200 shows that are not over. Finish some before you plan more."
    zh = "您有 200 个未结束的场次，请先完成部分场次。"


class NotInTray(NotFound):
    code = "not-in-tray"
    en = "This product is not in the tray of this show. Put it there first."
    zh = "该商品不在本场小黄车中，请先上架。"


class NotForSale(Invalid):
    code = "product-not-for-sale"
    en = "The product {product} is not for sale. Activate it in the catalogue first."
    zh = "商品 {product} 未上架销售，请先在商品管理中启用。"


class TooManyPins(Conflict):
    code = "too-many-pins"
    en = "Two products are already pinned beside the main one. Unpin one first."
    zh = "除主讲解外最多同时讲解两件商品，请先取消一件。"
