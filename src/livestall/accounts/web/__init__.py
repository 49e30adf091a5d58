"""HTTP of accounts: the guard of the whole API, and the endpoints of people and of sellers."""

from livestall.accounts.web import people, sellers
from livestall.accounts.web.guard import Sessions, Unguarded, check_marks, guard, provide_actor

ROUTES = [*people.ROUTES, *sellers.ROUTES]

__all__ = ["ROUTES", "Sessions", "Unguarded", "check_marks", "guard", "provide_actor"]
