"""The tables of catalog: products, variants, pictures, imports."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        r"""
        create table product (
            id           uuid primary key,
            seller_id    uuid not null,
            handle       text check (length(handle) between 1 and 255),
            title        text not null check (length(title) between 1 and 255),
            description  text not null default '' check (length(description) <= 50000),
            state        text not null check (state in ('draft', 'active', 'archived')),
            options      jsonb not null,
            currency     text not null check (currency ~ '^[A-Z]{3}$'),
            created_at   timestamptz not null,
            updated_at   timestamptz not null,
            unique (seller_id, handle)
        );
        create index product_of_seller on product (seller_id, id desc);
        create index product_active on product (id desc) where state = 'active';

        create table picture (
            id           uuid primary key,
            product_id   uuid not null references product (id) on delete cascade,
            position     integer not null,
            state        text not null check (state in ('pending', 'ready', 'failed')),
            alt          text not null default '' check (length(alt) <= 512),
            source_url   text check (length(source_url) <= 2048),
            digest       bytea,
            file         text,
            thumb        text,
            width        integer,
            height       integer,
            error        text,
            import_id    uuid,
            attempts     integer not null default 0,
            next_try_at  timestamptz not null,
            check (state <> 'ready' or (file is not null and thumb is not null and width > 0 and height > 0)),
            check (state <> 'failed' or error is not null)
        );
        create index picture_of_product on picture (product_id, position);
        create index picture_waiting on picture (next_try_at) where state = 'pending';
        create unique index picture_source on picture (product_id, source_url);
        create index picture_of_import on picture (import_id) where state = 'pending';

        create table variant (
            id          uuid primary key,
            product_id  uuid not null references product (id) on delete cascade,
            position    integer not null,
            title       text not null,
            sku         text not null default '' check (length(sku) <= 100),
            options     jsonb not null,
            price       bigint not null check (price between 0 and 1000000000000000),
            compare_at  bigint check (compare_at > price and compare_at <= 1000000000000000),
            picture_id  uuid references picture (id) on delete set null,
            removed_at  timestamptz
        );
        create index variant_of_product on variant (product_id, position);
        create index variant_picture on variant (picture_id);

        create table product_import (
            id                uuid primary key,
            seller_id         uuid not null,
            currency          text not null,
            digest            bytea not null,
            file              text not null,
            state             text not null check (state in ('reading', 'done', 'failed')),
            lines             integer not null default 0,
            lines_done        integer not null default 0,
            groups_done       integer not null default 0,
            tries             integer not null default 0,
            products_created  integer not null default 0,
            products_updated  integer not null default 0,
            errors            jsonb not null default '[]',
            errors_total      integer not null default 0,
            error             jsonb,
            created_at        timestamptz not null,
            claimed_until     timestamptz not null,
            check (jsonb_array_length(errors) <= 1000)
        );
        create index product_import_of_seller on product_import (seller_id, id desc);
        create index product_import_waiting on product_import (claimed_until) where state = 'reading';
        """
    )
