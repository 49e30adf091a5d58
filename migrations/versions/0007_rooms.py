"""The tables of rooms: shows and their moves, the tray, pins, roles, the audience by the minute."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        """
        create table room (
            id          uuid primary key,
            creator_id  uuid not null unique references creator (id),
            created_at  timestamptz not null default now()
        );

        create table show (
            id               uuid primary key,
            room_id          uuid not null references room (id),
            creator_id       uuid not null references creator (id),
            host_id          uuid not null references user_account (id),
            title            text not null check (length(title) between 1 and 120),
            description      text not null default '' check (length(description) <= 4000),
            state            text not null check (state in
                ('draft', 'scheduled', 'preview', 'live', 'interrupted', 'ended', 'replay', 'purged')),
            mode             text not null default 'default' check (mode in ('default', 'interactive')),
            planned_at       timestamptz,
            started_at       timestamptz,
            ended_at         timestamptz,
            grace_until      timestamptz,
            stream_id        uuid unique,
            stream_online    boolean not null default false,
            stream_protocol  text,
            stream_since     timestamptz,
            recording_id     uuid,
            recording_at     timestamptz,
            recording_ms     bigint check (recording_ms >= 0),
            ingest_delay_ms  integer not null default 100 check (ingest_delay_ms between 0 and 10000),
            viewers          integer not null default 0 check (viewers >= 0),
            viewers_peak     integer not null default 0 check (viewers_peak >= viewers),
            likes            bigint not null default 0 check (likes >= 0),
            created_at       timestamptz not null default now(),
            check (state <> 'live' or started_at is not null),
            check ((state = 'interrupted') = (grace_until is not null)),
            check (state not in ('ended', 'replay') or ended_at is not null)
        ) with (fillfactor = 80);
        create index show_by_state on show (state, (coalesce(started_at, planned_at, created_at)) desc, id desc);
        create index show_by_creator on show (creator_id, created_at desc, id desc);
        create index show_by_host on show (host_id, created_at desc, id desc);
        create index show_in_grace on show (grace_until) where state = 'interrupted';
        -- One broadcast at a time in a room.
        create unique index show_on_air on show (room_id) where state in ('live', 'interrupted');

        create table show_move (
            id          bigint generated always as identity primary key,
            show_id     uuid not null references show (id),
            from_state  text not null,
            to_state    text not null,
            at          timestamptz not null,
            by_id       uuid,
            reason      text not null
        );
        create index show_move_by_show on show_move (show_id, id);

        create table show_staff (
            show_id   uuid not null references show (id),
            user_id   uuid not null references user_account (id),
            role      text not null check (role in ('host', 'co-host', 'stock-clerk', 'moderator', 'observer')),
            added_at  timestamptz not null default now(),
            added_by  uuid not null,
            primary key (show_id, user_id)
        );
        create index show_staff_by_user on show_staff (user_id, show_id);

        create table listing (
            id          uuid primary key,
            show_id     uuid not null references show (id),
            product_id  uuid not null,
            seller_id   uuid not null,
            slot        integer check (slot between 1 and 500),
            per_buyer   integer check (per_buyer between 1 and 999),
            created_at  timestamptz not null default now(),
            unique (show_id, slot) deferrable initially deferred
        );
        comment on column listing.slot is 'place in the tray; null once taken out (pins and orders still name it)';
        create unique index listing_once on listing (show_id, product_id) where slot is not null;
        create index listing_by_product on listing (product_id) where slot is not null;

        create table listing_price (
            listing_id  uuid not null references listing (id),
            variant_id  uuid not null,
            amount      bigint not null check (amount between 1 and 1000000000000000),
            primary key (listing_id, variant_id)
        );

        create table pin (
            id               uuid primary key,
            show_id          uuid not null references show (id),
            listing_id       uuid not null references listing (id),
            is_primary       boolean not null,
            by_id            uuid not null,
            at               timestamptz not null,
            stream_at        timestamptz not null,
            ended_at         timestamptz,
            ended_stream_at  timestamptz,
            check ((ended_at is null) = (ended_stream_at is null)),
            check (ended_stream_at >= stream_at)
        );
        -- The last line against two hosts pinning at once.
        create unique index pin_primary_once on pin (show_id) where is_primary and ended_at is null;
        create index pin_by_show on pin (show_id, stream_at, id);

        create table show_minute (
            show_id  uuid not null references show (id),
            minute   timestamptz not null,
            viewers  integer not null check (viewers >= 0),
            likes    bigint not null check (likes >= 0),
            primary key (show_id, minute)
        );
        comment on column show_minute.viewers is 'most sockets at once within the minute';
        """
    )
