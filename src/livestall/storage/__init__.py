"""Files by the hash of their contents: put, link, open, drop. `use` says where they are kept."""

from livestall.storage.actions import drop, link, open, put, use  # noqa: A004 - the word for it
from livestall.storage.backends.disk import Disk
from livestall.storage.model import Backend, NoSuchFile

__all__ = ["Backend", "Disk", "NoSuchFile", "drop", "link", "open", "put", "use"]
