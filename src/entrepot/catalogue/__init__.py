"""What is on offer, whose is it, with what rights? Resources, products, their DCAT form."""

from entrepot.catalogue.dcat import SERVED, formats_of, parse_dataset, render_catalog, render_dataset
from entrepot.catalogue.model import Product, Resource, product_digest
from entrepot.catalogue.pages import PAGE, Cover, Page, Place, dataset_page, page
from entrepot.catalogue.search import Found, Search, search
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
    restock,
    withdraw_product,
)
from entrepot.catalogue.versions import Version, roll_back, versions

__all__ = [
    "PAGE",
    "SERVED",
    "Cover",
    "Description",
    "Found",
    "Page",
    "Place",
    "Product",
    "Resource",
    "Search",
    "Version",
    "attach_resource",
    "dataset_page",
    "examine",
    "formats_of",
    "is_unchanged",
    "list_product",
    "measure",
    "offer_product",
    "page",
    "parse_dataset",
    "product",
    "product_digest",
    "product_under",
    "products",
    "render_catalog",
    "render_dataset",
    "resource",
    "restock",
    "roll_back",
    "search",
    "versions",
    "withdraw_product",
]
