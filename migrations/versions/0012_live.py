"""The tables of live: the last number of each channel, and its numbered events."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute(
        """
        create table live_channel (
            channel  uuid primary key,
            seq      bigint not null check (seq >= 0)
        ) with (fillfactor = 50);

        create table live_event (
            channel    uuid not null references live_channel (channel),
            seq        bigint not null check (seq > 0),
            kind       text not null,
            at         timestamptz not null,
            stream_at  timestamptz,
            body       jsonb not null,
            primary key (channel, seq)
        );
        """
    )
