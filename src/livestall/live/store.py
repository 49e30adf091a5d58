"""SQL of the numbered events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from livestall.base.db import Read, Tx
from livestall.live.model import LiveEvent, NewEvent


async def append(tx: Tx, events: Sequence[NewEvent]) -> list[tuple[UUID, LiveEvent]]:
    """Number and store `events`, in this order within each channel. Locks the channels' rows until `tx` ends, so that
    numbers have no gaps and become visible in their order."""
    if not events:
        return []
    counts = Counter(event.channel for event in events)
    channels = sorted(counts)
    rows = await tx.fetch(
        """insert into live_channel (channel, seq) select * from unnest($1::uuid[], $2::bigint[])
           on conflict (channel) do update set seq = live_channel.seq + excluded.seq
           returning channel, seq""",
        channels, [counts[channel] for channel in channels],
    )  # fmt: skip
    following = {row["channel"]: row["seq"] - counts[row["channel"]] for row in rows}
    numbered: list[tuple[UUID, LiveEvent]] = []
    for event in events:
        following[event.channel] += 1
        seq = following[event.channel]
        numbered.append((event.channel, LiveEvent(seq, event.kind, event.at, event.stream_at, event.body)))
    await tx.execute(
        """insert into live_event (channel, seq, kind, at, stream_at, body)
           select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[],
                                $5::timestamptz[], $6::jsonb[])""",
        [channel for channel, _ in numbered],
        [event.seq for _, event in numbered],
        [event.kind for _, event in numbered],
        [event.at for _, event in numbered],
        [event.stream_at for _, event in numbered],
        [event.body for _, event in numbered],
    )
    return numbered


async def last_seq(read: Read, channel: UUID) -> int:
    """The number of the newest event on `channel`, 0 if there is none."""
    return await read.fetchval("select seq from live_channel where channel = $1", channel) or 0


async def after(read: Read, channel: UUID, seq: int, limit: int) -> list[LiveEvent]:
    """At most `limit` events that follow number `seq` on `channel`, in order."""
    rows = await read.fetch(
        """select seq, kind, at, stream_at, body from live_event where channel = $1 and seq > $2
            order by seq limit $3""",
        channel, seq, limit,
    )  # fmt: skip
    return [LiveEvent(row["seq"], row["kind"], row["at"], row["stream_at"], row["body"]) for row in rows]
