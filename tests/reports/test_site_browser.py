"""The static site in Chromium: filter, sort, open, zoom, by pointer and by keys, from a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import chromium
import pytest
from report_samples import World, aggregates, clip, spec
from sqlalchemy import Connection, insert
from test_site import HOSTILE, Grey, masked_database

from vosbench.harness.regression.baselines import set_baseline
from vosbench.harness.store import (
    Command,
    Storage,
    Worker,
    open_database,
    results,
    sequences,
)
from vosbench.harness.store.models import StoredVerdict
from vosbench.reports.site import Making, write_site

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
JF, TAU, TRAINED = 1, 3, 8
"""Columns of the table of runs."""
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
    assert column(page, TAU) == ["0.4", "0.7", "1"]
    assert set(column(page, TRAINED)) == {"untrained"}
    page.js("document.querySelector('.filter').blur()")
    shared = page.js("location.href")
    shown(page, shared)
    assert column(page, TAU) == ["0.4", "0.7", "1"]


def test_what_is_not_understood_is_said(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?q=colour%3Ared")
    assert "no column is called colour" in page.js(STATUS)


def test_headers_sort_by_keys_and_say_how(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?kind=accuracy")
    button = "document.querySelectorAll('.table th button')[1]"
    assert page.js(f"{button}.textContent") == "J&F %"
    page.js(f"{button}.focus()")
    page.press("Enter", "\r")
    page.wait("location.hash.includes('sort=-jf_mean')")
    values = [float(text) for text in column(page, JF)]
    assert values == sorted(values, reverse=True)
    assert page.js(f"{button}.parentElement.getAttribute('aria-sort')") == "descending"
    page.press("Enter", "\r")
    page.wait("location.hash.includes('sort=jf_mean')")
    values = [float(text) for text in column(page, JF)]
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
        masked_database(tmp_path / "m.db"), tmp_path / "site", how=Making(lambda _: Grey())
    )
    shown(page, f"{made.index.as_uri()}#/sequences")
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("document.querySelector('.plot canvas') !== null")
    assert page.js("document.querySelector('h1').textContent").startswith("still")
    assert page.js("document.querySelectorAll('.strip canvas').length") == 18
    page.wait("document.querySelector('.player canvas').dataset.at !== undefined")
    text = page.js("document.querySelector('main').textContent")
    assert "untrained" in text
    assert "P_gate" in text
    page.js("document.querySelectorAll('.table tbody a')[2].click()")
    page.wait("location.hash.includes('run=')")
    page.wait("document.querySelector('h2').textContent.includes('τ = 0.7')")
    assert page.js("document.querySelectorAll('details tbody tr').length") == 16
    page.js("(({range}) => { range.value = 5; range.dispatchEvent(new Event('input')); })"
            "({range: document.querySelector('.scrubber input')})")  # fmt: skip
    assert "frame=5" in page.js("location.hash")
    assert page.js("document.querySelector('.player .reading').textContent").startswith("frame 5")


def test_two_runs_are_compared(page: chromium.Page, tmp_path: Path) -> None:
    db = masked_database(tmp_path / "m.db")
    url = write_site(db, tmp_path / "site", how=Making(lambda _: Grey())).index.as_uri()
    stored, each = results(db), sequences(db)
    a, b = (key[:16] for key in stored["key"])
    shown(page, f"{url}#/run/{a}")
    page.js("[...document.querySelectorAll('main p a')].find((one) => "
            "one.textContent.startsWith('compare')).click()")  # fmt: skip
    page.wait("location.hash.startsWith('#/runs?pick=')")
    page.wait("document.querySelector('.table tbody a') !== null")
    page.js("document.querySelector('.table tbody a').click()")
    page.wait(f"location.hash === '#/compare/{a}/{b}' && document.querySelector('.stage') !== null")
    differ = page.js("[...document.querySelectorAll('.headline th[scope=row]')]"
                     ".map((one) => one.textContent)")  # fmt: skip
    assert "tau" in differ and "model" not in differ
    change = (
        each[each["key"] == stored["key"][1]].set_index("sequence")["jf_mean"]
        - each[each["key"] == stored["key"][0]].set_index("sequence")["jf_mean"]
    ).sort_values()
    assert column(page, 0) == list(change.index)
    texts = [f"{100 * value:+.1f}".replace("-", "−") for value in change]
    assert column(page, 1) == texts
    page.wait("document.querySelectorAll('.plot canvas').length === 2")
    page.js("(({split}) => { split.value = 30; split.dispatchEvent(new Event('input')); })"
            "({split: document.querySelector('.stage + input')})")  # fmt: skip
    assert page.js("document.querySelector('.stage').style.getPropertyValue('--split')") == "30%"
    shared = page.js("location.href")
    assert "split=30" in shared
    shown(page, f"{shared}&seq={change.index[1]}")
    page.wait("document.querySelector('.stage') !== null")
    assert change.index[1] in page.js("[...document.querySelectorAll('h2')]"
                                      ".map((one) => one.textContent).join()")  # fmt: skip
    assert page.js("document.querySelector('.stage + input').value") == "30"


def test_tables_are_saved_grouped_and_narrowed(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/runs?kind=accuracy&cols=model,jf_mean&group=model&q=frtm-lite")
    page.wait("document.querySelector('.group') !== null")
    assert page.js("document.querySelectorAll('.table thead th').length") == 2
    heads = page.js("[...document.querySelectorAll('.group button')].map((one) => "
                    "one.textContent.slice(2))")  # fmt: skip
    models = page.js("VOS.site.runs.columns.model.filter((one, row) => "
                     "VOS.site.runs.columns.kind[row] === 'accuracy')")  # fmt: skip
    assert heads == list(dict.fromkeys(one for one in models if "frtm-lite" in one))
    rows = page.js(f"{ROWS}.length")
    page.js("document.querySelector('.group button').click()")
    assert page.js(f"{ROWS}.length") == rows - sum(one == heads[0] for one in models)
    page.js("VOS.saveCsv = (text) => { globalThis.saved = text; }")
    page.js("[...document.querySelectorAll('.table button')].find((one) => "
            "one.textContent === 'CSV').click()")  # fmt: skip
    lines = page.js("saved").splitlines()
    assert lines[0] == "model,jf_mean"
    assert len(lines) - 1 == sum("frtm-lite" in one for one in models)
    assert page.js("VOS.csv({columns: {a: ['=1+1', '-2', 'x,\"y\"', null]}}, [{name: 'a'}], "
                   "[0, 1, 2, 3])") == 'a\n\'=1+1\n-2\n"x,""y"""\n\n'  # fmt: skip


