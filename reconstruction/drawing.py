"""Pictures of a face drawn onto the chart, with the mesh where a fit puts it."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from reconstruction.chart import HEIGHT, WIDTH, make_chart
from reconstruction.projection import PointModel, View
from reconstruction.template import Template
from reconstruction.texture import COLUMNS, EVERY, ROWS

CELL = 0.0012  # metres
PICTURE = 1.2  # pixels of a picture for one of the drawing, at most: larger pictures are shrunk
FACING = 0.45  # cosine between the skin's normal and the view below which skin is not looked at


@dataclass(frozen=True)
class Pictures:
    """T frames of one size (width, height), pixels, and shrunk as drawings want them, uint8, by cells a pixel."""

    size: tuple[int, int]
    shrunk: dict[int, list[np.ndarray]]


@dataclass(frozen=True)
class Look:
    """T frames drawn onto the chart.

    drawings : (T, h, w) uint8; seen : (T, h, w) bool; facing : (T, h, w) cosine
    places : (T, ROWS * COLUMNS, 3) metres, head frame, of the windows; pixels : (T, ROWS, COLUMNS, 2) in the recording
    """

    drawings: np.ndarray
    seen: np.ndarray
    facing: np.ndarray
    places: Tensor
    pixels: np.ndarray


class Canvas:
    """The chart of a person of known shape (S,) before a camera (3, 3), `depth` metres away, for drawings with a pixel
    for so many `cells`.

    inside : {cells: (h, w) bool}, the skin of the face
    """

    def __init__(self, template: Template, cells: Iterable[int], shape: Tensor, camera_matrix: Tensor, depth: float):
        self.inside = {n: make_chart(template, n).inside for n in set(cells)}
        self.windows = PointModel(template, make_chart(template, EVERY).embedding).float()
        self.shape, self.camera_matrix = shape, camera_matrix
        cell = CELL * float(camera_matrix[0, 0]) / depth  # pixels
        self.shrink = {n: max(1.0, cell * n / PICTURE) for n in self.inside}

    def pictures(self, greys: list[np.ndarray]) -> Pictures:
        """Of greys (H, W) uint8. Averaged over the pixels that a drawing has no room for, they are less noisy."""
        height, width = greys[0].shape
        shrunk = {}
        for cells, by in self.shrink.items():
            small = (round(width / by), round(height / by))
            shrunk[cells] = [cv2.resize(grey, small, interpolation=cv2.INTER_AREA) for grey in greys]
        return Pictures((width, height), shrunk)

    @torch.no_grad()
    def look(self, pictures: Pictures, motion: Tensor, view: View, cells: int) -> Look:
        """Draw pictures with a pixel for so many cells, the face moved by (T, M). Between windows the mesh is
        interpolated.
        """
        places = self.windows.points(self.shape, motion)
        camera = places @ view.rotation.mT + view.translation[:, None]
        pixels = camera[..., :2] / camera[..., 2:] * self.camera_matrix[0, 0] + self.camera_matrix[:2, 2]
        shrunk = pictures.shrunk[cells]
        grid, size = (len(shrunk), ROWS, COLUMNS, -1), (WIDTH // cells, HEIGHT // cells)
        where, facing = pixels.numpy().reshape(grid), _facing(camera.numpy().reshape(grid))
        small = np.array(shrunk[0].shape[::-1], np.float32)
        there = (where + 0.5) * (small / np.array(pictures.size, np.float32)) - 0.5
        facing[((there < 0) | (there > small - 1)).any(3)] = 0
        drawings, cosines = [], []
        for picture, places_in, cosine in zip(shrunk, there, facing, strict=True):
            between = cv2.resize(places_in, size, interpolation=cv2.INTER_CUBIC)
            drawings.append(cv2.remap(picture, between, None, cv2.INTER_LINEAR))
            cosines.append(cv2.resize(cosine, size, interpolation=cv2.INTER_LINEAR))
        visible = (self.inside[cells] & (np.array(cosines) > FACING)).astype(np.uint8)
        seen = np.array([cv2.erode(one, np.ones((3, 3), np.uint8)) > 0 for one in visible])
        return Look(np.array(drawings), seen, np.array(cosines), places, where)


def _facing(place: np.ndarray) -> np.ndarray:
    """Cosine (T, H, W) between the skin's normal and the view of places (T, H, W, 3) on a grid, camera frame."""
    normal = np.cross(np.gradient(place, axis=2), np.gradient(place, axis=1))
    length = np.linalg.norm(normal, axis=3) * np.linalg.norm(place, axis=3)
    return np.einsum("thwi,thwi->thw", normal, place) / (length + 1e-12)
