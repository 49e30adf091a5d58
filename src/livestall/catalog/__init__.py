"""What is sold: products, variants, prices, pictures. How many there are, `stock` knows."""

from livestall.catalog.actions import change_product, create_product
from livestall.catalog.model import (
    CardRecord,
    ImportStocked,
    NoSuchProduct,
    Offer,
    OptionAxis,
    Picture,
    ProductChanged,
    ProductDraft,
    ProductRecord,
    ProductState,
    Settings,
    VariantDraft,
    VariantRecord,
)
from livestall.catalog.store import VariantLine, cards, offers, offers_of, products, products_of, search, variant_lines

__all__ = [
    "CardRecord", "ImportStocked", "NoSuchProduct", "Offer", "OptionAxis", "Picture", "ProductChanged", "ProductDraft",
    "ProductRecord", "ProductState", "Settings", "VariantDraft", "VariantLine", "VariantRecord", "cards",
    "change_product", "create_product", "offers", "offers_of", "products", "products_of", "search", "variant_lines",
]  # fmt: skip
