"""What every vertex of a head belongs to, and a plain teaching colouring; the same names for every template."""

from itertools import pairwise

import numpy as np
from matplotlib.path import Path as Outline
from scipy.spatial import cKDTree

PARTS = ("skin", "lips", "brow", "lid", "socket", "mouth", "teeth", "sclera", "iris", "pupil")
PALETTE = {
    "skin": (222, 184, 160), "lips": (196, 132, 122), "brow": (104, 78, 62), "lid": (128, 88, 76),
    "socket": (150, 90, 84), "mouth": (84, 34, 36), "teeth": (238, 233, 220), "sclera": (240, 238, 234),
    "iris": (92, 112, 122), "pupil": (18, 16, 16),
}  # fmt: skip
PUPIL, IRIS = 0.21, 0.5  # radians from an eyeball's axis to the rim
_AHEAD = 0.025  # metres that skin of the lips lies at most behind the lower lip


def plain_colours(parts: np.ndarray) -> np.ndarray:
    """(V, 3) uint8 sRGB: every part (V,) in its own colour."""
    return np.array([PALETTE[name] for name in PARTS], np.uint8)[parts]


def eyeball_parts(ball: np.ndarray) -> np.ndarray:
    """(N,) sclera, iris or pupil for an eyeball's vertices (N, 3) that looks along z."""
    arm = ball - (ball.min(0) + ball.max(0)) / 2
    angle = np.arccos(np.clip(arm[:, 2] / np.linalg.norm(arm, axis=1), -1, 1))
    names = np.select([angle < PUPIL, angle < IRIS], [PARTS.index("pupil"), PARTS.index("iris")], PARTS.index("sclera"))
    return names.astype(np.uint8)


def paint(vertices: np.ndarray, parts: np.ndarray, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lips, brows and lids found on the skin around the landmarks.

    vertices : (V, 3) metres, head frame; parts : (V,) of `PARTS`; marks : (68, 3) the iBUG 68

    Returns parts (V,) and colours (V, 3) uint8 sRGB, a plain teaching colouring with soft edges.
    """
    parts = parts.astype(np.uint8)
    colours = plain_colours(parts).astype(float)
    face = np.flatnonzero(parts == PARTS.index("skin"))
    points = vertices[face]

    def distance(line: list[int]) -> np.ndarray:
        dense = np.concatenate([np.linspace(marks[a], marks[b], 30) for a, b in pairwise(line)])
        return cKDTree(dense).query(points)[0]

    outline = [*range(48, 60), 48]
    front = points[:, 2] > marks[57, 2] - _AHEAD
    inside = Outline(marks[outline][:, :2]).contains_points(points[:, :2]) & front
    edge = np.where(inside, distance(outline), -distance(outline))
    brow = np.minimum(distance([17, 18, 19, 20, 21]), distance([22, 23, 24, 25, 26]))
    lid = np.minimum(distance([*range(36, 42), 36]), distance([*range(42, 48), 42]))
    soft = {
        "lips": np.where(front, np.clip((edge + 0.0012) / 0.0024, 0, 1), 0),
        "brow": np.clip((0.0052 - brow) / 0.0030, 0, 1),
        "lid": np.clip((0.0022 - lid) / 0.0016, 0, 1),
    }
    for name, share in soft.items():
        parts[face[share > 0.5]] = PARTS.index(name)
        colours[face] += share[:, None] * (np.array(PALETTE[name]) - colours[face])
    return parts, np.round(colours).astype(np.uint8)
