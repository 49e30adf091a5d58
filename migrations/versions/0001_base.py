"""The outbox."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        create table outbox (
            xid       xid8 not null default pg_current_xact_id(),
            id        bigint generated always as identity,
            event_id  uuid not null unique,
            topic     text not null,
            subject   uuid not null,
            payload   jsonb not null,
            at        timestamptz not null default now(),
            primary key (xid, id)
        );
        create table outbox_cursor (
            listener  text primary key,
            xid       xid8 not null default '0',
            id        bigint not null default 0,
            at        timestamptz not null default now()
        );
        create table outbox_parked (
            listener    text not null,
            event_id    uuid not null references outbox (event_id) on delete cascade,
            subject     uuid not null,
            attempts    integer not null default 0,
            error       text not null,
            next_try_at timestamptz not null,
            primary key (listener, event_id)
        );
        create index outbox_parked_due on outbox_parked (listener, next_try_at);
        """
    )
