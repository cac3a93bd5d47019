"""Eyeballs: spheres of our own in the place of the source's."""

import numpy as np
from scipy.spatial import cKDTree

from reconstruction.importers.parts import PARTS
from reconstruction.importers.rig import sphere_centre
from template.source import Source

SMALLER = 0.975  # closed lids must not be pierced


def eyeball(rings: int = 9, segments: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A unit sphere looking along +z, rings placed at pupil and iris rims. Vertices, triangles, parts, mirror in x."""
    polar = np.concatenate([[0.13, 0.26, 0.40, 0.455], np.linspace(0.65, 2.5, rings - 4)])
    turn = np.arange(segments) * 2 * np.pi / segments + np.pi / segments
    vertices = [[0.0, 0.0, 1.0]]
    for angle in polar:
        vertices += [[np.sin(angle) * np.cos(t), np.sin(angle) * np.sin(t), np.cos(angle)] for t in turn]
    vertices.append([0.0, 0.0, -1.0])

    def ring(r: int, s: int) -> int:
        return 1 + r * segments + s % segments

    triangles = [[0, ring(0, s), ring(0, s + 1)] for s in range(segments)]
    for r in range(rings - 1):
        for s in range(segments):
            triangles += [
                [ring(r, s), ring(r + 1, s), ring(r + 1, s + 1)],
                [ring(r, s), ring(r + 1, s + 1), ring(r, s + 1)],
            ]
    triangles += [[ring(rings - 1, s + 1), ring(rings - 1, s), len(vertices) - 1] for s in range(segments)]
    points = np.array(vertices)
    angle = np.arccos(np.clip(points[:, 2], -1, 1))
    part = np.where(
        angle < 0.2, PARTS.index("pupil"), np.where(angle < 0.43, PARTS.index("iris"), PARTS.index("sclera"))
    )
    mirror = cKDTree(points).query(points * [-1, 1, 1])[1]
    return points, np.array(triangles), part, mirror


def eye_places(source: Source, eye_ids: list[np.ndarray]) -> tuple[list[np.ndarray], float]:
    """Centres of the left and right eye, symmetric, and the eyeballs' radius, metres."""
    centres, radii = [], []
    for e in eye_ids:
        # the sclera's sphere, without the cornea's bulge
        points = source.neutral[e]
        keep = points[:, 2] < points[:, 2].max() - 0.004
        centre, radius = sphere_centre(points[keep])
        centres.append(centre)
        radii.append(radius)
    centres[1] = centres[0] * [-1, 1, 1]
    return centres, SMALLER * radii[0]
