"""The paper's tables and claims: published beside measured."""

from vosbench.reports.tables.make import check_claims, make_table, table_names
from vosbench.reports.tables.render import (
    PaperTable,
    to_latex,
    to_markdown,
    to_rich,
    to_text,
    write_table,
)

__all__ = [
    "PaperTable",
    "check_claims",
    "make_table",
    "table_names",
    "to_latex",
    "to_markdown",
    "to_rich",
    "to_text",
    "write_table",
]
