"""SQL of the numbered events, and of the gateways with their readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from livestall.base.db import Read, Tx
from livestall.live.bus import Said
from livestall.live.model import LiveEvent, NewEvent, Total

GATEWAY_SILENT_SECONDS = 7.0
"""A gateway that gave no sign of life for so long is gone: its readers no longer count."""


async def append(tx: Tx, events: Sequence[NewEvent], totals: Sequence[Total] = ()) -> Said:
    """Number and store `events`, in this order within each channel, and number the change of `totals`.

    Locks the channels' rows until `tx` ends, so that numbers have no gaps and become visible in their order.
    """
    counts = Counter(event.channel for event in events)
    marked = {total.channel for total in totals}
    channels = sorted({*counts, *marked})
    if not channels:
        return Said()
    rows = await tx.fetch(
        """insert into live_channel (channel, seq, totals) select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
           on conflict (channel) do update
              set seq = live_channel.seq + excluded.seq, totals = live_channel.totals + excluded.totals
           returning channel, seq, totals""",
        channels, [counts[channel] for channel in channels], [int(channel in marked) for channel in channels],
    )  # fmt: skip
    following = {row["channel"]: row["seq"] - counts[row["channel"]] for row in rows}
    numbered: list[tuple[UUID, LiveEvent]] = []
    for event in events:
        following[event.channel] += 1
        seq = following[event.channel]
        numbered.append((event.channel, LiveEvent(seq, event.kind, event.at, event.stream_at, event.body)))
    if numbered:
        await _insert(tx, numbered)
    return Said(numbered, totals, {row["channel"]: row["totals"] for row in rows if row["channel"] in marked})


async def _insert(tx: Tx, numbered: Sequence[tuple[UUID, LiveEvent]]) -> None:
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


async def numbers(read: Read, channels: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
    """Of each channel the number of its newest event and of its newest totals; (0, 0) if it has none."""
    rows = await read.fetch("select channel, seq, totals from live_channel where channel = any($1)", list(channels))
    found: dict[UUID, tuple[int, int]] = dict.fromkeys(channels, (0, 0))
    found.update((row["channel"], (row["seq"], row["totals"])) for row in rows)
    return found


async def missed(read: Read, wanted: Mapping[UUID, int], limit: int) -> dict[UUID, list[LiveEvent]]:
    """Of each channel in `wanted` at most `limit` events that follow the number given there, in order."""
    rows = await read.fetch(
        """select e.channel, e.seq, e.kind, e.at, e.stream_at, e.body
             from unnest($1::uuid[], $2::bigint[]) as w(channel, seq)
             cross join lateral (select * from live_event l where l.channel = w.channel and l.seq > w.seq
                                  order by l.seq limit $3) e
            order by e.channel, e.seq""",
        list(wanted), list(wanted.values()), limit,
    )  # fmt: skip
    found: dict[UUID, list[LiveEvent]] = {channel: [] for channel in wanted}
    for row in rows:
        event = LiveEvent(row["seq"], row["kind"], row["at"], row["stream_at"], row["body"])
        found[row["channel"]].append(event)
    return found


async def keep_readers(
    tx: Tx, gateway: UUID, readers: Mapping[UUID, int], *, heard: Sequence[UUID] = (), asked: Iterable[UUID] = ()
) -> dict[UUID, int]:
    """A gateway's sign of life, with how many read each channel there. Forgets gateways that are gone, except those
    of which this one still `heard`.

    Returns how many read each channel on all gateways together: of every channel whose count may have changed, and of
    those `asked` for.
    """
    await tx.execute(
        """insert into live_gateway (id, at) values ($1, clock_timestamp())
           on conflict (id) do update set at = excluded.at""",
        gateway,
    )
    touched = {*readers, *asked, *await _forget_gone(tx, [gateway, *heard])}
    rows = await tx.fetch(
        "delete from live_reader_count where gateway = $1 and channel <> all($2) returning channel",
        gateway, list(readers),
    )  # fmt: skip
    touched |= {row["channel"] for row in rows}
    ordered = sorted(readers.items())
    await tx.execute(
        """insert into live_reader_count (gateway, channel, readers) select $1, * from unnest($2::uuid[], $3::int[])
           on conflict (gateway, channel) do update set readers = excluded.readers
            where live_reader_count.readers <> excluded.readers""",
        gateway, [channel for channel, _ in ordered], [count for _, count in ordered],
    )  # fmt: skip
    rows = await tx.fetch(
        """select channel, sum(readers)::int as readers from live_reader_count where channel = any($1)
            group by channel""",
        list(touched),
    )
    return dict.fromkeys(touched, 0) | {row["channel"]: row["readers"] for row in rows}


async def _forget_gone(tx: Tx, present: Sequence[UUID]) -> set[UUID]:
    """Take gateways that are gone off the list; returns the channels that were read there."""
    gone = await tx.fetch(
        """select id from live_gateway where at < clock_timestamp() - make_interval(secs => $1) and id <> all($2)
              for update skip locked""",
        GATEWAY_SILENT_SECONDS, list(present),
    )  # fmt: skip
    if not gone:
        return set()
    gateways = [row["id"] for row in gone]
    rows = await tx.fetch("delete from live_reader_count where gateway = any($1) returning channel", gateways)
    await tx.execute("delete from live_gateway where id = any($1)", gateways)
    return {row["channel"] for row in rows}


async def forget_gateway(tx: Tx, gateway: UUID) -> None:
    """A gateway that nobody reads any more takes itself off the list."""
    await tx.execute("delete from live_gateway where id = $1", gateway)


async def gateways_up(read: Read) -> int:
    """How many gateways, on whatever machine, gave a sign of life a moment ago."""
    return await read.fetchval(
        "select count(*) from live_gateway where at > clock_timestamp() - make_interval(secs => $1)",
        GATEWAY_SILENT_SECONDS,
    )


async def readers_elsewhere(read: Read, present: Sequence[UUID]) -> dict[UUID, dict[UUID, int]]:
    """The gateways that are up besides those in `present`, each with how many read each channel there."""
    rows = await read.fetch(
        """select g.id, c.channel, c.readers from live_gateway g left join live_reader_count c on c.gateway = g.id
            where g.id <> all($1) and g.at > clock_timestamp() - make_interval(secs => $2)""",
        list(present), GATEWAY_SILENT_SECONDS,
    )  # fmt: skip
    found: dict[UUID, dict[UUID, int]] = {}
    for row in rows:
        counts = found.setdefault(row["id"], {})
        if row["channel"] is not None:
            counts[row["channel"]] = row["readers"]
    return found
