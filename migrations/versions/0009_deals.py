"""The tables of deals: flash sales and the steps in which their quota was released."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(
        """
        create table deal (
            id                   uuid primary key references stock_pool (pool_id) deferrable initially deferred,
            show_id              uuid not null references show (id),
            listing_id           uuid not null references listing (id),
            variant_id           uuid not null,
            seller_id            uuid not null,
            kind                 text not null check (kind in ('flash')),
            state                text not null check (state in ('countdown', 'running', 'ended', 'cancelled')),
            currency             text not null,
            price_amount         bigint not null check (price_amount > 0),
            list_price_amount    bigint not null check (list_price_amount > price_amount),
            quota                integer not null check (quota > 0),
            released             integer not null check (released between 0 and quota),
            per_buyer            integer not null check (per_buyer between 1 and 999),
            announced_by         uuid not null,
            announced_at         timestamptz not null,
            announced_stream_at  timestamptz not null,
            opens_at             timestamptz not null check (opens_at >= announced_at),
            closes_at            timestamptz not null check (closes_at > opens_at)
        );
        -- The last line against two flash sales of one variant at once.
        create unique index deal_one_running on deal (variant_id) where state in ('countdown', 'running');
        create index deal_by_show on deal (show_id, announced_at);
        create index deal_due on deal (closes_at) where state in ('countdown', 'running');

        create table deal_release (
            id        uuid primary key,
            deal_id   uuid not null references deal (id),
            quantity  integer not null check (quantity > 0),
            by_id     uuid not null,
            at        timestamptz not null
        );
        create index deal_release_deal on deal_release (deal_id);
        """
    )
