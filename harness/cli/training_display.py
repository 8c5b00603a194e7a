"""A training, shown while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vosbench.harness.terminal import Terminal

if TYPE_CHECKING:
    from vosbench.harness.store import Storage
    from vosbench.harness.training.loop import Cadence, Report, TrainingProgress
    from vosbench.harness.training.runs import Finished, PlannedTraining


def run_shown(
    planned: PlannedTraining,
    storage: Storage,
    console: Terminal,
    *,
    cadence: Cadence | None = None,
    note: str | None = None,
    logs: Report | None = None,
) -> Finished:
    """Train, with progress on ``console``; errors as those of ``run_training``.

    Args:
        logs: hears of the same progress.
    """
    from vosbench.harness.measure.probe import read_environment
    from vosbench.harness.training import reporting, runs

    precision = "bf16" if planned.request.recipe.autocast else "float32"
    environment = read_environment(planned.device, precision)
    with reporting.terminal(console, planned.steps) as show:

        def report(news: TrainingProgress) -> None:
            show(news)
            if logs is not None and news.values:
                logs(news)

        return runs.run_training(planned, storage, environment, report, cadence=cadence, note=note)
