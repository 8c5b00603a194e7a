"""Figures for a page: their size, their type, their captions, and names of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.text import Text

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.report import _inches
from vosbench.harness.store import Selection
from vosbench.reports.dressing import Dressing, load_style, over
from vosbench.reports.figures import (
    FigureOptions,
    draw_figure,
    figure_data,
    figure_names,
    make_figure,
)
from vosbench.reports.style import SMALLEST_PT, Sheet

COLUMN = Sheet(3.25, title=False)
EVERYTHING = Selection()


@pytest.mark.parametrize("name", figure_names())
def test_a_figure_keeps_its_width_and_its_type_can_be_read(name: str, results_db: Path) -> None:
    figure = draw_figure(name, figure_data(name, results_db), COLUMN)
    assert figure.get_figwidth() == 3.25
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]  # type: ignore[union-attr]
    sizes = [text.get_fontsize() for text in texts if text.get_visible()]  # type: ignore[union-attr]
    assert sizes and min(sizes) >= SMALLEST_PT
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    named = (label for axes in figure.axes for label in (axes.xaxis.label, axes.yaxis.label))
    for label in filter(Text.get_text, named):
        box = label.get_window_extent(renderer)
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, label.get_text()


def test_notes_and_command_stand_in_a_caption(results_db: Path, tmp_path: Path) -> None:
    options = FigureOptions(sheet=COLUMN, command="vosbench report --fig fps-vs-jf")
    files = make_figure("fps-vs-jf", results_db, EVERYTHING, tmp_path / "f.svg", options)
    names = ["f.svg", "f.caption.tex", "f.caption.md", "f.csv"]
    assert [path.name for path in files] == names
    svg, tex, markdown = (path.read_text() for path in files[:3])
    note = "demonstration weights, trained on made-up clips"
    assert note not in svg and "Speed against J" not in svg
    assert note in tex and "Speed against J\\&F." in tex and options.command in tex
    assert "CPU machine-a, 2 threads, float32, 2 repeats" in markdown
    assert f"`{options.command}`" in markdown
    assert "untrained" in svg  # that stays where nobody can cut it off


def test_pdf_holds_truetype(results_db: Path, tmp_path: Path) -> None:
    dressing = Dressing(settings={"pdf.fonttype": 3})
    options = FigureOptions(sheet=COLUMN, dressing=dressing)
    pdf = make_figure("gate-timeline", results_db, EVERYTHING, tmp_path / "f.pdf", options)[0]
    assert b"/Type0" in pdf.read_bytes() and b"/Type3" not in pdf.read_bytes()


def test_labels_stand_wherever_a_model_is_named(results_db: Path) -> None:
    options = FigureOptions(dressing=Dressing(labels={"g-frtm-fast": "ours"}))
    plain = figure_data("reuse-vs-jf", results_db)
    data = figure_data("reuse-vs-jf", results_db, EVERYTHING, options)
    assert set(data[data["model"] == "g-frtm-fast"]["curve"]) == {"ours (demonstration weights)"}
    others = data["model"] != "g-frtm-fast"
    assert list(data["curve"][others]) == list(plain["curve"][others])
    assert list(data["colour"]) == list(plain["colour"])
    with pytest.raises(InputError, match="no model 'g-frtm-fsat'; did you mean 'g-frtm-fast'"):
        wrong = FigureOptions(dressing=Dressing(labels={"g-frtm-fsat": "ours"}))
        figure_data("reuse-vs-jf", results_db, EVERYTHING, wrong)


def test_a_style_sets_looks_and_matplotlib(results_db: Path, tmp_path: Path) -> None:
    file = tmp_path / "house.toml"
    file.write_text(
        '[matplotlib]\n"lines.linewidth" = 3\n[models."g-frtm-lite"]\n'
        'colour = "red"\nmarker = "s"\ndash = "4 2"\nlabel = "small"\n'
    )
    style = over(load_style(file), {"g-frtm-lite": "smaller"})
    data = figure_data("reuse-vs-jf", results_db, EVERYTHING, FigureOptions(dressing=style))
    row = data[data["model"] == "g-frtm-lite"].iloc[0]
    assert (row["colour"], row["marker"], row["dash"]) == ("#ff0000", "s", "4 2")
    assert row["curve"] == "smaller (untrained)"
    assert style.settings == {"lines.linewidth": 3.0}
    sheet = tmp_path / "house.mplstyle"
    sheet.write_text("# ours\naxes.facecolor: '#eeeeee'  # grey\nlines.linewidth: 2\n")
    with pytest.raises(InputError, match=r"axes\.facecolor"):
        load_style(sheet)
    sheet.write_text("lines.linewidth: 2  # thick\n")
    assert load_style(sheet).settings == {"lines.linewidth": 2.0}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "[models.x]\nmarkr = 'o'", "unknown entry of x 'markr'; did you mean 'marker'"),
        ("a.toml", "[models.x]\nmarker = 'bell'", "'bell' is no marker"),
        ("a.toml", "[models.x]\ndash = '3'", "'3' is no dash"),
        ("a.toml", "[models.x", "a.toml: "),
        ("a.toml", "models = 3", "models is a table"),
        ("a.toml", "[matplotlib]\n'lines.linewdith' = 1", "did you mean 'lines.linewidth'"),
        ("a.mplstyle", "lines.linewidth 2", "line 1: write SETTING: VALUE"),
        ("a.css", "", r"ends in \.mplstyle or \.toml"),
    ],
)
def test_a_wrong_style_is_one_line(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        load_style(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "inches"), [("3.25in", 3.25), ("8.255cm", 3.25), ("82.55 mm", 3.25), ("3.25", 3.25)]
)
def test_widths_have_units(text: str, inches: float) -> None:
    assert _inches(text) == pytest.approx(inches)


@pytest.mark.parametrize("text", ["wide", "3.25px", "-3in", "nan", ""])
def test_a_wrong_width_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="--width"):
        _inches(text)
    with pytest.raises(InputError, match="2 to 40 inches"):
        Sheet(0.5)
