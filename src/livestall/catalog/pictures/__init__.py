"""Pictures of products: uploaded or fetched from an address, opened in a guarded process, kept small."""

from livestall.catalog.pictures.actions import PictureAt, add_from_urls, check_url
from livestall.catalog.pictures.model import PICTURES_MAX, BadAddress

__all__ = ["PICTURES_MAX", "BadAddress", "PictureAt", "add_from_urls", "check_url"]
