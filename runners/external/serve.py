"""A registered model as the child of ``subprocess:CONFIG.toml``, run by another environment.

``PYTHON -m vosbench.runners.external.serve MODEL --config > model.toml`` writes the config, with
that Python in it; so two versions of one code base, each installed in an environment of its own,
are two models of one ``vosbench run``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.runners.external.child.vosbench_child import serve
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    Path,
    Precision,
    Runner,
    RunnerOptions,
    no_spans,
)
from vosbench.runners.registry import Model, resolve


class ServedModel:
    """What :func:`vosbench_child.serve` asks, answered by a runner of this environment."""

    def __init__(self, model: Model, weights: str | None) -> None:
        self._model = model
        self._weights = weights

    def load(self, settings: Mapping[str, Any]) -> None:
        """Build the runner and load its weights."""
        tau = settings["tau"]
        options = RunnerOptions(
            weights=self._weights,
            tau=None if tau is None else Decimal(tau),
            seed=settings["seed"],
            switches=settings["switches"],
        )
        self._device = torch.device(settings["device"])
        self._runner: Runner = self._model.steered(options)
        self._runner.load(self._device, Precision(settings["precision"]))

    def start(self, clip: Mapping[str, Any]) -> None:
        """Begin a clip."""
        self._runner.start(ClipInfo(clip["name"], clip["height"], clip["width"], clip["frames"]))

    def add_objects(
        self, index: int, image: NDArray[np.uint8], masks: Mapping[int, NDArray[np.bool_]]
    ) -> None:
        """Begin objects."""
        given = {i: torch.from_numpy(mask).to(self._device) for i, mask in masks.items()}
        self._runner.add_objects(self._frame(index, image), given)

    def step(
        self, index: int, image: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], dict[int, tuple[str, float | None]]]:
        """Labels (H, W), and the path and p_gate of each object that was there before."""
        step = self._runner.step(self._frame(index, image), no_spans)
        labels: NDArray[np.uint8] = step.labels.cpu().numpy()
        told = {o.id: (o.path.value, o.p_gate) for o in step.objects if o.path is not Path.INIT}
        return labels, told

    def _frame(self, index: int, image: NDArray[np.uint8]) -> Frame:
        pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return Frame(index, pixels.to(self._device))


def served(name: str) -> Model:
    """The model of that name; raises InputError where the pipe lacks what it needs."""
    model = resolve(name)
    if model.spec.needs_truth:
        raise InputError(f"{name} decides by annotated masks, which another process isn't given")
    return model


def config_text(model: Model, weights: str | None, files: tuple[str, ...]) -> str:
    """The config that lets another environment run ``model`` of this one.

    Args:
        model: of this environment.
        weights: as ``--weights``; None for shipped ones.
        files: patterns of code and weights, from the folder of the config.

    Raises:
        InputError: the model can't be built.
    """
    spec = model.spec
    info = model.build(RunnerOptions(weights=weights)).weights
    command = [sys.executable, "-m", "vosbench.runners.external.serve", model.name]
    if weights is not None:
        is_random = weights.startswith("random")
        command += ["--weights", weights if is_random else str(FilePath(weights).absolute())]
    values: dict[str, Any] = {
        "command": command,
        "files": list(files),
        "version": f"{spec.version} {info.name} {info.sha256[:12]}",
        "paths": sorted(path.value for path in spec.paths if path is not Path.INIT),
        "multi_object": spec.multi_object,
        "takes_tau": spec.takes_tau,
        "trained": info.trained,
        "note": info.note,
    }
    # JSON's strings, lists and booleans are TOML's as well.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def main() -> None:
    """Answer on stdin and stdout, or write the config."""
    parser = argparse.ArgumentParser(prog="python -m vosbench.runners.external.serve")
    parser.add_argument("model", help="name of a model of this environment")
    parser.add_argument("--weights", help="as of `vosbench run`")
    parser.add_argument("--config", action="store_true", help="write CONFIG.toml to stdout")
    parser.add_argument("--files", nargs="*", default=(), help="patterns of code, with --config")
    arguments = parser.parse_args()
    try:
        model = served(arguments.model)
        if arguments.config:
            print(config_text(model, arguments.weights, tuple(arguments.files)), end="")
            return
    except InputError as error:
        sys.exit(f"vosbench: {error}")
    serve(ServedModel(model, arguments.weights))


if __name__ == "__main__":
    main()
