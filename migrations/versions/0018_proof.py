"""An index for the public proof: the sum of a pool's open and paid holds without reading everybody else's.

It is built while orders go on: about half a second for each million of holds. Broken off, it begins anew.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("drop index concurrently if exists stock_hold_of_pool")
        op.execute(
            """create index concurrently stock_hold_of_pool on stock_hold (pool_id, state, quantity)
                where state in ('pending', 'posted')"""
        )
