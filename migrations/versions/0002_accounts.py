"""The tables of accounts: people, how they get in, channels, sellers, the market itself."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(
        """
        create table market (
            the_one               boolean primary key default true check (the_one),
            name                  text not null check (length(name) between 1 and 80),
            currency              text not null check (currency ~ '^[A-Z]{3}$'),
            first_run_token_hash  bytea
        );
        insert into market (name, currency) values ('Livestall', 'CNY');

        create table user_account (
            id             uuid primary key,
            login          text not null unique check (length(login) between 3 and 254),
            password_hash  text not null,
            name           text not null check (length(name) between 1 and 80),
            locale         text not null default 'en' check (locale in ('en', 'zh')),
            is_operator    boolean not null default false,
            created_at     timestamptz not null
        );
        create index user_account_operators on user_account (id) where is_operator;

        create table session (
            token_hash  bytea primary key check (length(token_hash) = 32),
            user_id     uuid not null references user_account (id) on delete cascade,
            created_at  timestamptz not null,
            expires_at  timestamptz not null
        );
        create index session_of_user on session (user_id);
        create index session_expires on session (expires_at);

        create table api_token (
            id            uuid primary key,
            user_id       uuid not null references user_account (id) on delete cascade,
            token_hash    bytea not null unique check (length(token_hash) = 32),
            name          text not null check (length(name) between 1 and 80),
            scopes        text[] not null,
            created_at    timestamptz not null,
            last_used_at  timestamptz
        );
        create index api_token_user on api_token (user_id);

        create table sign_in_attempt (
            id         bigint generated always as identity primary key,
            account    bytea not null,
            address    text not null,
            at         timestamptz not null
        );
        create index sign_in_attempt_account on sign_in_attempt (account, at);
        create index sign_in_attempt_address on sign_in_attempt (address, at);
        create index sign_in_attempt_at on sign_in_attempt (at);

        create table creator (
            id          uuid primary key,
            user_id     uuid not null unique references user_account (id),
            name        text not null check (length(name) between 1 and 80),
            bio         text not null default '' check (length(bio) <= 1000),
            avatar_url  text,
            followers   bigint not null default 0 check (followers >= 0),
            created_at  timestamptz not null
        );

        create table follow (
            user_id     uuid not null references user_account (id) on delete cascade,
            creator_id  uuid not null references creator (id) on delete cascade,
            at          timestamptz not null,
            primary key (user_id, creator_id)
        );
        create index follow_creator on follow (creator_id);

        create table seller (
            id          uuid primary key,
            name        text not null check (length(name) between 1 and 80),
            state       text not null check (state in ('applied', 'approved', 'suspended')),
            applied_by  uuid not null references user_account (id),
            created_at  timestamptz not null
        );

        create table seller_member (
            seller_id  uuid not null references seller (id) on delete cascade,
            user_id    uuid not null references user_account (id) on delete cascade,
            added_at   timestamptz not null,
            primary key (seller_id, user_id)
        );
        create index seller_member_user on seller_member (user_id);
        """
    )
