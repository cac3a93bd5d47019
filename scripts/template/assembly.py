"""The parts put together: skin, teeth and eyeballs as one mesh, and how a motion of the source moves it."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from reconstruction.importers.ict import LEFT_EYE, RIGHT_EYE
from template.eyes import eye_places, eyeball
from template.skin import make_skin
from template.source import Source
from template.teeth import teeth_arches


@dataclass
class Assembly:
    """Our mesh, symmetric; vertices in the order skin, teeth, left eyeball, right eyeball.

    source : cut at the neck
    vertices : (V, 3) metres, head frame; faces : one (F, 3) a part; mirror : (V,)
    n_skin : vertices of the skin; n_body : of skin and teeth; n_ball : of an eyeball
    skin_ids : (n_skin,) nearest source vertices
    """

    source: Source
    vertices: np.ndarray
    faces: list[np.ndarray]
    mirror: np.ndarray
    n_skin: int
    n_body: int
    n_ball: int
    skin_ids: np.ndarray
    ball: np.ndarray
    ball_parts: np.ndarray
    eye_ids: list[np.ndarray]
    eye_centres: list[np.ndarray]
    radius: float
    transfer: sp.csr_matrix

    def move(self, delta: np.ndarray) -> np.ndarray:
        """A source delta (V, 3) on our mesh; an eyeball follows as a sphere: shift and growth."""
        out = [self.transfer @ delta]
        for e, centre in zip(self.eye_ids, self.eye_centres, strict=True):
            arm = self.source.neutral[e] - centre
            shift = delta[e].mean(0)
            growth = ((delta[e] - shift) * (arm - arm.mean(0))).sum() / ((arm - arm.mean(0)) ** 2).sum()
            out.append(shift + growth * (self.radius * self.ball - arm.mean(0)))
        return np.concatenate(out)


def assemble(source: Source, neck_end: float) -> Assembly:
    """Our mesh from the whole source; what lies below y = `neck_end`, metres, is left out."""
    n_source = len(source.neutral)
    source = source.cut(neck_end)
    flip = cKDTree(source.neutral).query(source.neutral * [-1, 1, 1])[1]
    skin = make_skin(source, n_source, flip)
    n_skin = len(skin.ids)
    teeth, tooth_corners, tooth_faces, tooth_mirror = teeth_arches(source, flip)
    n_body = n_skin + len(teeth)
    corners = np.concatenate([skin.corners, tooth_corners])
    weights = np.concatenate([skin.weights, np.full((len(teeth), 3), 1 / 3)])
    places = np.repeat(np.arange(n_body), 3), corners.ravel()
    transfer = sp.coo_matrix((weights.ravel(), places), (n_body, len(source.neutral))).tocsr()

    ball, ball_faces, ball_parts, ball_mirror = eyeball()
    n_ball = len(ball)
    eye_ids = [np.arange(*LEFT_EYE), np.arange(*RIGHT_EYE)]
    centres, radius = eye_places(source, eye_ids)
    print(f"eyeball radius {radius * 1000:.2f} mm")
    vertices = np.concatenate([(transfer @ source.neutral)[:n_skin], teeth, *(c + radius * ball for c in centres)])
    mirror = [skin.mirror, tooth_mirror + n_skin, ball_mirror + n_body + n_ball, ball_mirror + n_body]
    all_mirror = np.concatenate(mirror)
    return Assembly(
        source=source, vertices=(vertices + vertices[all_mirror] * [-1, 1, 1]) / 2,
        faces=[skin.faces, tooth_faces + n_skin, ball_faces + n_body, ball_faces + n_body + n_ball],
        mirror=all_mirror, n_skin=n_skin, n_body=n_body, n_ball=n_ball, skin_ids=skin.ids, ball=ball,
        ball_parts=ball_parts, eye_ids=eye_ids, eye_centres=centres, radius=radius, transfer=transfer,
    )  # fmt: skip
