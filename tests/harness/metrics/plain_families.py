"""The figures of MOSEv2, LVOS, VOST and SA-V by the words of their rules, on whole masks.

What the product is tested against; it knows nothing of it. Masks are bool (H, W) by frame and id.
"""

from __future__ import annotations

import math
from itertools import groupby

import cv2
import numpy as np
from plain_scoring import plain_boundary, plain_decay, plain_f, plain_j

Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
Frames = list[dict[int, Mask]]
Figures = dict[str, float | None]


def mask(frames: Frames, t: int, object_id: int) -> Mask:
    like = next(iter(frames[0].values()))
    return frames[t].get(object_id, np.zeros_like(like))


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def half(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else (a + b) / 2


def disc_f(truth: Mask, predicted: Mask, radius: float) -> float:
    """F with a disc laid out from -radius in steps of 1, which may lie off the centre."""
    steps = np.arange(-radius, radius + 1)
    disc = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.uint8)
    edges = [plain_boundary(m).astype(np.uint8) for m in (truth, predicted)]
    near = [cv2.dilate(edge, disc) for edge in edges]
    lengths = [int(edge.sum()) for edge in edges]
    if 0 in lengths:
        return float(lengths == [0, 0])
    recall = (edges[0] * near[1]).sum() / lengths[0]
    precision = (edges[1] * near[0]).sum() / lengths[1]
    return 0.0 if recall + precision == 0 else float(2 * recall * precision / (recall + precision))


def mosev2(truth: Frames, predicted: Frames, ids: list[int]) -> Figures:
    objects = []
    for i in ids:
        rows = []
        for t in range(1, len(truth) - 1):
            a, b = mask(truth, t, i), mask(predicted, t, i)
            j = ((a & b).sum() + 1) / ((a | b).sum() + 1)
            wide = 0.008 * float(np.linalg.norm(a.shape))
            narrow = math.ceil(math.sqrt(int(a.sum())) * 0.1)
            small = a.any() and narrow < wide
            f = disc_f(a, b, float(math.ceil(wide)) if small else wide)
            rows.append((j, f, disc_f(a, b, float(narrow)) if small else f, not a.any()))
        own: Figures = {n: mean([r[k] for r in rows]) for k, n in enumerate(("J", "F", "F_new"))}
        runs: dict[str, list[list[tuple[float, float, float, bool]]]] = {
            "disappear": [],
            "reappear": [],
        }
        for place, (gone, run) in enumerate(groupby(rows, key=lambda row: row[3])):
            if place:
                runs["disappear" if gone else "reappear"].append(list(run))
        for kind, found in runs.items():
            own[f"{kind}_J"] = mean([mean([r[0] for r in run]) or 0.0 for run in found])
            own[f"{kind}_F_new"] = mean([mean([r[2] for r in run]) or 0.0 for run in found])
        objects.append(own)
    total = {n: mean([v for o in objects if (v := o[n]) is not None]) for n in objects[0]}
    total["J&F"] = half(total["J"], total["F"])
    for kind in ("", "disappear_", "reappear_"):
        total[f"{kind}J&F_new"] = half(total[f"{kind}J"], total[f"{kind}F_new"])
    return total


def lvos(
    truth: Frames, predicted: Frames, counted: dict[int, list[int]], unseen: set[int]
) -> Figures:
    """``unseen`` are ids here, as if each object were of a sequence of its own."""
    groups: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    for i, frames in counted.items():
        js = [plain_j(mask(truth, t, i), mask(predicted, t, i)) for t in frames]
        fs = [plain_f(mask(truth, t, i), mask(predicted, t, i)) for t in frames]
        both = [(j + f) / 2 for j, f in zip(js, fs, strict=True)]
        centre = sum(both) / len(both)
        variance = sum((x - centre) ** 2 for x in both) / len(both)
        row = (sum(js) / len(js), sum(fs) / len(fs), math.sqrt(round(variance, 4)))
        groups[i in unseen].append(row)
    total: Figures = {}
    for k, letter in enumerate("JFV"):
        seen, other = (mean([row[k] for row in groups[g]]) for g in (False, True))
        total |= {f"{letter}-seen-Mean": seen, f"{letter}-unseen-Mean": other}
        total[f"{letter}-Mean"] = half(seen, other)
    total["J&F-Mean"] = half(total["J-Mean"], total["F-Mean"])
    return total


def vost(truth: Frames, predicted: Frames, annotated: list[int]) -> Figures:
    """``annotated`` are the frames with an annotation; the first one says which ids count."""
    largest = max(i for i, m in truth[annotated[0]].items() if m.any())
    names = [f"{j}-{what}" for j in ("J", "J_last") for what in ("Mean", "Recall", "Decay")]
    rows = []
    for i in range(1, largest + 1):
        js = [plain_j(mask(truth, t, i), mask(predicted, t, i)) for t in annotated[1:-1]]
        row = []
        for part in (js, js[math.floor(0.75 * len(js)) :]):
            share = sum(j > 0.5 for j in part) / len(part)
            row += [sum(part) / len(part), share, plain_decay(part)]
        rows.append(row)
    return {name: mean([row[k] for row in rows]) for k, name in enumerate(names)}


def sav(truth: Frames, predicted: Frames, own: dict[int, list[int]]) -> Figures:
    """``own`` are each object's annotated frames."""
    js, fs = [], []
    for i, annotated in own.items():
        pairs = [(mask(truth, t, i), mask(predicted, t, i)) for t in annotated[1:-1]]
        while not (pairs[0][0].any() or pairs[0][1].any()):
            pairs.pop(0)
        js.append(sum(plain_j(*pair) for pair in pairs) / len(pairs))
        fs.append(sum(plain_f(*pair) for pair in pairs) / len(pairs))
    return {"J": mean(js), "F": mean(fs), "J&F": half(mean(js), mean(fs))}
