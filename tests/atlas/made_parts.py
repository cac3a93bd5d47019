"""Parts of the face and mean motions that tests of figures share."""

from dataclasses import dataclass

import numpy as np

from atlas.motion import face_mask, vertex_areas
from reconstruction.template import Template


@dataclass(frozen=True)
class PartSet:
    """Parts as the figures need them."""

    name: str
    places: tuple[str, ...]
    points: np.ndarray | None
    weights: np.ndarray


@dataclass(frozen=True)
class Motion:
    """A group's mean motion before a stimulus."""

    group: str
    stimulus: str
    time_s: np.ndarray
    motion: np.ndarray
    sd: np.ndarray
    people: np.ndarray


def part_sets(template: Template) -> list[PartSet]:
    """Two organs and the contour, the 68 points, a grid of 4 x 4 and two round patches."""
    points = template.landmarks68(template.v_template)
    face, (x, y, _) = face_mask(template), template.v_template.T
    organs = np.zeros((3, 68))
    for row, own in zip(organs, (slice(0, 17), slice(36, 42), slice(48, 60)), strict=True):
        row[own] = 1 / (own.stop - own.start)
    column = np.searchsorted([points[36:42, 0].mean(), 0.0, points[42:48, 0].mean()], x)
    line = np.searchsorted(-np.array([points[21, 1], points[28, 1], points[33, 1]]) + 0.005, -y)
    grid = np.stack([face & (line == i // 4) & (column == i % 4) for i in range(16)]).astype(np.float32)
    area = vertex_areas(template.v_template, template.faces)
    cheeks = [np.linalg.norm(template.v_template - template.v_template[face][k], axis=1) for k in _cheeks(template)]
    return [
        PartSet("organ", ("contour", "right_eye", "OLC"), organs, np.zeros((3, 0))),
        PartSet("keypoint", tuple(f"{i:02d}" for i in range(68)), np.eye(68), np.zeros((68, 0))),
        PartSet("grid", tuple(f"{i:02d}" for i in range(1, 17)), None, grid),
        PartSet("patches", ("cheek_right", "cheek_left"), None, area * np.exp(-((np.array(cheeks) / 0.015) ** 2))),
    ]


def _cheeks(template: Template) -> list[int]:
    points, face = template.landmarks68(template.v_template), template.v_template[face_mask(template)]
    return [int(np.linalg.norm(face - points[[a, b]].mean(0), axis=1).argmin()) for a, b in ((3, 31), (13, 35))]
