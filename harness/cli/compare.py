"""``vosbench compare``: did this change make it worse?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.store import Database, Selection, open_database
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import parse_names, say, write_file

if TYPE_CHECKING:
    from vosbench.harness.regression.comparison import Comparison
    from vosbench.harness.regression.verdict import Verdict
    from vosbench.harness.store.measured import Run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(compare)


def compare(
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Base: a baseline, or its JSON file.")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Base: a model or weights of the database.")
    ] = None,
    head: Annotated[
        str | None, typer.Option("--head", help="Head: a model or weights of the database.")
    ] = None,
    a_a: Annotated[
        bool, typer.Option("--a-a", help="Compare repeats with each other: the noise.")
    ] = False,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    jf_tol: Annotated[
        str | None, typer.Option("--jf-tol", help="Tolerated loss of J&F in points: 0.3.")
    ] = None,
    fps_tol: Annotated[
        str | None, typer.Option("--fps-tol", help="Tolerated loss of FPS: mean:5%, min:5%.")
    ] = None,
    tol: Annotated[
        list[str] | None, typer.Option("--tol", help="Tolerated loss of another metric.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Compare these too, at their usual tolerance."),
    ] = None,
    allow: Annotated[str, typer.Option("--allow", help="Verdicts that exit with 0.")] = "",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write Markdown.")] = None,
    json_out: Annotated[Path | None, typer.Option("--json-out", help="Write JSON.")] = None,
    strips: Annotated[
        Path | None,
        typer.Option("--strips", metavar="DIR", help="Draw the sequences that lost most."),
    ] = None,
    data_root: options.DataRoot = None,
) -> None:
    """Compare head with base: a verdict per grid point and in total.

    With --baseline NAME, or two sides of one database (--base A --head B), or --a-a.
    Exit status: pass 0, regressed 10, improved 11, inconclusive 12, incomparable 13, error 14.
    """
    from vosbench.harness.regression import thresholds
    from vosbench.harness.regression.compare import compare as judge
    from vosbench.harness.regression.render_terminal import terminal
    from vosbench.harness.regression.verdict import exit_code

    usual = {name: thresholds.usual_tolerance(name) for name in parse_names(metric or ())}
    texts = {**usual, "jf_mean": jf_tol, "fps": fps_tol, **options.pairs(tol, "--tol")}
    tolerated = thresholds.tolerances(texts)
    allowed = _verdicts(allow)
    _check_sides(baseline, base, head, a_a=a_a)
    where = options.selection(models, dataset, study)
    with waiting("comparing"):
        with open_database(db, read_only=True) as database:
            sides = _sides(database, where, baseline=baseline, base=base, head=head)
        comparison = judge(*sides, tolerated, across=head is not None)
    _record(comparison, db, baseline)
    Terminal().print(terminal(comparison))
    _write(comparison, junit, markdown, json_out)
    if strips is not None:
        from vosbench.harness.cli.strips import write_strips

        for line in write_strips(comparison, db, strips, data_root):
            say(line)
    raise typer.Exit(exit_code(comparison.verdict, allowed))


def _check_sides(baseline: str | None, base: str | None, head: str | None, *, a_a: bool) -> None:
    if sum([baseline is not None, base is not None, a_a]) != 1 or (a_a and head is not None):
        raise InputError(
            "what to compare with what: --baseline NAME, or --base A --head B, or --a-a"
        )
    if base is not None and head is None:
        raise InputError(f"--base {base}: name the other side with --head")


def _sides(
    database: Database,
    where: Selection,
    *,
    baseline: str | None,
    base: str | None,
    head: str | None,
) -> tuple[Run, Run]:
    """Base and head; ``InputError`` where one of them isn't there."""
    from vosbench.harness.regression import baselines, pairing, repeats
    from vosbench.harness.store import measured
    from vosbench.runners.registry import absolute_name

    run = measured.read_run(database, where)
    models = {trial.spec.model for trial in run.trials}

    def one_side(name: str) -> Run:
        # As `run` files it: a path in a model's name is absolute, unless the trial is an old one.
        filed = absolute_name(name)
        return pairing.one_side(run, filed if filed in models else name)

    new = run if head is None else one_side(head)
    if baseline is not None:
        return baselines.read_base(baseline, database), new
    if base is not None:
        return one_side(base), new
    return repeats.halves(run)


def _record(comparison: Comparison, db: str, baseline: str | None) -> None:
    """Keep the findings with the baseline, where that is in the same database."""
    from vosbench.harness.regression import baselines

    with open_database(db, read_only=True) as database:
        names = {record.name for record in baselines.list_baselines(database)}
    if baseline in names:
        with open_database(db) as database:
            baselines.record_verdicts(database, str(baseline), comparison)


def _write(
    comparison: Comparison, junit: Path | None, markdown: Path | None, json_out: Path | None
) -> None:
    from vosbench.harness.regression.render_json import as_json
    from vosbench.harness.regression.render_junit import junit as as_junit
    from vosbench.harness.regression.render_markdown import markdown as as_markdown

    for path, render in ((junit, as_junit), (markdown, as_markdown), (json_out, as_json)):
        if path is not None:
            write_file(path, render(comparison), quiet=True)


def _verdicts(text: str) -> tuple[Verdict, ...]:
    from vosbench.harness.regression.verdict import Verdict

    known = [verdict.value for verdict in Verdict if verdict is not Verdict.ERROR]
    names = parse_names([text])
    for name in names:
        if name not in known:
            raise InputError(f"--allow {name}: choose from {', '.join(known)}")
    return tuple(Verdict(name) for name in names)
