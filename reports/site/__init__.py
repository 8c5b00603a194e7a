"""The static site: all results of a database as pages that need no server and no network."""

from vosbench.reports.site.footage import Footage, FootageOf, RunClip
from vosbench.reports.site.make import Making, Site, write_site

__all__ = ["Footage", "FootageOf", "Making", "RunClip", "Site", "write_site"]
