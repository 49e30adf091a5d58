"""The tables of orders: orders, their lines, the history that each move writes, and the address book."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        """
        create table orders (
            id              uuid primary key,
            number          text not null unique,
            seller_id       uuid not null,
            buyer_id        uuid not null,
            show_id         uuid,
            creator_id      uuid,
            state           text not null default 'placed'
                            check (state in ('placed', 'paid', 'cancelled', 'refunded', 'completed')),
            currency        text not null,
            total           bigint not null check (total > 0),
            creator_amount  bigint not null check (creator_amount between 0 and total),
            refunded        bigint not null default 0 check (refunded between 0 and total),
            fingerprint     bytea not null,
            address         jsonb,
            attempt         smallint not null default 1,
            placed_at       timestamptz not null,
            expires_at      timestamptz not null,
            release_at      timestamptz not null check (release_at >= expires_at),
            pay_started_at  timestamptz,
            paid_at         timestamptz,
            cancelled_at    timestamptz,
            cancel_reason   text check (cancel_reason in ('buyer', 'expired', 'payment-failed')),
            check (state not in ('paid', 'completed', 'refunded') or paid_at is not null),
            check ((state = 'cancelled') = (cancel_reason is not null)),
            check ((creator_id is null) <= (creator_amount = 0))
        ) with (fillfactor = 80);
        create index orders_by_buyer on orders (buyer_id, placed_at desc, id desc);
        create index orders_by_seller on orders (seller_id, placed_at desc, id desc);
        create index orders_by_show on orders (show_id, placed_at) where show_id is not null;
        create index orders_due on orders (release_at) where state = 'placed';

        create table order_line (
            order_id       uuid not null references orders (id),
            line_no        smallint not null check (line_no > 0),
            seller_id      uuid not null,
            variant_id     uuid not null,
            product_id     uuid not null,
            listing_id     uuid,
            deal_id        uuid,
            quantity       integer not null check (quantity between 1 and 999),
            unit_price     bigint not null check (unit_price > 0),
            title          text not null,
            variant_title  text not null,
            picture_url    text,
            primary key (order_id, line_no)
        );

        create table order_move (
            id          bigint generated always as identity primary key,
            order_id    uuid not null references orders (id),
            from_state  text not null,
            to_state    text not null,
            reason      text not null,
            by_id       uuid,
            at          timestamptz not null
        );
        create index order_move_order on order_move (order_id, id);

        create table address (
            id          uuid primary key,
            user_id     uuid not null,
            recipient   text not null,
            phone       text not null,
            region      text not null,
            city        text not null,
            line1       text not null,
            line2       text not null,
            postcode    text not null,
            country     text not null,
            is_default  boolean not null default false,
            created_at  timestamptz not null default now()
        );
        create index address_by_user on address (user_id, created_at);
        create unique index address_default on address (user_id) where is_default;
        """
    )
