"""HTTP of rooms."""

from livestall.rooms.web import shows, tray

ROUTES = [*shows.ROUTES, *tray.ROUTES]
