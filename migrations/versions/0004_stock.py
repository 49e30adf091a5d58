"""The tables of stock: what lies where, the pools that are sold from, holds, and the movements that explain them."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        """
        create table warehouse (
            id         uuid primary key,
            seller_id  uuid not null,
            name       text not null check (length(name) between 1 and 80),
            is_default boolean not null default false,
            created_at timestamptz not null default now()
        );
        create unique index warehouse_default on warehouse (seller_id) where is_default;

        -- What lies on the shelf, sold units that have not left included.
        create table stock_level (
            variant_id   uuid not null,
            warehouse_id uuid not null references warehouse (id),
            seller_id    uuid not null,
            on_hand      integer not null check (on_hand between 0 and 1000000000),
            changed_at   timestamptz not null default now(),
            primary key (variant_id, warehouse_id)
        );

        -- The row that is held from. pool_id = variant_id: the general pool. Else it was carved out of parent_id for a
        -- deal. Rows are few, small and hot: room for HOT updates on the page, and an eager vacuum.
        create table stock_pool (
            pool_id    uuid primary key,
            variant_id uuid not null,
            seller_id  uuid not null,
            parent_id  uuid references stock_pool (pool_id),
            closed     boolean not null default false,
            on_hand    integer not null default 0,
            open       integer not null default 0,
            held       integer not null default 0,
            sold       integer not null default 0,
            constraint stock_pool_is_general_or_carved check ((parent_id is null) = (pool_id = variant_id)),
            constraint stock_pool_never_oversold check
                (held >= 0 and sold >= 0 and held + sold <= open and open <= on_hand)
        ) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
                autovacuum_vacuum_cost_delay = 0);
        create index stock_pool_variant on stock_pool (variant_id);
        create index stock_pool_seller on stock_pool (seller_id, variant_id) where parent_id is null;

        create table stock_hold (
            order_id   uuid not null,
            line_no    smallint not null check (line_no > 0),
            attempt    smallint not null default 1 check (attempt > 0),
            seller_id  uuid not null,
            pool_id    uuid not null,
            variant_id uuid not null,
            holder_id  uuid not null,
            counts_for uuid,
            quantity   integer not null check (quantity between 1 and 999),
            state      text not null default 'pending' check (state in ('pending', 'posted', 'voided', 'expired')),
            primary key (order_id, line_no, attempt)
        ) with (fillfactor = 70);
        -- A per-buyer limit asks: how many units of this deal or listing does this person have?
        create index stock_hold_limit on stock_hold (counts_for, holder_id) include (quantity)
            where counts_for is not null and state in ('pending', 'posted');

        create table stock_movement (
            id         bigint generated always as identity primary key,
            pool_id    uuid not null,
            variant_id uuid not null,
            seller_id  uuid not null,
            reason     text not null,
            on_hand    integer not null,
            open       integer not null,
            held       integer not null,
            sold       integer not null,
            at         timestamptz not null default now(),
            check (on_hand <> 0 or open <> 0 or held <> 0 or sold <> 0)
        );
        create index stock_movement_pool on stock_movement (pool_id, id);
        create function stock_movement_is_history() returns trigger language plpgsql as
            $$ begin raise exception 'stock movements are never changed; write a correcting one'; end $$;
        create trigger stock_movement_append_only before update or delete on stock_movement
            for each statement execute function stock_movement_is_history();
        """
    )
