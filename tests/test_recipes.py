"""The recipes of ``docs/recipes``: every command of every page is run, with tiny data for yours."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from vosbench.harness.cli import main
from vosbench.harness.datasets.motion import write_motion

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "docs" / "recipes"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml|sh))\n")
TINY = "--dataset davis-layout:clips"


@dataclass(frozen=True)
class Recipe:
    """A page, and what stands for the reader's own data, sizes and machines in it.

    Attributes:
        swaps: texts of commands and what is run in their place; each must occur.
    """

    page: str
    swaps: dict[str, str] = field(default_factory=dict)


PAGES = (
    Recipe(
        "paper.md",
        {
            "/data/DAVIS": "DAVIS",
            "--weights g-frtm-fast.pth": "--weights random:0",
            "--weights rn18_all.pth": "--weights random:1",
            "--kind both --repeats 5": "--kind accuracy",  # a test doesn't hold the machine
            "0.1:1.0:0.1": "0.5",
            "--tau 0.7,1": "--tau 0.7",
            "--max-frames 10": "--max-frames 3",
        },
    ),
    Recipe("own-sequences.md"),
    Recipe(
        "own-model.md",
        {
            "--dataset motion": TINY,
            "--sequences slow": "--frames 2 --allow-busy",
        },
    ),
    Recipe("ci.md", {"--dataset motion --max-frames 20": TINY}),
    Recipe(
        "cluster.md",
        {
            "postgresql+psycopg://me@server/vos": "results.db",
            "/data/DAVIS": "DAVIS",
            "0.1:1.0:0.1": "0.5",
        },
    ),
    Recipe("pandas.md", {"--dataset motion": TINY}),
)


def test_every_recipe_is_run_and_listed() -> None:
    pages = {path.name for path in RECIPES.glob("*.md")} - {"README.md"}
    assert {recipe.page for recipe in PAGES} == pages
    listed = (RECIPES / "README.md").read_text(encoding="utf-8")
    assert all(f"({page})" in listed for page in pages)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", PAGES, ids=lambda recipe: recipe.page)
def test_a_recipe_can_be_followed(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("VOSBENCH_LOCK_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    _readers_own(tmp_path)
    used = dict.fromkeys(recipe.swaps, 0)
    for words in _commands((RECIPES / recipe.page).read_text(encoding="utf-8"), recipe, used):
        _run(words, monkeypatch)
    assert all(used.values()), f"not in the page any more: {used}"


def _readers_own(folder: Path) -> None:
    """DAVIS, own sequences and predictions, in small; the examples as a checkout has them."""
    write_motion(folder / "made", {"pan": 301, "slow": 309}, (64, 96), 4)
    masks = folder / "DAVIS" / "Annotations" / "480p"
    for made, name in (("pan", "blackswan"), ("slow", "dog")):
        for kind in ("JPEGImages", "Annotations"):
            (source,) = (folder / "made" / kind).rglob(made)
            shutil.copytree(source, folder / "DAVIS" / kind / "480p" / name)
    for kind in ("JPEGImages", "Annotations"):
        source = folder / "DAVIS" / kind / "480p" / "dog"
        shutil.copytree(source, folder / "clips" / kind / "dog")
    (folder / "clips" / "Annotations" / "dog" / "00003.png").unlink()  # not all is annotated
    shutil.copytree(masks / "dog", folder / "predictions" / "dog")
    for year in ("2016", "2017"):
        listed = folder / "DAVIS" / "ImageSets" / year / "val.txt"
        listed.parent.mkdir(parents=True)
        listed.write_text("blackswan\n")
    (folder / "examples").symlink_to(ROOT / "examples")


def _commands(page: str, recipe: Recipe, used: dict[str, int]) -> Iterator[list[str]]:
    """Each command of the page's shell blocks as words; files that it shows are written before."""
    for language, text in _FENCE.findall(page):
        named = _FILE.match(text)
        if named is not None:
            place = Path(named[1])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        elif language == "sh":
            yield from _lines(text, recipe, used)
        else:
            assert language == "", f"a block of {language} that nobody runs"


def _lines(text: str, recipe: Recipe, used: dict[str, int]) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        command = line.strip()
        if command.startswith("sbatch "):  # each task of the array runs the script
            yield from _lines(Path(command.split()[1]).read_text(), recipe, used)
            continue
        for theirs, ours in recipe.swaps.items():
            used[theirs] += command.count(theirs)
            command = command.replace(theirs, ours)
        if command and not command.startswith("#"):
            yield shlex.split(command)


def _run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = words
    programs: dict[str, Callable[[], None]] = {
        "vosbench": main,
        "python": lambda: _run_file(arguments[0]),
        "pip": lambda: _install(arguments, monkeypatch),
        "cp": lambda: _copy(arguments),
    }
    monkeypatch.setattr(sys, "argv", words)
    try:
        programs[program]()
    except SystemExit as ended:
        assert not ended.code, shlex.join(words)


def _run_file(name: str) -> None:
    runpy.run_path(name, run_name="__main__")


def _copy(arguments: list[str]) -> None:
    flag, source, place = arguments
    assert flag == "-r"
    shutil.copytree(source, place)


def _install(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """``pip install FOLDER``, offline, to a place where this process then looks for packages."""
    asked, folder = arguments
    assert asked == "install"
    place = str(Path("installed", folder).resolve())
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", place, folder],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if "No module named" in done.stderr:
        pytest.skip("installing a package offline needs pip and setuptools here")
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(place)
