"""G-TTVOS: TTVOS with a reuse gate.

No code was ever published for it. This is our design, from the paper's rule for general
frameworks (end of section 3.2: match the current features joined with the previous mask) and
from how G-FRTM treats its score S and refined features R8. Frame t, one object; t−n is the
object's last full frame (or the one it was given in); sN, M, T, u16 as in
:mod:`vosbench.baselines.ttvos.modules`; m16 is the newest foreground mask of M at 1/16.

1. Matching. TTVOS's own: D_t = gcq(s8_t, M_{t−n}, T). M takes the place of S_{t−n}, and s8 is all
   that is needed of the frame. No second template is made.
2. Gate. P_gate = softmax(gate(D_t))[0], with G-FRTM's gate head, C8 channels wide.
3. Gate off, the full path. TTVOS itself: layer3, u16_t = short_term(s16_t, M_{t−n}, s16_{t−n}),
   decode(u16_t, D_t, s4_t); afterwards M, s16, T move on to t, and u16_t is kept.
4. Gate on, the reuse path. Δ_t = delta(D_t) at 1/16, trained towards y'_t − m16_{t−n} (eq. 3);
   û16_t = translator(u16_{t−n}, Δ_t), the refine-translator of fig. 5a; decode(û16_t, D_t, s4_t).
   Skipped: layer3, conv_s16, blend_s16, and the renewal of T.

A reused frame leaves the state as it was, as in G-FRTM, where S_{t−n} and R8_{t−n} stay those of
the last full frame. M, s16 and u16 so belong to one frame, t−n: D_t, P_gate and Δ_t all speak of
the change from t−n to t, which is what eq. 4 and eq. 3 train them for; errors of estimated masks
don't feed on themselves; and the gate sees a slow drift add up until a full frame resolves it.
u16 of the given frame comes from that frame's own s16 and mask, as R8_0 does in G-FRTM.
With the gate never on, every number is that of TTVOS with the same weights.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from vosbench.baselines.frtm.refiner import LightTranslator, Translator
from vosbench.baselines.frtm.reuse import Gate, delta_generator, p_gate
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig
from vosbench.baselines.ttvos.state import MatchedObjects, ObjectState, Segmentation, TtvosFeatures


def _translator(config: TtvosConfig) -> nn.Module:
    if config.translator == "light":
        return LightTranslator(config.width)
    return Translator(config.width, branch=3 * config.width // 4)  # G-FRTM's 48 of 64


class GatedTtvos(Ttvos):
    """G-TTVOS; keys of the state dict are TTVOS's, and ``gate``, ``delta``, ``translator``."""

    def __init__(self, config: TtvosConfig) -> None:
        super().__init__(config)
        c8 = self.vos.backbone.spec.channels.f8
        self.gate = Gate(c8)
        self.delta = delta_generator(c8)
        self.translator = _translator(config)

    def begin_object(self, features: TtvosFeatures, mask: Tensor) -> ObjectState:
        """State of a new object from its given mask, (H, W), with u16 to reuse."""
        state = super().begin_object(features, mask)
        u16 = self.vos.refine.short_term(state.s16, state.masks, state.s16)
        return replace(state, u16=u16)

    def match(self, features: TtvosFeatures, state: ObjectState) -> MatchedObjects:
        """Compare the frame with the objects' templates, and ask the gate; needs no s16."""
        evidence = super().match(features, state)
        return replace(evidence, p_gate=p_gate(self.gate(evidence.matched).to(self.dtype)))

    def change(self, evidence: MatchedObjects) -> Tensor:
        """Δ_t, the change of the mask since the last full frame, (N, 1, h16, w16)."""
        delta: Tensor = self.delta(evidence.matched)
        return delta

    def segment_reuse(
        self,
        features: TtvosFeatures,
        state: ObjectState,
        evidence: MatchedObjects,
        delta: Tensor | None = None,
    ) -> Segmentation:
        """The reuse path: û16 from u16 of the last full frame and Δ; s16 isn't computed.

        ``delta`` is :meth:`change` where that is known already.
        """
        if state.u16 is None:
            raise RuntimeError("the state of an ungated network has nothing to reuse")
        delta = self.change(evidence) if delta is None else delta
        estimate = self.translator(state.u16, delta)
        probability, update_weight = self._decode(features, evidence, estimate)
        return Segmentation(probability, None, update_weight)

    def advance(
        self,
        features: TtvosFeatures,
        state: ObjectState,
        segmentation: Segmentation,
        shares: Tensor,
    ) -> ObjectState:
        """State after a frame, given the shares P_i (N, H16, W16); a reused one changes nothing."""
        if segmentation.u16 is None:
            return state
        return replace(super().advance(features, state, segmentation, shares), u16=segmentation.u16)
