"""What every vertex belongs to, and a plain teaching colouring."""

from itertools import pairwise

import numpy as np
from matplotlib.path import Path as Outline
from scipy.spatial import cKDTree

from template.source import FACE, MOUTH, SOCKETS, Source

PARTS = ("skin", "lips", "brow", "lid", "socket", "mouth", "teeth", "sclera", "iris", "pupil")
PALETTE = {
    "skin": (222, 184, 160), "lips": (196, 132, 122), "brow": (104, 78, 62), "lid": (128, 88, 76),
    "socket": (150, 90, 84), "mouth": (84, 34, 36), "teeth": (238, 233, 220), "sclera": (240, 238, 234),
    "iris": (92, 112, 122), "pupil": (18, 16, 16),
}  # fmt: skip


def label(source: Source, vertices: np.ndarray, ids: np.ndarray, ball: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V,) part of every vertex and (V, 3) sRGB colours, a plain teaching colouring with soft edges.

    ids : the source vertex of every skin vertex; ball : parts of the eyeballs' vertices, the last ones
    """
    marks = source.neutral[source.landmarks68]
    parts = np.full(len(vertices), PARTS.index("teeth"), np.uint8)
    parts[: len(ids)] = PARTS.index("skin")
    parts[len(vertices) - len(ball) :] = ball
    parts[: len(ids)][(ids >= MOUTH[0]) & (ids < MOUTH[1])] = PARTS.index("mouth")
    parts[: len(ids)][(ids >= SOCKETS[0]) & (ids < SOCKETS[1])] = PARTS.index("socket")
    face = np.flatnonzero(ids < FACE[1])
    points = vertices[face]

    def distance(line: list[int]) -> np.ndarray:
        dense = np.concatenate([np.linspace(marks[a], marks[b], 30) for a, b in pairwise(line)])
        return cKDTree(dense).query(points)[0]

    outline = [*range(48, 60), 48]
    front = points[:, 2] > marks[57, 2] - 0.025
    inside = Outline(marks[outline][:, :2]).contains_points(points[:, :2]) & front
    edge = np.where(inside, distance(outline), -distance(outline))
    brow = np.minimum(distance([17, 18, 19, 20, 21]), distance([22, 23, 24, 25, 26]))
    lid = np.minimum(distance([*range(36, 42), 36]), distance([*range(42, 48), 42]))
    soft = {
        "lips": np.where(front, np.clip((edge + 0.0012) / 0.0024, 0, 1), 0),
        "brow": np.clip((0.0052 - brow) / 0.0030, 0, 1),
        "lid": np.clip((0.0022 - lid) / 0.0016, 0, 1),
    }
    colours = np.array([PALETTE[name] for name in PARTS], float)[parts]
    for name, share in soft.items():
        parts[face[share > 0.5]] = PARTS.index(name)
        colours[face] += share[:, None] * (np.array(PALETTE[name]) - colours[face])
    return parts, np.round(colours).astype(np.uint8)
