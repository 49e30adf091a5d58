"""What a recording lacks, and what is not well with a publisher."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        alter table stream add column recording_gaps jsonb not null default '[]';
        alter table stream add column warnings jsonb not null default '[]';
        alter table stream add column warned_at timestamptz;
        """
    )
