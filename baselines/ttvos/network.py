"""TTVOS: template matching and a short-term branch, decoded to full size.

Park et al., TTVOS (2020), reference [25] of the paper. The functions take and give values
(:mod:`vosbench.baselines.ttvos.state`); a network holds no state of a clip. One frame is

    features → match → segment_full → aggregate (over objects) → advance

All but the features take N objects at once, a row each. A batch may differ from its members one by
one in the last bits, as kernels are chosen by size; who batches decides that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vosbench.baselines.ttvos.backbone import make_ttvos_backbone
from vosbench.baselines.ttvos.modules import (
    Refine,
    TtvosTemplateGenerator,
    TtvosTemplateMatching,
    with_places,
)
from vosbench.baselines.ttvos.padding import Padding
from vosbench.baselines.ttvos.state import (
    MatchedObjects,
    ObjectState,
    Segmentation,
    TtvosFeatures,
    first_masks,
    shifted_masks,
)


@dataclass(frozen=True)
class TtvosConfig:
    """What distinguishes the models of the family.

    Attributes:
        backbone: a name of :func:`vosbench.baselines.backbones.make_backbone`; gives C4, C8, C16.
        short_term: channels of the short-term map.
        width: channels of u16 and the decoder.
        gated: with reuse modules.
        translator: "published" (dense) or "light"; see
            :data:`vosbench.baselines.frtm.refiner.TRANSLATORS`.
    """

    backbone: str
    short_term: int = 256
    width: int = 128
    gated: bool = False
    translator: str = "published"


class TtvosLayers(nn.Module):
    """The layers under their published names."""

    def __init__(self, config: TtvosConfig) -> None:
        super().__init__()
        self.backbone = make_ttvos_backbone(config.backbone)
        c4, c8, c16, _ = self.backbone.spec.channels
        self.refine = Refine(c4, c8, c16, config.short_term, config.width)
        self.gcm = TtvosTemplateGenerator(c8)
        self.gcq = TtvosTemplateMatching(c8)


class Ttvos(nn.Module):
    """TTVOS; keys of the state dict are the published ones, ``vos.backbone.…`` and so on."""

    def __init__(self, config: TtvosConfig) -> None:
        super().__init__()
        self.config = config
        self.vos = TtvosLayers(config)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, hence of masks and probabilities."""
        return self.vos.refine.deconv2.weight.dtype

    def features(self, image: Tensor) -> TtvosFeatures:
        """Features of a frame, uint8 RGB (3, H, W); s16 waits until it is asked for.

        Raises InputError for frames under 6×6 pixels.
        """
        padding = Padding.to_multiple(image.shape[-2], image.shape[-1])
        s4, s8 = self.vos.backbone.first(padding.pad(image.to(self.dtype))[None])
        return TtvosFeatures(s4, s8, with_places(s8), padding, self.vos.backbone)

    def begin_object(self, features: TtvosFeatures, mask: Tensor) -> ObjectState:
        """State of a new object from its given mask, (H, W), 0/1 or bool."""
        masks = first_masks(features.padding.pad(mask.to(self.dtype)[None]))
        template = self.vos.gcm(features.s8_places, masks)
        return ObjectState(masks, features.s16, None, template)

    def match(self, features: TtvosFeatures, state: ObjectState) -> MatchedObjects:
        """Compare the frame with the objects' templates; needs no s16."""
        return MatchedObjects(self.vos.gcq(features.s8_places, state.masks, state.template), None)

    def segment_full(
        self, features: TtvosFeatures, state: ObjectState, evidence: MatchedObjects
    ) -> Segmentation:
        """The full path: u16 from this frame's s16, the earlier ones' and the masks."""
        u16 = self.vos.refine.short_term(features.s16, state.masks, state.s16)
        probability, update_weight = self._decode(features, evidence, u16)
        return Segmentation(probability, u16, update_weight)

    def advance(
        self,
        features: TtvosFeatures,
        state: ObjectState,
        segmentation: Segmentation,
        shares: Tensor,
    ) -> ObjectState:
        """State after a full frame, given the shares P_i (N, H16, W16) in the competition."""
        masks = shifted_masks(state.masks, shares)
        u = segmentation.update_weight
        new = self.vos.gcm(features.s8_places, masks)
        template = state.template / (u + 1) + new * (u / (u + 1))
        return ObjectState(masks, features.s16, None, template)

    def _decode(
        self, features: TtvosFeatures, evidence: MatchedObjects, u16: Tensor
    ) -> tuple[Tensor, Tensor]:
        """u16 (or û16) → foreground probabilities (N, H16, W16), u (N, 1, 1)."""
        logits, update_weight = self.vos.refine.decode(u16, evidence.matched, features.s4)
        probability = torch.softmax(logits.to(self.dtype), dim=1)[:, 1]
        return probability, update_weight[:, 0].to(self.dtype)
