"""What a figure can be asked for besides which trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
from matplotlib.figure import Figure

from vosbench.harness.store import Readable, Selection
from vosbench.reports.dressing import PLAIN, Dressing
from vosbench.reports.style import SCREEN, Sheet


@dataclass(frozen=True)
class FigureOptions:
    """Options that some figures read and others leave alone.

    Attributes:
        sequence: the clip, for figures of one clip; the first that has the data, if None.
        tau: the threshold, for figures of one; see each figure for its choice if None.
        iou_from: clips of at least this mean adjacent-mask IoU count as high-IoU clips.
        published: draw the paper's numbers too, where there are any.
        published_counting: reuse rates count the first frame as reused, as the published code
            does.
        metric: what curves show along y in place of J&F, by its name.
        sheet: what it is made for: a screen, or a page of some width.
        dressing: names and looks of models.
        command: what asked for it, for the caption.
    """

    sequence: str | None = None
    tau: Decimal | None = None
    iou_from: float = 0.8
    published: bool = False
    published_counting: bool = False
    metric: str | None = None
    sheet: Sheet = SCREEN
    dressing: Dressing = PLAIN
    command: str = ""


@dataclass(frozen=True)
class FigureKind:
    """A figure: what the entry-point group ``vosbench.figures`` names.

    Attributes:
        name: how it is asked for.
        summary: one line; also the figure's title.
        needs: what is missing when ``data`` returns no rows.
        command: the run that would make it.
        data: what is plotted, as a frame; never draws.
        draw: the figure of such a frame; never reads anything else.
        takes_metric: ``data`` heeds :attr:`FigureOptions.metric`.
    """

    name: str
    summary: str
    needs: str
    command: str
    data: Callable[[Readable, Selection, FigureOptions], pd.DataFrame]
    draw: Callable[[pd.DataFrame], Figure]
    takes_metric: bool = False
