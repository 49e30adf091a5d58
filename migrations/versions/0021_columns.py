"""Names for columns of many rows, so that they can be encoded our way: `src/livestall/base/columns.py`."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute(
        """
        create domain uuids as uuid[];
        create domain texts as text[];
        create domain bigints as bigint[];
        create domain byteas as bytea[];
        """
    )
