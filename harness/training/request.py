"""What a person asks to be trained: recipe, data by the names of its folders, and where to start.

A request is also what a recipe's file holds, as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from vosbench.baselines.checkpoints import hash_tensors, read_checkpoint
from vosbench.baselines.errors import InputError, suggestion
from vosbench.baselines.files import SETTINGS_BYTES, read_text
from vosbench.baselines.parsing import parse_json
from vosbench.baselines.records import record
from vosbench.harness.datasets import registry
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.training.assemble import TrainingData
from vosbench.harness.training.changes import Change, put
from vosbench.harness.training.data.clips import ClipSource
from vosbench.harness.training.data.synthetic import SyntheticConfig
from vosbench.harness.training.data.videos import VideoClips
from vosbench.harness.training.recipe import Recipe, StageRecipe

_DAVIS_VAL = (
    "bike-packing blackswan bmx-trees breakdance camel car-roundabout car-shadow cows "
    "dance-twirl dog dogs-jump drift-chicane drift-straight goat gold-fish horsejump-high india "
    "judo kite-surf lab-coat libby loading mbike-trick motocross-jump paragliding-launch parkour "
    "pigs scooter-black shooting soapbox"
)
"""Validation sequences of DAVIS 2016 and 2017."""
_LEAST_SIDE = 32
MOST_NAMED = 3
"""Folders that a table has room for."""


@dataclass(frozen=True)
class Folder:
    """A folder of training data, and how often it is drawn from beside the others."""

    path: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise InputError(f"{self.path}: its weight is {self.weight:g}, not above 0")


@dataclass(frozen=True)
class DataRequest:
    """Where clips come from.

    Attributes:
        pictures: folders with ``images/`` and ``masks/``.
        davis: folders in the layout of DAVIS; their train lists are used.
        ytvos: folders in the layout of YouTube-VOS; their ``train/`` is used.
        motion: weight of the built-in generator; 0 for none.
        height, width, frames: of every clip.
        consecutive: frames of videos follow each other (paper); else one random first frame and
            random others (code).
        leaps: how often the next frame of a clip is not the next but a later one.
        twins: how often a picture's object has a twin about, which is not the object.
        fresh: new clips a step, made by worker processes while training goes on; 0 draws a fixed
            number once.
        validation: folder of real sequences in DAVIS' layout, scored beside the held-out clips.
        real_clips: how many clips of these.
        cached: keep encoded clips in files, and learn from them again and again; else each step
            takes new ones, which workers draw and the device encodes.
        epoch: how many clips are an epoch, where stages are given in epochs.
    """

    pictures: tuple[Folder, ...] = ()
    davis: tuple[Folder, ...] = ()
    ytvos: tuple[Folder, ...] = ()
    motion: float = 0.0
    height: int = 256
    width: int = 448
    frames: int = 10
    consecutive: bool = False
    leaps: float = 0.0
    twins: float = 0.0
    fresh: float = 0.0
    validation: str | None = None
    real_clips: int = 24
    cached: bool = True
    epoch: int = 0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < _LEAST_SIDE:
            raise InputError(f"clips of {self.height}x{self.width} are too small to train on")
        if self.frames < 2:
            raise InputError(f"clips of {self.frames} frame: training needs 2 at least")
        if not 0 <= self.leaps <= 1:
            raise InputError(f"leaps of {self.leaps:g}: how often a frame leaps is from 0 to 1")
        if not 0 <= self.twins <= 1:
            raise InputError(f"twins of {self.twins:g}: how often there is one is from 0 to 1")
        if not 0 <= self.fresh < float("inf"):
            raise InputError(f"{self.fresh:g} fresh clips a step: it can't be below 0")
        if not 0 <= self.motion < float("inf"):
            raise InputError(f"the weight of motion is {self.motion:g}; it can't be below 0")
        if self.fresh and not self.cached:
            raise InputError("fresh clips are kept in files: give either fresh or cached=false")

    def open(self) -> TrainingData:
        """Open all folders.

        Raises:
            InputError: a missing or empty folder, none at all, or sequences that results are
                measured on.
        """
        for folder in self.pictures:
            path = Path(folder.path)
            if not (path.is_dir() or (path.parent / "images").is_dir()):
                raise InputError(f"{folder.path}: no such folder of pictures")
        videos = [(f.weight, self._videos(_davis(Path(f.path)))) for f in self.davis]
        videos += [
            (f.weight, self._videos(registry.open("ytvos19-train", Path(f.path))))
            for f in self.ytvos
        ]
        clips = SyntheticConfig(
            self.height, self.width, self.frames, leaps=self.leaps, twins=self.twins
        )
        pictures = tuple((f.weight, Path(f.path)) for f in self.pictures)
        return TrainingData(
            pictures,
            tuple(videos),
            self.motion,
            clips,
            None if self.validation is None else Path(self.validation),
            self.real_clips,
            self.fresh,
            live=not self.cached,
        )

    def _videos(self, dataset: Dataset) -> ClipSource:
        return VideoClips(dataset, (self.height, self.width), self.frames, self.consecutive)

    def in_words(self) -> str:
        """``pictures ecssd, davis DAVIS``: what a table has room for."""
        named = [
            f"{kind} {Path(folder.path).resolve().name}"
            for kind in ("pictures", "davis", "ytvos")
            for folder in getattr(self, kind)
        ]
        if len(named) > MOST_NAMED:
            named = [*named[:MOST_NAMED], f"{len(named) - MOST_NAMED} more"]
        return ", ".join([*named, *(["motion"] if self.motion else [])])


@dataclass(frozen=True)
class TrainingRequest:
    """A training, as it is asked for.

    Attributes:
        start: checkpoint whose weights are taken over.
        backbone: file of the backbone's weights; None for where ImageNet weights usually are.
    """

    recipe: Recipe
    data: DataRequest = field(default_factory=DataRequest)
    start: str | None = None
    backbone: str | None = None

    def check(self, *, gated: bool) -> None:
        """Raise InputError for a second stage without a gate, or a start that isn't there."""
        if self.recipe.reuse is not None and not gated:
            model = self.recipe.model
            raise InputError(f"{model} has no gate, so it has no second stage: train g-{model}")
        if self.start is not None and not Path(self.start).is_file():
            raise InputError(f"no checkpoint at {self.start}: give --start a trained one's file")

    def to_json(self) -> str:
        """All fields, as :func:`read_request` reads them."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    def counted(self) -> TrainingRequest:
        """The request with the steps of stages that are given in epochs.

        Raises:
            InputError: the data doesn't say how many clips an epoch is.
        """
        recipe = self.recipe
        first, reuse = recipe.segmentation, recipe.reuse
        if first is not None:
            first = self._counted(first)
        if reuse is not None:
            reuse = replace(reuse, stage=self._counted(reuse.stage))
        return replace(self, recipe=replace(recipe, segmentation=first, reuse=reuse))

    def _counted(self, stage: StageRecipe) -> StageRecipe:
        if stage.epochs is None:
            return stage
        if self.data.epoch < 1:
            raise InputError("a stage is given in epochs: say how many clips that is, data.epoch=N")
        return replace(stage, steps=math.ceil(stage.epochs * self.data.epoch / stage.batch))


SHIPPED = Path(__file__).with_name("recipes")
"""Folder of the recipes that come with the package, ``NAME.json``."""


def recipe_file(name: str) -> Path:
    """A recipe's file: a path, or the name of a shipped recipe.

    Raises:
        InputError: neither; it names those that are shipped.
    """
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.json"))}
    if name in shipped:
        return shipped[name]
    if not Path(name).exists():
        raise InputError(
            f"{name}: no such file, and no shipped recipe{suggestion(name, shipped)}: there are "
            f"{', '.join(shipped)}"
        )
    return Path(name)


def read_request(
    path: Path,
    kind_of: Callable[[str], type[Recipe]],
    model: str | None = None,
    changes: Sequence[Change] = (),
) -> TrainingRequest:
    """Read a request, a bare recipe, or the one in a checkpoint's header.

    Args:
        kind_of: the kind of recipe of a model.
        model: what is trained where the recipe names no model.
        changes: made before values are checked; see :func:`request_of`.

    Raises:
        InputError: no such file, no JSON, or fields that a request doesn't have.
    """
    values = parse_json(_text(path), str(path))
    if not isinstance(values, dict):
        raise InputError(f"{path} holds no recipe: `vosbench train --write-recipe` writes one")
    if "recipe" not in values:
        values = {"recipe": values}
    if model is not None and isinstance(values["recipe"], dict):
        values["recipe"].setdefault("model", model)
    return request_of(values, kind_of, changes, str(path))


def request_of(
    values: dict[str, Any],
    kind_of: Callable[[str], type[Recipe]],
    changes: Sequence[Change],
    place: str,
) -> TrainingRequest:
    """A request from plain values and changes of them, of which every mistake is named.

    A change's key is the way to a field through the request, such as ``data.frames``; what is no
    field of the request is one of its recipe, such as ``reuse.gate.m1``.
    """
    known = {known.name for known in fields(TrainingRequest)}
    for key, value in changes:
        put(values, key if key.partition(".")[0] in known else f"recipe.{key}", value)
    recipe = values.pop("recipe")
    model = recipe.get("model") if isinstance(recipe, dict) else None
    if not isinstance(model, str):
        raise InputError(f"{place}: the recipe names no model")
    made = record(kind_of(model), recipe, f"{place}: recipe")
    return record(TrainingRequest, values, place, recipe=made)


def _text(path: Path) -> str:
    if path.suffix == ".safetensors" and path.is_file():
        return read_checkpoint(path).header.get("recipe", "{}")
    return read_text(path, "a recipe", SETTINGS_BYTES)


def _davis(root: Path) -> Dataset:
    by_object = any(root.glob("ImageSets/2017/train.txt")) or any(
        root.glob("*/ImageSets/2017/train.txt")
    )
    if not root.is_dir():
        raise InputError(f"{root}: no such folder of DAVIS: name yours with --davis DIR")
    try:
        dataset = registry.open("davis17-train" if by_object else "davis16-train", root)
    except InputError as error:
        raise InputError(
            f"{root} holds no train list of DAVIS (ImageSets/2017/train.txt or 2016): validation "
            "sequences are never trained on"
        ) from error
    _refuse_validation(dataset.sequences, root)
    return dataset


def _refuse_validation(names: Iterable[str], root: Path) -> None:
    taken = sorted(set(_DAVIS_VAL.split()).intersection(names))
    if taken:
        raise InputError(
            f"{root}: its train list holds sequences of the validation set ({', '.join(taken[:3])})"
            ", on which results are measured: take them out"
        )


def start_sha256(request: TrainingRequest) -> str | None:
    """Hash of the tensors that a training starts from; None where they are drawn."""
    if request.start is None:
        return None
    return hash_tensors(read_checkpoint(Path(request.start)).tensors)
