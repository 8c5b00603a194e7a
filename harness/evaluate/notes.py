"""What has to be said with a result: why there is no score, what was taken for an object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vosbench.harness.datasets.dataset import SelectedSequences
from vosbench.harness.trials import ClipResult

_NAMED = 3


def unscored(selection: SelectedSequences) -> dict[str, str]:
    """Why there is no J&F, of all sequences or of some; empty where all have one."""
    plans = {clip.name: selection.dataset.plan(clip) for clip in selection.clips}
    reasons = {name: plan.unscored for name, plan in plans.items() if plan.unscored is not None}
    if not reasons:
        return {}
    name, reason = next(iter(reasons.items()))
    many = f"{len(reasons)} of {len(plans)} sequences have no score: " if len(plans) > 1 else ""
    return {"unscored": f"{many}{name}: {reason}"}


def remarks(selection: SelectedSequences, clips: Sequence[ClipResult]) -> dict[str, str]:
    """What may surprise in the sequences or the masks, in a line; empty where nothing does."""
    one = [clip.name for clip in selection.clips if clip.binary]
    lines = []
    if one:
        lines.append(f"the masks of {_listed(one)} hold 0 and 255 alone: 255 is one object")
    for value, what in ((0.0, "nowhere"), (1.0, "the whole picture")):
        found = [
            f"{clip.sequence} {object_id}"
            for clip in clips
            for object_id, metrics in clip.object_metrics.items()
            # An object that is rightly nowhere is no surprise.
            if metrics.get("constant_mask") == value and metrics.get("j_mean") != 1
        ]
        if found:
            lines.append(f"predicted {what} in every frame after the first: {_listed(found)}")
    lost = [clip.sequence for clip in clips if clip.metrics.get("frames_not_finite")]
    if lost:
        lines.append(
            f"NaN or infinity in the model's output, whose masks mean nothing: {_listed(lost)}"
        )
    return {"remarks": "; ".join(lines)} if lines else {}


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    more = len(known) - _NAMED
    return ", ".join(known[:_NAMED]) + (f" and {more} more" if more > 0 else "")
