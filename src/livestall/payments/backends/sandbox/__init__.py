"""The sandbox: a little payment provider of its own for trying a market out, and the backend that talks to it."""

from livestall.payments.backends.sandbox.client import SandboxBackend
from livestall.payments.backends.sandbox.jobs import SWEEPS
from livestall.payments.backends.sandbox.model import Settings
from livestall.payments.backends.sandbox.web import ROUTES

__all__ = ["ROUTES", "SWEEPS", "SandboxBackend", "Settings"]
