"""What is on offer, whose is it, with what rights? Resources, products, their DCAT form."""

from entrepot.catalogue.dcat import SERVED, formats_of, parse_dataset, render_catalog, render_dataset
from entrepot.catalogue.model import Product, Resource, product_digest
from entrepot.catalogue.service import (
    Description,
    attach_resource,
    examine,
    is_unchanged,
    list_product,
    measure,
    offer_product,
    product,
    product_under,
    products,
    resource,
    withdraw_product,
)

__all__ = [
    "SERVED",
    "Description",
    "Product",
    "Resource",
    "attach_resource",
    "examine",
    "formats_of",
    "is_unchanged",
    "list_product",
    "measure",
    "offer_product",
    "parse_dataset",
    "product",
    "product_digest",
    "product_under",
    "products",
    "render_catalog",
    "render_dataset",
    "resource",
    "withdraw_product",
]
