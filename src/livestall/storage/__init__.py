"""Files by the hash of their contents: put, link, open, drop. `clean` drops what nobody needs any more; `use` says
where they are kept."""

from livestall.storage.actions import clean, drop, link, open, put, use  # noqa: A004 - the word for it
from livestall.storage.backends.disk import Disk
from livestall.storage.model import Backend, NoSuchFile

__all__ = ["Backend", "Disk", "NoSuchFile", "clean", "drop", "link", "open", "put", "use"]
