"""No orphans: a child process ends when the process that started it is gone, even after kill -9."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

PARENT = "LIVESTALL_SUPERVISOR"
"""Environment variable in which the supervisor tells its children its process id."""

FIRST_RUN = "LIVESTALL_FIRST_RUN"
"""Environment variable with the token of the first-run link, for the demo that makes its operator by itself."""

GRACE_SECONDS = 8
_PR_SET_PDEATHSIG = 1


def signal_at_parents_death(number: int) -> Callable[[], None] | None:
    """A function for `preexec_fn` that makes the kernel send `number` when the starting thread ends; None if the
    system cannot. Start such a child from the main thread: the kernel watches the thread, not the process."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)

    return arm


def end_with_parent() -> None:
    """Called first in every child of the supervisor: SIGTERM when the supervisor dies, and the end 8 s later for
    whoever does not listen. Does nothing when the process was started by hand."""
    told = os.environ.get(PARENT, "")
    if not told.isdigit():
        return
    parent = int(told)
    if arm := signal_at_parents_death(signal.SIGTERM):
        arm()
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)
