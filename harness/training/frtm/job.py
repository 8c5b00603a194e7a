"""What a training of FRTM does in each stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import nn

from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm.sequences import (
    draw_sequences,
    full_losses,
    sequence_losses,
)
from vosbench.harness.training.frtm.steps import (
    Losses,
    draw_frames,
    draw_pairs,
    learning_modules,
    reuse_losses,
    segmentation_losses,
)
from vosbench.harness.training.frtm.validation import validate
from vosbench.harness.training.loop import TrainingJob
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import ReuseRecipe


@dataclass(frozen=True)
class FrtmJob(TrainingJob):
    """A training of FRTM."""

    network: FrtmNetwork

    def learning(self, reuse: ReuseRecipe | None) -> Iterable[nn.Module]:
        return learning_modules(self.network, reuse)

    def set_modes(self, reuse: ReuseRecipe | None) -> None:
        network = self.network
        network.eval()
        if reuse is None or self.recipe.joint:
            network.refiner.train()
        if reuse is None:
            return
        if isinstance(network, GatedFrtmNetwork) and network.refiner.Diff_process is not None:
            # The refiner keeps its batch statistics, whichever path a batch takes.
            for module in (network.refiner.Diff_process, network.Tmatching, network.convGS):
                module.train()

    def losses(self, moment: Moment, reuse: ReuseRecipe | None) -> Losses:
        recipe, network = self.recipe, self.network
        windows = Windows(recipe.window, recipe.mirror)
        if reuse is None and recipe.sequences:
            return full_losses(network, draw_sequences(self.pool, moment, windows), recipe.soft_iou)
        if reuse is None:
            frames = draw_frames(self.pool, moment, windows)
            return segmentation_losses(network, frames, recipe.soft_iou)
        assert isinstance(network, GatedFrtmNetwork)  # learning_modules has refused others
        if recipe.sequences:
            sequences = draw_sequences(self.pool, moment, windows)
            return sequence_losses(network, sequences, reuse, moment.progress, recipe.soft_iou)
        drawn = draw_pairs(self.pool, moment, reuse.gaps, windows)
        return reuse_losses(network, drawn, reuse, moment, soft_iou=recipe.soft_iou)

    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        gaps = () if reuse is None else reuse.gaps
        statistics = self.pool.statistics  # those that the network's input has been scaled by
        return validate(self.network, pool, statistics, gaps, self.recipe.autocast).as_series()
