"""Why a flash sale opens when it does: when it is fair, and to whom it had to wait."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        """
        alter table deal
            add column fair_at timestamptz,
            add column slowest_tier text check (slowest_tier in ('whep', 'll-hls-interactive', 'll-hls', 'hls'));
        """
    )
