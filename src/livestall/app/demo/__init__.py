"""`livestall demo`: a market with goods, a live show and a hundred viewers, all through the public API."""

from livestall.app.demo.run import actors, run

__all__ = ["actors", "run"]