def test_a_plot_is_saved_with_taus(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/?taus=1")
    page.wait("document.querySelector('figure.chart')?.plot?.scales.x.max > 0")
    page.js(
        "VOS.save = (blob, name) => { globalThis.saved = [blob.type, blob.size > 5000, name]; }"
    )
    page.js("[...document.querySelectorAll('.zoom button')].find((one) => "
            "one.textContent === 'PNG').click()")  # fmt: skip
    assert page.wait("globalThis.saved") == ["image/png", True, "J-F-against-reuse-.png"]


def test_history_and_verdicts_have_pages(page: chromium.Page, tmp_path: Path) -> None:
    db = two_versions(tmp_path / "two.db")
    url = write_site(db, tmp_path / "site").index.as_uri()
    shown(page, f"{url}#/history")
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("document.querySelector('.plot canvas') !== null")
    rows = page.js("[...document.querySelectorAll('.headline tbody tr')].map((one) => "
                   "one.cells[0].textContent)")  # fmt: skip
    assert rows == ["1.0+gaaaaaaa", "1.1+gbbbbbbb"]
    shown(page, f"{url}#/verdicts")
    assert column(page, 1)[0] == "regressed"
    page.js("document.querySelector('.table tbody a').click()")
    page.wait("location.hash.startsWith('#/compare/') && document.querySelector('.table') !== null")


def two_versions(path: Path) -> Path:
    """A setting that two versions measured with other weights; the later one was judged."""
    specs = [spec(weights_sha256=letter * 64) for letter in "ab"]
    with Storage.open(path) as storage:
        for one, version in zip(specs, ("1.0+gaaaaaaa", "1.1+gbbbbbbb"), strict=True):
            study = storage.add_plan(version, Command("vosbench run …"), [one])
            worker = Worker.here("test", version=version)
            (claimed,) = storage.claim(study, worker).trials  # type: ignore[union-attr]
            clips = [clip(one, name, World()) for name in one.sequences]
            for result in clips:
                storage.record(claimed, result)
            storage.complete(claimed, aggregates(clips))
    with open_database(path) as database:
        set_baseline(database, "main", commit="gaaaaaaa")
        database.write(judge)
    return path


def judge(connection: Connection) -> None:
    values = {"baseline_id": 1, "trial_id": 2, "metric": "jf_mean", "reason": "lower"}
    change = {"verdict": "regressed", "change": -0.02, "change_low": -0.03, "change_high": -0.01}
    connection.execute(insert(StoredVerdict).values(**values, **change))


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
    for where in ("", "runs", "models", "sweeps", "sequences", "machines", "trainings", "compare",
                  "history", "verdicts", "sequence/motion/slow", "model/g-frtm-lite",
                  "sweep/accuracy"):  # fmt: skip
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
    for where in ("runs", "sequences", "models", ""):
        shown(page, f"{url}#/{where}")
        assert page.js("document.querySelectorAll('main img, main script').length") == 0
    shown(page, f"{url}#/sequences")
    assert column(page, 0) == [HOSTILE, "b&b"]
    page.js("document.querySelector('.table tbody a').click()")
    page.wait(
        "location.hash.startsWith('#/sequence/') && document.querySelector('h1 small') !== null"
    )
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
    assert column(page, JF)[0] == "100.0"
    page.press("/", "/")
    page.write("model:frtm-3 jf>50")
    left = [n for n in range(10_000) if n % 7 == 3 and (n + 1) * 7919 % 10_000 > 5_000]
    page.wait(f"{STATUS} === '{len(left)} of 10000 rows'")
    assert page.js(f"{ROWS}.length") < MOST_ROWS
    page.js("document.querySelector('.table .scroll').focus()")
    page.press("End")
    page.wait("document.activeElement.closest('tr') !== null")
    lowest = min((n + 1) * 7919 % 10_000 for n in left) / 100
    last = float(page.js("document.activeElement.closest('tr').cells[1].textContent"))
    assert abs(last - lowest) <= 0.051
    assert page.js(f"{ROWS}.length") < MOST_ROWS


def test_the_front_page_begins_with_the_best_of_each_set(page: chromium.Page, site: str) -> None:
    shown(page, f"{site}#/")
    first = page.js("[...document.querySelectorAll('.headline tbody tr')].slice(0, 5)"
                    ".map((line) => parseFloat(line.cells[1].textContent))")  # fmt: skip
    best = page.js("Math.max(...VOS.site.settings.columns.jf_mean.filter((one) => one !== null))")
    assert first == sorted(first, reverse=True) and first[0] == round(100 * best, 1)


@pytest.mark.parametrize("width", [1280, 390])
def test_dataset_and_score_are_seen_without_scrolling(
    page: chromium.Page, site: str, width: int
) -> None:
    page.size(width, 800)
    for where in ("", "runs"):
        shown(page, f"{site}#/{where}")
        heads = page.js("[...document.querySelectorAll('th')].filter((one) => "
                        "/^(J&F %|dataset)$/.test(one.textContent)).map((one) => {"
                        "const {right, bottom} = one.getBoundingClientRect(); "
                        "return [one.textContent, right, bottom]; })")  # fmt: skip
        first = {name: (right, bottom) for name, right, bottom in reversed(heads)}
        assert set(first) == ({"J&F %", "dataset"} if where else {"J&F %"})
        for right, bottom in first.values():
            assert right <= width and bottom <= 800, (where, first)
    page.size(1200, 800)
