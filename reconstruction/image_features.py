"""What a small convolutional network sees in a face that the detector's points do not tell.

The points fix a crop: upright, of one size, in grey. The network was trained (`scripts/train_image_features.py`) to say
shape and motion of random people of the embedded template from such crops. What it says is not taken at its word: for
every template `training` learns how these numbers depend on the truth and how far they err, as it does for the points,
and `fitting` weighs both together.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

from reconstruction.disk_rows import DiskRows
from reconstruction.storage import read_arrays

KIND, VERSION = "face-image-features", 2  # 1 had no `mirror`
FILE = "image-features.safetensors"
SIDE = 96  # pixels of the crop
SPAN = 1.95  # side of the crop, in distances of the outer eye corners
DOWN = 0.34  # middle of the crop below the middle of the eyes, likewise
_RIGHT, _LEFT = [33, 133], [362, 263]  # corners of the eyes
_OUTER = 0.089 / 0.061  # distance of the outer corners over that of the eyes' middles
AT_ONCE = 32  # frames


def crop(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) uint8 of a frame (H, W, 3) uint8: the face of the detector's points (478, 3), upright, in grey.

    Its size follows the distance of the eyes in space, so that a face keeps its size when it turns.
    """
    right, left = points[_RIGHT].mean(0), points[_LEFT].mean(0)
    across = left - right
    eyes = _OUTER * max(float(np.linalg.norm(across)), 1.0)
    scale = SPAN * eyes / SIDE  # pixels of the frame for one of the crop
    along = across[:2] / max(float(np.hypot(*across[:2])), 1e-6)
    turn = np.array([[along[0], -along[1]], [along[1], along[0]]])  # columns: right and down of the upright face
    middle = (right + left)[:2] / 2 + DOWN * eyes * turn[:, 1]
    corner = middle - turn @ np.full(2, scale * (SIDE - 1) / 2)
    reach = scale * SIDE * np.abs(turn).sum(1) / 2 + 2
    low = np.clip(np.floor(middle - reach), 0, rgb.shape[1::-1]).astype(int)
    high = np.clip(np.ceil(middle + reach), 0, rgb.shape[1::-1]).astype(int)
    if (high - low).min() < 2:
        return np.zeros((SIDE, SIDE), np.uint8)
    part = cv2.cvtColor(rgb[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY)
    cell = max(1, int(scale))  # so many pixels become one first, against what is too fine for the crop
    if cell > 1:
        tall, wide = (max(1, length // cell) for length in part.shape)
        part = cv2.resize(part[: tall * cell, : wide * cell], (wide, tall), interpolation=cv2.INTER_AREA)
    to_part = np.column_stack([scale * turn, corner - low])
    to_part[:, 2] -= (cell - 1) / 2
    return cv2.warpAffine(
        part, to_part / cell, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


class FeatureNet(nn.Module):
    """Crops (B, 1, SIDE, SIDE), 0 to 255, to (B, outputs).

    widths : channels of the stages, each of which halves the picture
    blocks : residual blocks that follow each stage after the first
    mirror : (outputs, outputs), times which what it says of a face is said of its mirror image
    """

    mirror: Tensor

    def __init__(self, outputs: int, widths: Sequence[int], blocks: Sequence[int], hidden: int):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, widths[0], 5, 2, 2, bias=False), *_norm(widths[0])]
        for (before, after), more in zip(pairwise(widths), blocks, strict=True):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), *_norm(after)]
            layers += [nn.Conv2d(after, after, 3, 1, 1, bias=False), *_norm(after)]
            layers += [Residual(after) for _ in range(more)]
        side = SIDE // 2 ** len(widths)
        layers += [nn.Conv2d(widths[-1], 32, 1, bias=False), *_norm(32), nn.Flatten()]
        self.seeing = nn.Sequential(*layers)
        self.saying = nn.Sequential(nn.Linear(32 * side**2, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs))
        self.register_buffer("mirror", torch.eye(outputs))

    def forward(self, crops: Tensor) -> Tensor:
        middle = crops[:, :, SIDE // 5 : -SIDE // 5, SIDE // 5 : -SIDE // 5]
        spread, mean = torch.std_mean(middle, (1, 2, 3), keepdim=True)
        return self.saying(self.seeing((crops - mean) / (spread + 4)))

    def twice(self, crops: Tensor) -> Tensor:
        """What it says of crops and of their mirror images, the mean of both."""
        return (self(crops) + self(crops.flip(3)) @ self.mirror) / 2


class Residual(nn.Module):
    """Two convolutions of which the result is added to what came in; it starts as nothing added."""

    def __init__(self, channels: int):
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(2))
        last = nn.BatchNorm2d(channels)
        nn.init.zeros_(last.weight)
        self.added = nn.Sequential(first, *_norm(channels), second, last)

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.added(x)).relu_()


def _norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU(inplace=True)


@cache
def _network() -> FeatureNet:
    """The trained network, read once, as it runs fastest."""
    with resources.as_file(_file()) as path:
        network = read_network(path)
    for part in network.seeing:
        if isinstance(part, Residual):
            part.added = _without_norms(part.added)
    network.seeing = _without_norms(network.seeing)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it


def _without_norms(layers: nn.Sequential) -> nn.Sequential:
    """The same layers with every normalisation taken into the convolution before it."""
    kept: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            kept[-1] = fuse_conv_bn_eval(cast(nn.Conv2d, kept[-1]), layer)
        else:
            kept.append(layer)
    return nn.Sequential(*kept)


def read_network(path: Path) -> FeatureNet:
    """The network in a file."""
    arrays, header = read_arrays(path, KIND, VERSION)
    network = FeatureNet(header["outputs"], header["widths"], header["blocks"], header["hidden"])
    network.load_state_dict({name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}, False)
    return network.eval()


@cache
def network_name() -> str:
    """The first characters of the network's sha256: calibrations name the network that they were learnt with."""
    return hashlib.sha256(_file().read_bytes()).hexdigest()[:16]


def _file() -> Traversable:
    return resources.files("templates").joinpath(FILE)


def image_features(crops: np.ndarray | DiskRows, frames: np.ndarray | None = None, looks: int = 1) -> np.ndarray:
    """(U, F) float32 of crops (T, SIDE, SIDE) uint8, in memory or on disk.

    frames : (U,) which, all unless given
    looks : 2 to look at the mirror image, too, and take the mean of both, which errs less and takes twice the time
    """
    network, used = _network(), np.arange(len(crops)) if frames is None else frames
    # filled piece by piece: pieces kept for later would lie between the network's large temporary arrays, and memory
    # would grow with the recording
    out = np.empty((len(used), cast(nn.Linear, network.saying[-1]).out_features), np.float32)
    with torch.no_grad():
        for i in range(0, len(used), AT_ONCE):
            part = torch.from_numpy(crops[used[i : i + AT_ONCE]]).float()[:, None]
            out[i : i + AT_ONCE] = (network.twice(part) if looks == 2 else network(part)).numpy()
    return out
