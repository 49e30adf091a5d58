"""Payments: what is expected for an order, the provider's sessions, requests to the provider, and its raw notices.

The tables `sandbox_…` belong to the sandbox provider, which behaves as if it were another company: nothing refers to
them, and they refer to nothing.
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(OURS)
    op.execute(SANDBOX)


OURS = """
create table payment (
    id          uuid primary key,
    state       text not null check (state in ('expected', 'authorised', 'captured', 'failed', 'voided', 'refunded')),
    amount      bigint not null check (amount > 0),
    currency    text not null check (currency ~ '^[A-Z]{3}$'),
    refunded    bigint not null default 0 check (refunded between 0 and amount),
    expires_at  timestamptz not null,
    session_id  uuid,
    reason      text,
    created_at  timestamptz not null,
    check ((state in ('authorised', 'captured', 'refunded')) <= (session_id is not null)),
    check (refunded = 0 or state in ('captured', 'refunded')),
    check (state <> 'refunded' or refunded = amount)
) with (fillfactor = 70);
create index payment_overdue on payment (expires_at) where state = 'expected';

-- Which orders a payment pays. One each today; a basket over several sellers will put several orders here.
create table payment_order (
    order_id    uuid primary key,
    payment_id  uuid not null references payment (id),
    seller_id   uuid not null,
    amount      bigint not null check (amount > 0)
);
create index payment_order_payment on payment_order (payment_id);

create table payment_history (
    payment_id  uuid not null references payment (id),
    n           bigint generated always as identity,
    state       text not null,
    reason      text,
    at          timestamptz not null,
    primary key (payment_id, n)
);

create table payment_session (
    id            uuid primary key,
    payment_id    uuid not null references payment (id),
    backend       text not null,
    external_id   text,
    status        text not null check (status in ('opening', 'open', 'closing', 'authorised', 'captured', 'voided',
                                                  'failed', 'expired')),
    version       integer not null default 0,
    amount        bigint not null check (amount > 0),
    currency      text not null,
    return_url    text not null,
    pay_url       text,
    method        text,
    refusal       text,
    surplus       boolean not null default false,
    taken         boolean not null default false,
    expires_at    timestamptz not null,
    opened_at     timestamptz not null,
    looks         integer not null default 0,
    next_look_at  timestamptz not null,
    unique (backend, external_id)
);
-- One session at a time is offered to the buyer, and the money of one only is taken.
create unique index payment_session_one_open on payment_session (payment_id) where status in ('opening', 'open');
create unique index payment_session_one_taken on payment_session (payment_id) where taken;
create index payment_session_due on payment_session (next_look_at) where status in ('opening', 'open', 'closing');
alter table payment add foreign key (session_id) references payment_session (id);

create table payment_request (
    id           uuid primary key,
    session_id   uuid not null references payment_session (id),
    order_id     uuid references payment_order (order_id),
    kind         text not null check (kind in ('capture', 'void', 'refund')),
    amount       bigint not null check (amount > 0),
    state        text not null check (state in ('waiting', 'done', 'failed', 'withdrawn')),
    reason       text,
    attempts     integer not null default 0,
    error        text,
    next_try_at  timestamptz not null,
    created_at   timestamptz not null
);
create unique index payment_request_one_capture on payment_request (session_id) where kind = 'capture';
create unique index payment_request_one_void on payment_request (session_id)
    where kind = 'void' and state in ('waiting', 'done');
create index payment_request_session on payment_request (session_id);
create index payment_request_due on payment_request (next_try_at) where state = 'waiting';

create table payment_notice (
    id           uuid primary key,
    backend      text not null,
    external_id  text not null,
    raw          bytea not null,
    received_at  timestamptz not null,
    outcome      text,
    settled_at   timestamptz,
    unique (backend, external_id),
    check ((outcome is null) = (settled_at is null))
);
create index payment_notice_waiting on payment_notice (received_at) where outcome is null;
"""

SANDBOX = """
create table sandbox_session (
    id               text primary key,
    idempotency_key  text not null unique,
    request_hash     text not null,
    merchant         text not null,
    title            text not null,
    reference        text not null,
    amount           bigint not null check (amount > 0),
    currency         text not null,
    locale           text not null,
    return_url       text not null,
    notify_url       text not null,
    status           text not null check (status in ('open', 'authorised', 'captured', 'voided', 'failed', 'expired')),
    version          integer not null default 1,
    captured         bigint not null default 0 check (captured in (0, amount)),
    refunded         bigint not null default 0 check (refunded between 0 and captured),
    card_brand       text,
    card_last4       text check (card_last4 ~ '^[0-9]{4}$'),
    behaviour        text not null default 'ok',
    refusal          text,
    expires_at       timestamptz not null,
    created_at       timestamptz not null
);
create index sandbox_session_expiring on sandbox_session (expires_at) where status = 'open';

create table sandbox_movement (
    session_id       text not null references sandbox_session (id),
    idempotency_key  text not null,
    kind             text not null check (kind in ('capture', 'void', 'refund')),
    amount           bigint not null check (amount > 0),
    at               timestamptz not null,
    primary key (session_id, idempotency_key)
);

create table sandbox_attempt (
    session_id  text not null references sandbox_session (id),
    token       text not null,
    answer      text not null,
    at          timestamptz not null,
    primary key (session_id, token)
);

create table sandbox_notice (
    id            text primary key,
    session_id    text not null references sandbox_session (id),
    body          bytea not null,
    copies_left   integer not null check (copies_left >= 0),
    attempts      integer not null default 0,
    next_try_at   timestamptz,
    last_answer   text,
    created_at    timestamptz not null
);
create index sandbox_notice_due on sandbox_notice (next_try_at) where next_try_at is not null;
"""
