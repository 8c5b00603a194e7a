"""The static site in Chromium: filter, sort, open, zoom, by pointer and by keys, from a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import chromium
import pytest
from report_samples import spec
from test_site import HOSTILE, Grey, masked_database

from vosbench.harness.store import Command, Storage
from vosbench.reports.site import write_site

pytestmark = pytest.mark.skipif(
    chromium.find() is None, reason="no Chromium here: apt-get install chromium"
)
MOST_ROWS = 120


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    with chromium.page(tmp_path_factory.mktemp("profile")) as page:
        page.size(1200, 800)
        yield page


@pytest.fixture
def page(browser: chromium.Page) -> Iterator[chromium.Page]:
    """The same page for all tests; none may leave a complaint."""
    browser.open("about:blank")
    browser.complaints.clear()
    browser.requested.clear()
    yield browser
    assert browser.complaints == []
    assert {url.partition(":")[0] for url in browser.requested} <= {"file", "about", "data"}


@pytest.fixture(scope="module")
def site(results_db: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    made = write_site(results_db, tmp_path_factory.mktemp("site") / "site")
    return made.index.as_uri()


def shown(page: chromium.Page, url: str) -> None:
    page.open("about:blank")
    page.open(url)
    page.wait("document.querySelector('main h1') !== null && VOS.site !== undefined")


ROWS = "[...document.querySelectorAll('.table tbody tr:not(.space)')]"
STATUS = "document.querySelector('.status').textContent"


def column(page: chromium.Page, number: int) -> list[str]:
    return list(page.js(f"{ROWS}.map((row) => row.cells[{number}].textContent)"))


def test_slash_filters_and_the_address_can_be_shared(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs")
    whole = page.js(STATUS)
    page.press("/", "/")
    page.write("model:lite tau>=0.4 -timing untrained")
    page.wait(f"{STATUS} !== {whole!r}")
    assert set(column(page, 0)) == {"g-frtm-lite"}
    assert column(page, 2) == ["0.4", "0.7", "1"]
    assert set(column(page, 3)) == {"untrained"}
    page.js("document.querySelector('.filter').blur()")
    shared = page.js("location.href")
    shown(page, shared)
    assert column(page, 2) == ["0.4", "0.7", "1"]


def test_what_is_not_understood_is_said(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?q=colour%3Ared")
    assert "no column is called colour" in page.js(STATUS)


def test_headers_sort_by_keys_and_say_how(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?kind=accuracy")
    button = "document.querySelectorAll('.table th button')[6]"
    assert page.js(f"{button}.textContent") == "J&F %"
    page.js(f"{button}.focus()")
    page.press("Enter", "\r")
    page.wait("location.hash.includes('sort=-jf_mean')")
    values = [float(text) for text in column(page, 6)]
    assert values == sorted(values, reverse=True)
    assert page.js(f"{button}.parentElement.getAttribute('aria-sort')") == "descending"
    page.press("Enter", "\r")
    page.wait("location.hash.includes('sort=jf_mean')")
    values = [float(text) for text in column(page, 6)]
    assert values == sorted(values)


def test_arrow_and_enter_open_a_run_with_its_provenance(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?q=g-frtm-fast%2Bcopy&kind=accuracy")
    page.js("document.querySelector('.table .scroll').focus()")
    page.press("ArrowDown")
    page.press("ArrowDown")
    key = page.js("document.activeElement.getAttribute('href')")
    page.press("Enter", "\r")
    page.wait("location.hash.startsWith('#/run/') && document.querySelector('.blocks') !== null")
    assert key == page.js("location.hash")
    text = page.js("document.querySelector('main').textContent")
    for said in ("demonstration weights", "motion@1", "cd" * 32, "manifest sha256", "protocol"):
        assert said in text


def test_a_training_shows_its_curves_and_its_runs(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/trainings?sort=seed")
    assert column(page, 3) == ["complete", "failed"]
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("document.querySelectorAll('.plot canvas').length === 2")
    text = page.js("document.querySelector('main').textContent")
    for said in ("M(1,0)", "40 of 40 steps", "On held-out clips", "step 40 · bce", "recipe"):
        assert said in text
    page.js("[...document.querySelectorAll('.facts a')][0].click()")
    page.wait("location.hash.startsWith('#/runs?q=weights_sha256') && "
              "document.querySelector('.status') !== null")  # fmt: skip
    assert " of " in page.js(STATUS)


def test_a_run_of_several_objects_lists_them(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?kind=accuracy")
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("document.querySelectorAll('.table').length === 2")
    assert page.js("document.querySelectorAll('h2')[document.querySelectorAll('h2').length - 1]"
                   ".textContent") == "Objects"  # fmt: skip
    assert page.js(f"{ROWS}.slice(-2).map((row) => row.cells[1].textContent)") == ["1", "2"]


def test_a_clip_shows_gate_and_masks(page: chromium.Page, tmp_path: Path) -> None:
    made = write_site(
        masked_database(tmp_path / "m.db"), tmp_path / "site", footage_of=lambda _: Grey()
    )
    shown(page, f"{made.index.as_uri()}#/clips")
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("document.querySelector('.plot canvas') !== null")
    assert page.js("document.querySelector('h1').textContent").startswith("still")
    page.wait("[...document.images].length === 18")
    page.js("[...document.images].forEach((image) => { image.loading = 'eager'; })")
    page.wait("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    text = page.js("document.querySelector('main').textContent")
    assert "untrained" in text
    assert "P_gate" in text
    page.js("document.querySelectorAll('.table tbody a')[2].click()")
    page.wait("location.hash.includes('run=')")
    page.wait("document.querySelector('h2').textContent.includes('τ = 0.7')")
    assert page.js("document.querySelectorAll('details tbody tr').length") == 16


@pytest.mark.parametrize("how", ["drag", "button", "key"])
def test_plots_zoom(page: chromium.Page, site: str, how: str) -> None:
    shown(page, f"{site}#/")
    page.wait("document.querySelector('figure.chart')?.plot?.scales.x.max > 0")
    span = "(({min, max}) => max - min)(document.querySelector('figure.chart').plot.scales.x)"
    before = page.js(span)
    if how == "drag":
        page.js("document.querySelector('.u-over').scrollIntoView({block: 'center'})")
        box = page.js("(({x, y, width, height}) => [x, y, width, height])"
                      "(document.querySelector('.u-over').getBoundingClientRect())")  # fmt: skip
        x, y, width, height = box
        page.drag((x + width * 0.3, y + height * 0.3), (x + width * 0.6, y + height * 0.7))
    elif how == "button":
        page.js("document.querySelector('.zoom button').click()")
    else:
        page.js("document.querySelector('.plot').focus()")
        page.press("+", "+")
    page.wait(f"{span} < {before} * 0.9")
    page.js("document.querySelectorAll('.zoom button')[2].click()")
    page.wait(f"Math.abs({span} - {before}) < 1e-9")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 380])
def test_every_page_fits_in_both_schemes(
    page: chromium.Page, site: str, scheme: str, width: int
) -> None:
    page.scheme(scheme)
    page.size(width, 800)
    grounds = set()
    for where in ("", "runs", "models", "sweeps", "clips", "machines", "trainings",
                  "clip/motion/slow", "model/g-frtm-lite", "sweep/accuracy"):  # fmt: skip
        shown(page, f"{site}#/{where}")
        page.wait("document.querySelector('main').dataset.page !== undefined")
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.js(wide) <= 0, where
        grounds.add(page.js("getComputedStyle(document.body).backgroundColor"))
    page.scheme("light")
    page.size(1200, 800)
    assert grounds == {"rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)"}


def test_hostile_names_are_shown_as_they_are(page: chromium.Page, tmp_path: Path) -> None:
    db = masked_database(tmp_path / "hostile.db", weights=HOSTILE, sequences=(HOSTILE, "b&b"))
    url = write_site(db, tmp_path / "site").index.as_uri()
    for where in ("runs", "clips", "models", ""):
        shown(page, f"{url}#/{where}")
        assert page.js("document.querySelectorAll('main img, main script').length") == 0
    shown(page, f"{url}#/clips")
    assert column(page, 0) == [HOSTILE, "b&b"]
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("location.hash.startsWith('#/clip/') && document.querySelector('h1 small') !== null")
    assert page.js("document.querySelector('h1').textContent").startswith(HOSTILE)
    assert page.js("document.querySelectorAll('[onerror]').length") == 0


def ten_thousand(path: Path) -> Path:
    """So many complete runs; their numbers are made up by the database itself."""
    specs = [
        spec(f"g-frtm-{number % 7}", Decimal(number // 70) / 1000, seed=number % 70 // 7)
        for number in range(10_000)
    ]
    with Storage.open(path) as storage:
        storage.add_plan("many", Command("vosbench run …"), specs)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE trial SET state = 'complete'")
        connection.execute(
            "INSERT INTO trial_metric (trial_id, name, value) "
            "SELECT id, 'jf_mean', (id * 7919 % 10000) / 10000.0 FROM trial"
        )
    return path


@pytest.mark.slow
def test_ten_thousand_runs_render_only_what_is_in_sight(
    page: chromium.Page, tmp_path: Path
) -> None:
    url = write_site(ten_thousand(tmp_path / "many.db"), tmp_path / "site").index.as_uri()
    shown(page, f"{url}#/runs?sort=-jf_mean")
    assert page.js(STATUS) == "10000 rows"
    assert page.js(f"{ROWS}.length") < MOST_ROWS
    assert column(page, 6)[0] == "100.0"
    page.press("/", "/")
    page.write("model:frtm-3 jf>50")
    left = [n for n in range(10_000) if n % 7 == 3 and (n + 1) * 7919 % 10_000 > 5_000]
    page.wait(f"{STATUS} === '{len(left)} of 10000 rows'")
    assert page.js(f"{ROWS}.length") < MOST_ROWS
    page.js("document.querySelector('.table .scroll').focus()")
    page.press("End")
    page.wait("document.activeElement.closest('tr') !== null")
    lowest = min((n + 1) * 7919 % 10_000 for n in left) / 100
    last = float(page.js("document.activeElement.closest('tr').cells[6].textContent"))
    assert abs(last - lowest) <= 0.051
    assert page.js(f"{ROWS}.length") < MOST_ROWS


def test_the_front_page_begins_with_the_best_of_each_set(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/")
    first = page.js("[...document.querySelectorAll('.headline tbody tr')].slice(0, 5)"
                    ".map((line) => Number(line.cells[0].textContent))")  # fmt: skip
    best = page.js("Math.max(...VOS.site.models.columns.jf_best.filter((one) => one !== null))")
    assert first == sorted(first, reverse=True) and first[0] == round(100 * best, 1)
