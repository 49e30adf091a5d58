"""The ledger: who has what, as immutable transfers between two accounts. The door.

await ledger.post(tx, [Transfer(debit=house(Purpose.clearing, "CNY"), credit=Account(Owner.seller, …), …)])
"""

from livestall.ledger.actions import expire, post, settle
from livestall.ledger.model import (
    HOUSE,
    Account,
    AlreadySettled,
    Balance,
    Entry,
    NoSuchPromise,
    Overdrawn,
    Owner,
    Phase,
    Purpose,
    Settlement,
    Transfer,
    house,
)
from livestall.ledger.store import balances, drift
from livestall.ledger.store import of_references as transfers_of

__all__ = [
    "HOUSE", "Account", "AlreadySettled", "Balance", "Entry", "NoSuchPromise", "Overdrawn", "Owner", "Phase", "Purpose",
    "Settlement", "Transfer", "balances", "drift", "expire", "house", "post", "settle", "transfers_of",
]  # fmt: skip
