"""Placing an order costs less: numbers are unique by construction, lines are checked by the batch, two indexes fewer.

`docs/decisions/0015-what-a-sale-writes.md` says what each saves and why nothing is lost.
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute(
        """
        -- Order numbers are drawn in blocks (orders/model/numbers.py): no two are alike, so no index need look.
        -- The eight letters of these cannot meet the seven of older ones.
        create sequence order_number_block minvalue 0 maxvalue 536870911 cycle;
        create table order_number_key (key bytea not null);
        insert into order_number_key select uuid_send(gen_random_uuid());
        alter table orders drop constraint if exists orders_number_key;

        -- A line has an order: asked once for all lines of a statement. Orders stay for good, so it stays true.
        create function order_lines_have_orders() returns trigger language plpgsql
            set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as
            $$ begin
                if exists (select from added a where not exists (select from orders o where o.id = a.order_id)) then
                    raise foreign_key_violation using message = 'an order line without its order';
                end if;
                return null;
            end $$;
        create function order_stays() returns trigger language plpgsql as
            $$ begin raise exception 'orders and their lines are history: they are neither deleted nor renamed'; end $$;
        create trigger order_lines_have_orders after insert on order_line referencing new table as added
            for each statement execute function order_lines_have_orders();
        create trigger order_stays before delete or truncate or update of id on orders
            for each statement execute function order_stays();
        create trigger order_line_stays before delete or truncate or update of order_id on order_line
            for each statement execute function order_stays();
        alter table order_line drop constraint if exists order_line_order_id_fkey;

        -- Read backwards for "the newest first", written at the right end: half full pages no more.
        drop index if exists orders_by_seller;
        create index orders_by_seller on orders (seller_id, placed_at, id);
        -- Minutes of a show are looked for between its start and its end.
        drop index if exists orders_by_show;
        create index orders_by_time on orders using brin (placed_at) with (pages_per_range = 16, autosummarize = on);
        drop index if exists orders_by_buyer;
        create index orders_by_buyer on orders (buyer_id, placed_at);
        """
    )
