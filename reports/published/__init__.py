"""The paper's numbers, as data: tables 1 to 4 and what its text claims."""

from vosbench.reports.published.load import (
    Claim,
    Published,
    claims,
    methods,
    published_table,
    siblings,
)

__all__ = ["Claim", "Published", "claims", "methods", "published_table", "siblings"]
