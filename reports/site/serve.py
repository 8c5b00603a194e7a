"""The site on this machine's own address, made anew whenever there are new results."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Database, Selection
from vosbench.harness.store.catalog import newest_change
from vosbench.reports.site.make import Making, Site, write_site
from vosbench.reports.site.script import write_script

HOST = "127.0.0.1"
PORT = 8765
LOOK_S = 2.0
"""How often the database is looked at."""
_SHARE = 4.0
"""A site is remade at most so often that making it takes one part in five of the time."""


class _Folder(SimpleHTTPRequestHandler):
    """Files of the newest site, to who asks this machine by its own name."""

    def __init__(self, *args: Any, newest: Callable[[], Path], **options: Any) -> None:
        super().__init__(*args, directory=str(newest()), **options)

    def send_head(self) -> Any:
        """See the base class; another site's page in the same browser is told nothing."""
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if name not in {HOST, "localhost"}:
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> Any:  # noqa: ARG002 - the base class's signature
        """There is nothing to see but the pages."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        """See the base class; what is remade must not be kept."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


class Served:
    """A site that is served and remade; :func:`serving` makes one.

    Attributes:
        url: where it is.
    """

    def __init__(self, source: Database, where: Selection, how: Making, base: Path) -> None:
        self._source, self._where, self._how, self._base = source, where, how, base
        self._number = 0
        self._token = ""
        self._took_s = self._made_at = 0.0
        self._newest = base
        self.url = ""

    def newest(self) -> Path:
        """The folder of the last site that was made."""
        return self._newest

    def remake(self) -> Site | None:
        """Make the site anew if there is anything new; None if not, or too soon.

        Raises:
            InputError: see :func:`~vosbench.reports.site.make.write_site`; the last one stays.
        """
        token = newest_change(self._source)
        rested = time.monotonic() - self._made_at >= _SHARE * self._took_s
        if token == self._token or not rested:
            return None
        began = time.monotonic()
        folder = self._base / str(self._number)
        made = write_site(self._source, folder, self._where, replace(self._how, live=token))
        write_script(folder, "data/live", token)
        # The one before stays for pages that are still loading.
        for old in range(self._number - 1):
            shutil.rmtree(self._base / str(old), ignore_errors=True)
        self._number, self._token, self._newest = self._number + 1, token, folder
        self._made_at = time.monotonic()
        self._took_s = self._made_at - began
        return made


@contextmanager
def serving(
    source: Database, where: Selection, how: Making, port: int = PORT
) -> Iterator[tuple[Served, Site]]:
    """Make a site, and serve it at ``port`` of the loopback address until the block ends.

    Nothing is written to the database; call ``remake`` from time to time.

    Args:
        source: an open database.
        where: which trials.
        how: what the site is made with.
        port: 0 for a free one.

    Raises:
        InputError: the port is taken, or no site can be made.
    """
    with tempfile.TemporaryDirectory(prefix="vosbench-site-") as base:
        served = Served(source, where, how, Path(base))
        try:
            server = ThreadingHTTPServer((HOST, port), partial(_Folder, newest=served.newest))
        except OSError as error:
            raise InputError(
                f"can't serve at port {port}: {error.strerror}; name another"
            ) from None
        with server:
            made = served.remake()
            assert made is not None, "the first one is always made"
            served.url = f"http://{HOST}:{server.socket.getsockname()[1]}/"
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield served, made
            finally:
                server.shutdown()
                thread.join()
