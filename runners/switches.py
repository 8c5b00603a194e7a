"""Points where the paper and the published code disagree; each is a switch, by name.

The code's behaviour is the default, since the published numbers came from it. What was taken is
recorded with every result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vosbench.baselines.errors import InputError, suggestion


@dataclass(frozen=True)
class Switch:
    """One disagreement; ``stage`` says whether it acts when testing, training or reporting."""

    stage: str
    paper: str
    code: str


SWITCHES: Mapping[str, Switch] = {
    "comparison": Switch("test", "reuse when P_gate ≥ τ", "reuse when P_gate > τ"),
    "iou-reference": Switch(
        "test", "g-IoU compares adjacent frames", "g-IoU compares with the last full frame"
    ),
    "margin-m1": Switch(
        "train", "P_target = max(m, IoU)", "the clamp's result is thrown away: m1 has no effect"
    ),
    "gate-loss": Switch(
        "train",
        "max(m2, |P − P_target|)²",
        "mean of relu(|P − target| − m2)² over both softmax outputs",
    ),
    "gate-choice": Switch(
        "train", "P_gate against 0.5", "the hard argmax of the two softmax outputs"
    ),
    "clip-sampling": Switch(
        "train", "consecutive frames", "one random start frame and random other frames"
    ),
    "reuse-rate": Switch(
        "report",
        "reused / tracked frames, the first frame left out",
        "the first frame counts as reused",
    ),
}


def switch(name: str, taken: Mapping[str, str]) -> str:
    """``"paper"`` or ``"code"`` for one switch."""
    return taken.get(name, "code")


def checked_switches(given: Mapping[str, str]) -> dict[str, str]:
    """Validate switches given by a person; raises InputError for unknown names and values."""
    for name, value in given.items():
        if name not in SWITCHES:
            raise InputError(f"unknown switch '{name}'{suggestion(name, SWITCHES)}")
        if value not in ("paper", "code"):
            raise InputError(f"switch {name}={value}: the value is 'paper' or 'code'")
    return dict(given)
