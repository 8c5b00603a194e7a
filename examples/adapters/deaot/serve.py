"""DeAOT for VOSBench, frame by frame: `subprocess:deaot/model.toml` says how it is started."""

import os

import numpy as np
import torch
from aot.configs.default import DefaultEngineConfig
from aot.networks.engines import build_engine
from aot.networks.models import build_vos_model
from torch.nn.functional import interpolate
from vosbench_child import serve

MODEL = os.environ.get("DEAOT_MODEL", "deaott")
CHECKPOINT = os.environ.get("DEAOT_CHECKPOINT") or None  # none: random weights
SHORT = int(os.environ.get("DEAOT_SHORT_SIDE", "480"))  # larger frames are made smaller
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


class Config(DefaultEngineConfig):
    def init_dir(self):
        """Makes no folders."""


class Model:
    def load(self, settings):
        self.device = torch.device(settings["device"])
        self.kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(settings["precision"])
        self.config = Config("vosbench", MODEL)
        torch.manual_seed(settings["seed"])
        self.network = build_vos_model(self.config.MODEL_VOS, self.config).to(self.device).eval()
        if CHECKPOINT:
            found = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)["state_dict"]
            self.network.load_state_dict({n.removeprefix("module."): t for n, t in found.items()})

    def start(self, clip):
        self.size = (clip["height"], clip["width"])
        scale = min(1, SHORT / min(self.size))
        self.inside = [max(1, round(scale * side / 16)) * 16 + 1 for side in self.size]
        gap = self.config.TEST_LONG_TERM_MEM_GAP
        self.engine = build_engine(
            self.config.MODEL_ENGINE, phase="eval", aot_model=self.network,
            gpu_id=self.device.index or 0, long_term_mem_gap=gap,
        )  # fmt: skip
        self.ids, self.new = [], {}

    def add_objects(self, index, image, masks):
        self.new |= masks

    @torch.inference_mode()
    def step(self, index, image):
        pixels = torch.from_numpy(image.copy()).permute(2, 0, 1) / 255
        pixels = self.resized((pixels - MEAN) / STD, mode="bilinear", align_corners=True)
        labels = torch.zeros(self.size, device=self.device)
        with torch.autocast(self.device.type, self.kind, enabled=self.kind is not None):
            if self.ids:
                self.engine.match_propogate_one_frame(pixels)
                logits = self.engine.decode_current_logits(self.size)
                labels = logits[0].argmax(0).float()
            for i, mask in sorted(self.new.items()):
                self.ids.append(i)
                labels[torch.from_numpy(mask.astype(bool)).to(self.device)] = len(self.ids)
            small = self.resized(labels[None], mode="nearest")
            if self.new:
                self.engine.add_reference_frame(pixels, small, obj_nums=len(self.ids))
            else:
                self.engine.update_memory(small)
        self.new = {}
        return np.uint8([0, *self.ids])[labels.long().cpu().numpy()]

    def resized(self, planes, **how):
        return interpolate(planes[None].float().to(self.device), self.inside, **how)


serve(Model())
