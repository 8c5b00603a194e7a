"""A dataset, and the part of it that one evaluation takes."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import plain_name
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.layout import composed
from vosbench.harness.datasets.manifest import ContentHash, file_sha256, manifest_sha256
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.datasets.protocols import Protocol, choose
from vosbench.harness.text import parse_names


@dataclass(frozen=True)
class DatasetSpec:
    """What a dataset is, known before it is opened.

    Attributes:
        name: the name under which it is registered.
        protocol: the name of its protocol, ``davis16-val@1``; the default, where it has several.
        summary: one line for ``vosbench datasets``.
        root_name: name under which its folder is found and remembered; "" if it needs none.
        folders: names that its folder may have inside ``VOSBENCH_DATA``.
        markers: paths inside its folder, one of which must exist.
        argument: what may follow the name and a colon: "DIR", "LIST" or "" for nothing.
    """

    name: str
    protocol: str
    summary: str
    root_name: str = ""
    folders: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    argument: str = ""


@dataclass(frozen=True)
class Dataset:
    """An opened dataset: the names of its clips, and how to build each.

    Attributes:
        name: as it was asked for.
        protocol: what its numbers mean.
        root: its folder.
        sequences: names of its clips, in the order of its list.
        build: reads one clip's file names, size, and the objects that its masks show; raises
            InputError if it is damaged.
        choices: the protocols that it can be scored by, where there are several.
        unscorable: why it cannot be scored here, None if it can.
        content_hash: what of a file goes into the manifest: its bytes, unless said otherwise.
        audit: further defects of a clip, one line each, for ``vosbench data check``.
    """

    name: str
    protocol: Protocol
    root: Path
    sequences: tuple[str, ...]
    build: Callable[[str], Clip]
    choices: tuple[Protocol, ...] = ()
    unscorable: str | None = None
    content_hash: ContentHash = file_sha256
    audit: Callable[[Clip], Iterable[str]] = lambda _: ()

    def __post_init__(self) -> None:
        """Refuse sequences whose names can't be seen."""
        for name in self.sequences:
            plain_name(name, f"{self.root}: sequence")

    def clip(self, name: str) -> Clip:
        """The clip of that name, with the protocol's objects; InputError if there is none."""
        name = composed(name)
        if name not in self.sequences:
            near = difflib.get_close_matches(name, self.sequences, n=1, cutoff=0.4)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"{self.name} has no sequence {name!r}{meant}")
        return self.protocol.objects(self.build(name))

    def plan(self, clip: Clip) -> ScoringPlan:
        """What is scored in one of the clips; nothing, with the reason, where nothing can be."""
        plan = self.protocol.plan(clip)
        return plan if self.unscorable is None else plan.unscorable(self.unscorable)

    def under(self, protocol: str | None) -> Dataset:
        """The same clips by another of ``choices``; InputError for one that isn't among them."""
        choices = (self.protocol, *self.choices)
        return replace(self, protocol=choose(self.name, choices, protocol))

    @property
    def clips(self) -> Iterator[Clip]:
        """All clips, each built when its turn comes."""
        return (self.clip(name) for name in self.sequences)

    def named(self, texts: Iterable[str] | None) -> tuple[str, ...] | None:
        """Sequences from comma lists, None for all; a name that holds commas stays whole."""
        if not texts:
            return None
        return parse_names(texts, lambda name: composed(name) in self.sequences)

    def select(
        self, sequences: Sequence[str] | None = None, max_frames: int | None = None
    ) -> SelectedSequences:
        """Some sequences (None: all), cut after ``max_frames`` frames (None: whole).

        Raises:
            InputError: an unknown or repeated sequence, or a cut below one frame.
        """
        if max_frames is not None and max_frames < 1:
            raise InputError(f"max_frames is {max_frames}; a sequence has at least one frame")
        names = self.sequences if sequences is None else tuple(map(composed, sequences))
        for name in names:
            if name not in self.sequences:
                self.clip(name)
            if names.count(name) > 1:
                raise InputError(f"sequence {name} is selected twice: name it once")
        if not names:
            raise InputError(f"no sequence of {self.name} is selected: name at least one")
        return SelectedSequences(self, names, max_frames)


@dataclass(frozen=True)
class SelectedSequences:
    """The clips of one evaluation."""

    dataset: Dataset
    sequences: tuple[str, ...]
    max_frames: int | None

    @property
    def clips(self) -> Iterator[Clip]:
        """The clips in order, each built when its turn comes."""
        return (self.clip(name) for name in self.sequences)

    def clip(self, name: str) -> Clip:
        """The clip of that name, cut as selected."""
        return self.dataset.clip(name).cut(self.max_frames)

    @cached_property
    def manifest_sha256(self) -> str:
        """Hash of the selected frames, annotations and object ids; equal hash, equal input."""
        return manifest_sha256(self.clips, self.dataset.content_hash)


class DatasetFactory(typing.Protocol):
    """What the entry-point group ``vosbench.datasets`` names."""

    @property
    def spec(self) -> DatasetSpec:
        """What the dataset is."""

    def __call__(self, root: Path | None, argument: str | None, /) -> Dataset:
        """Open it.

        ``root`` is its folder (None if the spec's ``root_name`` is ""), ``argument`` what
        followed the name and a colon. Raises InputError if the folder does not hold it.
        """


@dataclass(frozen=True)
class SplitFactory:
    """The factory of one split of a dataset that lies in a folder.

    Attributes:
        open: opens it by its registered name, its folder and the split.
    """

    spec: DatasetSpec
    split: str
    open: Callable[[str, Path, str], Dataset]

    def __call__(self, root: Path | None, _argument: str | None, /) -> Dataset:
        """See :class:`DatasetFactory`."""
        if root is None:
            raise TypeError(f"{self.spec.name} is opened from a folder")
        opened = self.open(self.spec.name, root, self.split)
        # Building may read every annotation of a clip, and a clip is asked for more than once.
        return replace(opened, build=lru_cache(maxsize=64)(opened.build))
