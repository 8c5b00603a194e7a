"""``subprocess:CONFIG.toml``: a model in an environment of its own, behind the one interface."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import user_path
from vosbench.runners.external.child import vosbench_child
from vosbench.runners.external.child.vosbench_child import PROTOCOL, Message, pack
from vosbench.runners.external.config import SubprocessConfig, read_config
from vosbench.runners.external.pipe import Child
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerOptions,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Subprocess:
    """The factory of one config; without one, what ``vosbench models`` lists."""

    spec: RunnerSpec
    config: SubprocessConfig | None = None

    def bind(self, argument: str) -> Subprocess:
        """The factory for a config file; raises InputError if it can't be read or is wrong."""
        config = read_config(user_path(argument))
        return replace(self, spec=config.spec(), config=config)

    def __call__(self, options: RunnerOptions) -> SubprocessRunner:
        """Build the runner; the child starts when it is loaded."""
        if self.config is None:
            raise InputError("subprocess needs a config: write subprocess:CONFIG.toml")
        return SubprocessRunner(self.spec, self.config, options)


SUBPROCESS = Subprocess(
    RunnerSpec(
        name="subprocess",
        version="1",
        summary="subprocess:CONFIG.toml, a model in an environment of its own",
        takes_weights=False,
        argument="CONFIG.toml",
    )
)


class SubprocessRunner:
    """Hands frames to a child and takes its label maps; see docs/subprocess-runner.md."""

    def __init__(self, spec: RunnerSpec, config: SubprocessConfig, options: RunnerOptions) -> None:
        self.spec = spec
        self._config = config
        self._options = options
        self.weights = WeightsInfo(
            config.path.name, config.sha256(), trained=config.trained, note=config.note
        )
        self._child: Child | None = None
        self._device: torch.device | None = None
        self._new = False

    def load(self, device: torch.device, precision: Precision) -> None:
        """Start the child and let it load its weights; raises InputError or ChildFault."""
        self._device = device
        self.close()
        if self._config.takes_tau and self._options.tau is None:
            raise InputError(f"{self._config.path.name} needs a threshold: give --tau, e.g. 0.7")
        self._child = Child(self._config.command, self._config.folder, _environment(self._config))
        tau = self._options.tau
        settings = {
            "device": str(device),
            "precision": str(precision),
            "seed": self._options.seed,
            "tau": None if tau is None else str(tau),
            "switches": dict(self._options.switches),
        }
        said = {"do": "load", "protocol": PROTOCOL, **settings}
        self._ask(said, self._config.timeouts.load_s, "loading")

    def start(self, clip: ClipInfo) -> None:
        """Tell the child of the clip."""
        self._new = False
        known = {"name": clip.name, "height": clip.height, "width": clip.width}
        said = {"do": "start", **known, "frames": clip.frames}
        self._ask(said, self._config.timeouts.first_frame_s, f"starting {clip.name}")

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Send the frame and the masks."""
        self._new = True
        planes = [mask.cpu().numpy().astype(np.uint8) for mask in masks.values()]
        said = {"do": "add", "frame": frame.index, "ids": list(masks)}
        timeout_s = self._config.timeouts.first_frame_s
        doing = f"adding objects in frame {frame.index}"
        self._ask(said, timeout_s, doing, _pixels(frame), *planes)

    def step(self, frame: Frame, spans: Spans) -> Step:  # noqa: ARG002 - stages are the child's own
        """Send the frame, take its labels and what the child says of each object."""
        import torch

        limits = self._config.timeouts
        timeout_s = limits.first_frame_s if self._new else limits.step_s
        self._new = False
        said = {"do": "step", "frame": frame.index}
        header, body = self._ask(said, timeout_s, f"in frame {frame.index}", _pixels(frame))
        height, width = frame.image.shape[1:]
        if len(body) != height * width:
            raise RuntimeError(
                f"the child's answer in frame {frame.index} has {len(body)} bytes of labels for "
                f"{width}x{height} pixels"
            )
        labels = torch.from_numpy(np.frombuffer(body, np.uint8).reshape(height, width).copy())
        return Step(labels.to(self._device), _told(header, frame.index))

    def close(self) -> None:
        """End the child; it is ended as well when this object goes or the program exits."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _ask(
        self, said: dict[str, Any], timeout_s: float, doing: str, *arrays: NDArray[np.uint8]
    ) -> Message:
        if self._child is None:
            raise RuntimeError("the child isn't running: call load() first")
        return self._child.ask(pack(said, *arrays), timeout_s, doing)


def _environment(config: SubprocessConfig) -> dict[str, str]:
    """This process's environment, the config's, and the helper module on the path."""
    env = {**os.environ, **config.env}
    paths = [str(FilePath(vosbench_child.__file__).parent), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return env


def _pixels(frame: Frame) -> NDArray[np.uint8]:
    """A frame as uint8 RGB (H, W, 3)."""
    pixels: NDArray[np.uint8] = frame.image.permute(1, 2, 0).cpu().numpy()
    return pixels


def _told(header: Mapping[str, Any], t: int) -> tuple[ObjectStep, ...]:
    try:
        return tuple(
            ObjectStep(int(o["id"]), Path(o["path"]), o["p_gate"]) for o in header["objects"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RuntimeError(
            f"the child's answer in frame {t} doesn't tell of its objects: "
            f"{type(error).__name__}: {error}"
        ) from error
