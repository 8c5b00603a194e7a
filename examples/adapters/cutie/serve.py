"""Cutie for VOSBench, frame by frame: `subprocess:cutie/model.toml` says how it is started."""

import math
import os
from types import SimpleNamespace

import numpy as np
import torch
from cutie.inference.inference_core import InferenceCore
from cutie.model.cutie import CUTIE
from cutie.model.utils import resnet
from hydra import compose, initialize_config_module
from vosbench_child import serve

CHECKPOINT = os.environ.get("CUTIE_CHECKPOINT") or None  # none: random weights
OPTIONS = os.environ.get("CUTIE_OPTIONS", "").split()  # e.g. "model=small max_internal_size=480"

# The checkpoint holds all weights, so those of the backbone needn't be downloaded before.
resnet.model_zoo = SimpleNamespace(load_url=lambda *_, **__: {})
resnet.load_weights_add_extra_dim = lambda *_: None


class Model:
    def load(self, settings):
        self.device = torch.device(settings["device"])
        self.kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(settings["precision"])
        with initialize_config_module("cutie.config", version_base="1.3.2"):
            config = compose("eval_config", ["++use_long_term=False", "++mem_every=5", *OPTIONS])
        torch.manual_seed(settings["seed"])
        self.config, self.network = config, CUTIE(config).to(self.device).eval()
        if CHECKPOINT:
            found = torch.load(CHECKPOINT, map_location=self.device, weights_only=True)
            self.network.load_weights(found)

    def start(self, clip):
        cells = math.ceil(clip["height"] / 16) * math.ceil(clip["width"] / 16)
        self.config.top_k = min(30, cells)  # very small frames have fewer places to look at
        self.core = InferenceCore(self.network, self.config)
        self.new = {}

    def add_objects(self, index, image, masks):
        self.new |= masks

    @torch.inference_mode()
    def step(self, index, image):
        pixels = torch.from_numpy(image.copy()).to(self.device).permute(2, 0, 1).float() / 255
        given, ids = None, sorted(self.new)
        if ids:  # as a label map: given as planes, a late object ends in an error of the package
            labels = np.zeros(image.shape[:2], np.int64)
            for i in ids:
                labels[self.new[i].astype(bool)] = i
            given = torch.from_numpy(labels).to(self.device)
        with torch.autocast(self.device.type, self.kind, enabled=self.kind is not None):
            found = self.core.step(pixels, given, ids or None)
        self.new = {}
        return self.core.output_prob_to_mask(found).to(torch.uint8).cpu().numpy()


serve(Model())
