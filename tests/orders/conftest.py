"""The small market of these tests."""

from __future__ import annotations

from helpers.shop import http, shop

__all__ = ["http", "shop"]
