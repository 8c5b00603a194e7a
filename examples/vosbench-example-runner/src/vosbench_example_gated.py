"""A gated model for VOSBench: colour histograms that skip pixels which look as they did.

The tracker says how one object gets through one frame; the walk over a sequence, for any number of
policies at once, several objects, and objects that come later is VOSBench's.
"""

import hashlib
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, max_pool2d
from vosbench.runners.interface import Path, RunnerSpec, WeightsInfo
from vosbench.runners.policy import Need
from vosbench.runners.tracker_runner import TrackerRunner

BINS, REACH = 12, 15  # shades per channel; pixels by which a mask may grow in a frame


@dataclass(frozen=True)
class State:  # of one object after a frame
    odds: torch.Tensor  # how much of each colour is the object's, learnt from its given mask
    colours: torch.Tensor  # of the last full frame, (H, W)
    mask: torch.Tensor  # in that frame, soft, (H, W)


@dataclass
class Match:  # of one object with a frame
    state: State
    colours: torch.Tensor
    changed: torch.Tensor  # pixels near the object that look otherwise than in the last full frame
    p_gate: torch.Tensor


@dataclass(frozen=True)
class Segment:
    match: Match
    probability: torch.Tensor
    full: bool
    trace = None


@dataclass(frozen=True)
class Competed:
    winner: torch.Tensor
    masks: torch.Tensor


def near(mask):
    """The mask grown by REACH pixels, (H, W)."""
    rows = max_pool2d(mask[None], (1, 2 * REACH + 1), 1, (0, REACH))
    return max_pool2d(rows, (2 * REACH + 1, 1), 1, (REACH, 0))[0] > 0.5


class HistogramTracker:
    cheap = Path.REUSE

    def features(self, image, spans):
        with spans("f8"):
            red, green, blue = image.long() * BINS // 256
            return (red * BINS + green) * BINS + blue

    def begin(self, colours, image, mask):
        inside, outside = (torch.bincount(colours[m], minlength=BINS**3) for m in (mask, ~mask))
        return State((inside + 0.1) / (inside + outside + 0.2), colours, mask.float())

    def match(self, colours, state, spans):
        around = near(state.mask)
        changed = (colours != state.colours) & around
        p_gate = 1 - changed.sum() / around.sum().clamp(min=1)
        return Match(state, colours, changed, p_gate)

    def delta(self, match, spans):
        return match.changed.float()

    def segment(self, match, path, spans):
        mask = match.state.mask
        if path is Path.REUSE:
            seen = match.state.odds[match.colours] * (mask > 0.5)
            return Segment(match, torch.where(match.changed, seen, mask), full=False)
        seen = avg_pool2d(match.state.odds[match.colours][None], 3, 1, 1)[0]
        return Segment(match, seen * near(mask), full=True)

    def compete(self, probabilities):
        best, which = probabilities.max(0)
        winner = torch.where(best > 0.5, which + 1, 0)
        ids = torch.arange(1, len(probabilities) + 1, device=winner.device)
        return Competed(winner, probabilities * (winner == ids[:, None, None]))

    def settle(self, segment, mask, spans):
        before = segment.match.state
        return State(before.odds, segment.match.colours, mask) if segment.full else before


class GatedHistogram(TrackerRunner):
    spec = RunnerSpec(
        "example-gated", "1", "colour histograms with a gate", takes_weights=False,
        paths=frozenset({Path.FULL, Path.REUSE, Path.COPY}), tells=frozenset(Need),
    )  # fmt: skip

    def __init__(self, options):
        self.weights = WeightsInfo("none", hashlib.sha256(b"").hexdigest(), trained=True)

    def tracker(self, device, precision):
        return HistogramTracker()
