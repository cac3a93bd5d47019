"""Teeth: two strips along the source's arches."""

import numpy as np
from scipy.spatial import cKDTree

from reconstruction.importers.ict import TEETH
from template.source import Source


def teeth_arches(source: Source, flip: np.ndarray, columns: int = 14) -> tuple[np.ndarray, ...]:
    """Upper and lower teeth as one strip each, from the gum over the biting edge to the inside.

    Returns (N, 3) positions, metres; (N, 3) the source vertices whose mean motion each follows; triangles; mirror.
    """
    teeth = np.arange(*TEETH)
    places, ids, faces, mirror = [], [], [], []
    for lower in (False, True):
        arch = teeth[np.isin(teeth, source.lower_teeth()) == lower]
        arch = arch[source.neutral[arch, 0] >= -1e-4]
        points = source.neutral[arch]
        middle = points[:, 2].min() + 0.35 * np.ptp(points[:, 2])
        around = np.arctan2(points[:, 0], points[:, 2] - middle)
        away = np.hypot(points[:, 0], points[:, 2] - middle)
        steps = np.linspace(0.02, around.max() * 0.98, columns)
        # a smooth arch: per window the biting edge, the gum, the front and the back of the teeth
        profile = []
        for step in steps:
            near = np.abs(around - step) < 0.16
            edge, gum = np.quantile(points[near, 1], [0.97, 0.1] if lower else [0.03, 0.9])
            profile.append([edge, gum, *np.quantile(away[near], [0.85, 0.25])])
        smooth = np.array(profile)
        for _ in range(3):
            smooth[1:-1] = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
        edge, gum, front, back = smooth.T
        strip = np.stack(
            [
                np.stack([r * np.sin(steps), y, middle + r * np.cos(steps)], 1)
                for r, y in ((front, gum), (front, 0.35 * gum + 0.65 * edge), ((front + back) / 2, edge), (back, gum))
            ],
            1,
        )
        rows = strip.shape[1]
        nearest = arch[cKDTree(points).query(strip, k=3)[1]]
        base = sum(map(len, ids))
        for c in range(2 * columns - 1):
            for r in range(rows - 1):
                here, beyond = base + c * rows + r, base + (c + 1) * rows + r
                quad = [here, beyond, beyond + 1, here + 1]
                quad = quad[::-1] if lower else quad
                faces += [[quad[0], quad[1], quad[2]], [quad[0], quad[2], quad[3]]]
        mirror.append(base + (np.arange(2 * columns)[::-1, None] * rows + np.arange(rows)).ravel())
        ids.append(np.concatenate([flip[nearest[::-1]], nearest]).reshape(-1, 3))  # right to left along the arch
        places.append(np.concatenate([strip[::-1] * [-1, 1, 1], strip]).reshape(-1, 3))
    return np.concatenate(places), np.concatenate(ids), np.array(faces), np.concatenate(mirror)
