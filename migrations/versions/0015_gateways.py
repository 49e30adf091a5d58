"""Several gateways: who is up and how many read there, numbered totals, and likes that are counted once."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        """
        alter table live_channel add column totals bigint not null default 0 check (totals >= 0);
        comment on column live_channel.totals is
            'how often totals of this channel changed: a gateway that knows a smaller number has missed some';

        create table live_gateway (
            id          uuid primary key,
            at          timestamptz not null,
            started_at  timestamptz not null default now()
        ) with (fillfactor = 50);
        comment on column live_gateway.at is 'last sign of life; readers of a silent one do not count';

        create table live_reader_count (
            gateway  uuid not null references live_gateway (id),
            channel  uuid not null,
            readers  integer not null check (readers > 0),
            primary key (gateway, channel)
        ) with (fillfactor = 70);
        create index live_reader_count_by_channel on live_reader_count (channel);

        create table show_like (
            id       uuid primary key,
            show_id  uuid not null,
            count    smallint not null check (count between 1 and 50),
            at       timestamptz not null
        );
        comment on table show_like is 'ids of the likes of the last minutes, so that a repeated one counts once';
        create index show_like_by_at on show_like (at);
        """
    )
