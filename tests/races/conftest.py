"""The small market of these tests."""

from __future__ import annotations

from helpers.shop import shop

__all__ = ["shop"]
