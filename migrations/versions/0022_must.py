"""A condition that a statement depends on: `Tx.must` in `src/livestall/base/db.py`."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute(
        """
        create function must(is_so boolean) returns boolean language plpgsql as $$
        begin
            if is_so is not true then
                raise exception 'what this depends on has changed' using errcode = 'LS001';
            end if;
            return true;
        end $$;
        """
    )
