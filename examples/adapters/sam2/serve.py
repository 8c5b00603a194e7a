"""SAM 2 for VOSBench, frame by frame: `subprocess:sam2/model.toml` says how it is started."""

import os
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sam2.build_sam import build_sam2_video_predictor
from vosbench_child import serve

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
CONFIG = os.environ.get("SAM2_CONFIG", "configs/sam2.1/sam2.1_hiera_t.yaml")
CHECKPOINT = os.environ.get("SAM2_CHECKPOINT") or None  # none: random weights
SIZE = os.environ.get("SAM2_SIZE")  # None: as the config says, 1024


class Model:
    def load(self, settings):
        self.device = torch.device(settings["device"])
        torch.manual_seed(settings["seed"])
        sizes = [f"++model.image_size={SIZE}"] if SIZE else []
        self.predictor = build_sam2_video_predictor(
            CONFIG, CHECKPOINT, device=self.device, hydra_overrides_extra=sizes
        )
        self.predictor.fill_hole_area = 0  # needs the package's CUDA extension
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(settings["precision"])
        self.autocast = lambda: torch.autocast(self.device.type, kind) if kind else nullcontext()

    def start(self, clip):
        self.index = -1
        with tempfile.TemporaryDirectory() as folder, self.autocast():
            # A video of one black frame makes the state; frames are put into it as they come.
            Image.new("RGB", (8, 8)).save(Path(folder) / "0.jpg")
            self.state = self.predictor.init_state(folder)
        self.state |= {
            "images": {}, "cached_features": {}, "num_frames": 1 << 30,
            "video_height": clip["height"], "video_width": clip["width"],
        }  # fmt: skip

    def add_objects(self, index, image, masks):
        self.show(index, image)
        with self.autocast():
            for i, mask in sorted(masks.items()):
                given = torch.from_numpy(mask.astype(bool))
                self.predictor.add_new_mask(self.state, index, i, given)

    def step(self, index, image):
        self.show(index, image)
        with self.autocast():
            ((_, ids, logits),) = self.predictor.propagate_in_video(self.state, index, 0)
        best, which = logits[:, 0].float().max(0)  # objects may overlap: the surest one wins
        names = torch.tensor(ids, dtype=torch.uint8, device=best.device)
        return torch.where(best > 0, names[which], 0).to(torch.uint8).cpu().numpy()

    def show(self, index, image):
        if index != self.index:  # an object's frame is shown twice
            side = self.predictor.image_size
            small = np.asarray(Image.fromarray(image).resize((side, side)), np.float32) / 255
            pixels = torch.from_numpy((small - MEAN) / STD).permute(2, 0, 1)
            self.state["images"] = {index: pixels}
            self.index = index


serve(Model())
