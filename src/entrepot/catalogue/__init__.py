"""What is on offer, whose is it, with what rights? Resources, products, their DCAT form."""

from entrepot.catalogue.artefact import inspect, named, open_reader, prepare
from entrepot.catalogue.artefact_ask import MAX_ROWS, Ask, Slice, conditions_of
from entrepot.catalogue.artefact_file import is_unchanged, measure
from entrepot.catalogue.asking import SEARCH_TERMS, parse_search, render_search
from entrepot.catalogue.clearing import alone, forget_unused, hold, remove, shared, untouched_since
from entrepot.catalogue.cursors import Cursors
from entrepot.catalogue.dcat import SERVED, formats_of, parse_dataset, render_catalog, render_dataset
from entrepot.catalogue.errors import ExtraError, SourceError
from entrepot.catalogue.foreign import Offering, is_of_this_space, offering_of, parse_offering
from entrepot.catalogue.model import Product, Resource, product_digest
from entrepot.catalogue.pages import PAGE, Cover, Page, Place, Stock, dataset_page, page, stock
from entrepot.catalogue.protection import (
    ColumnRole,
    Protection,
    decode_protection,
    encode_protection,
)
from entrepot.catalogue.relocation import relocate_resources
from entrepot.catalogue.search import Found, Search, search
from entrepot.catalogue.service import (
    Description,
    attach_resource,
    examine,
    keep_secret,
    list_product,
    offer_product,
    product,
    product_under,
    products,
    resource,
    restock,
    sealed_secret,
    tensions_of,
    unkept,
    withdraw_product,
)
from entrepot.catalogue.source import Column, ColumnType, Source, SourceKind
from entrepot.catalogue.titles import keep_title, title_of
from entrepot.catalogue.versions import Version, roll_back, versions

__all__ = [
    "MAX_ROWS",
    "PAGE",
    "SEARCH_TERMS",
    "SERVED",
    "Ask",
    "Column",
    "ColumnRole",
    "ColumnType",
    "Cover",
    "Cursors",
    "Description",
    "ExtraError",
    "Found",
    "Offering",
    "Page",
    "Place",
    "Product",
    "Protection",
    "Resource",
    "Search",
    "Slice",
    "Source",
    "SourceError",
    "SourceKind",
    "Stock",
    "Version",
    "alone",
    "attach_resource",
    "conditions_of",
    "dataset_page",
    "decode_protection",
    "encode_protection",
    "examine",
    "forget_unused",
    "formats_of",
    "hold",
    "inspect",
    "is_of_this_space",
    "is_unchanged",
    "keep_secret",
    "keep_title",
    "list_product",
    "measure",
    "named",
    "offer_product",
    "offering_of",
    "open_reader",
    "page",
    "parse_dataset",
    "parse_offering",
    "parse_search",
    "prepare",
    "product",
    "product_digest",
    "product_under",
    "products",
    "relocate_resources",
    "remove",
    "render_catalog",
    "render_dataset",
    "render_search",
    "resource",
    "restock",
    "roll_back",
    "sealed_secret",
    "search",
    "shared",
    "stock",
    "tensions_of",
    "title_of",
    "unkept",
    "untouched_since",
    "versions",
    "withdraw_product",
]
