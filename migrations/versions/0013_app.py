"""What the processes say of themselves."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute(
        """
        create table worker_beat (
            worker  text primary key,
            at      timestamptz not null default now()
        );
        """
    )
