"""The ledger: accounts, and transfers that are never changed."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(
        """
        create table ledger_account (
            id              bigint generated always as identity primary key,
            owner_kind      text not null check (owner_kind in ('house', 'seller', 'creator', 'buyer')),
            owner_id        uuid not null,
            purpose         text not null check (purpose <> ''),
            currency        text not null check (currency ~ '^[A-Z]{3}$'),
            -- Hot house accounts keep no totals: every sale would wait for that one row. Theirs are sums of transfers.
            keeps_totals    boolean not null,
            may_overdraw    boolean not null,
            debits_pending  bigint not null default 0 check (debits_pending >= 0),
            debits_posted   bigint not null default 0 check (debits_posted >= 0),
            credits_pending bigint not null default 0 check (credits_pending >= 0),
            credits_posted  bigint not null default 0 check (credits_posted >= 0),
            opened_at       timestamptz not null default now(),
            unique (owner_kind, owner_id, purpose, currency),
            unique (id, currency),
            constraint ledger_account_kept check (
                keeps_totals
                or (debits_pending = 0 and debits_posted = 0 and credits_pending = 0 and credits_posted = 0)
            ),
            -- What is promised (pending) has left already; what is expected has not arrived yet.
            constraint ledger_account_not_overdrawn check (
                may_overdraw or debits_pending + debits_posted <= credits_posted
            )
        ) with (fillfactor = 50);

        create table ledger_transfer (
            id             uuid primary key,
            number         bigint generated always as identity,
            debit_account  bigint not null,
            credit_account bigint not null,
            amount         bigint not null check (amount > 0),
            currency       text not null,
            kind           text not null check (kind <> ''),
            reference      uuid not null,
            phase          text not null check (phase in ('pending', 'posted', 'voided', 'expired')),
            pending_id     uuid references ledger_transfer (id),
            expires_at     timestamptz,
            at             timestamptz not null,
            unique (reference, kind),
            check (debit_account <> credit_account),
            check (phase <> 'pending' or pending_id is null),
            check (phase not in ('voided', 'expired') or pending_id is not null),
            check (expires_at is null or phase = 'pending'),
            foreign key (debit_account, currency) references ledger_account (id, currency),
            foreign key (credit_account, currency) references ledger_account (id, currency)
        );
        -- A pending transfer is settled once: posted, voided or expired.
        create unique index ledger_transfer_settled_once on ledger_transfer (pending_id) where pending_id is not null;
        create index ledger_transfer_debit on ledger_transfer (debit_account, number) include (amount, phase);
        create index ledger_transfer_credit on ledger_transfer (credit_account, number) include (amount, phase);
        create index ledger_transfer_due on ledger_transfer (expires_at) where expires_at is not null;

        create function ledger_transfer_is_final() returns trigger language plpgsql as $$
        begin
            raise exception 'transfers are never changed or removed: post a correcting transfer'
                using errcode = 'restrict_violation';
        end $$;
        create trigger ledger_transfer_is_final before update or delete on ledger_transfer
            for each row execute function ledger_transfer_is_final();
        create trigger ledger_transfer_stays before truncate on ledger_transfer
            for each statement execute function ledger_transfer_is_final();
        """
    )
