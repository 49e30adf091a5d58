"""Import and export of products as CSV in the Shopify product format.

A file is stored, then read by a sweep in chunks. Each chunk is one transaction that also moves the import's progress:
a worker that is killed is continued by another, and nothing is done twice.
"""

from livestall.catalog.imports.actions import begin
from livestall.catalog.imports.model import Import
from livestall.catalog.imports.store import find, page

__all__ = ["Import", "begin", "find", "page"]
