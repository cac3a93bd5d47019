"""Motion space: what a face does, apart from who it is, as one vector per frame, and what that vector is worth in mm.

A motion vector is the expression coefficients followed by the axis-angle of jaw, left eye and right eye. Vertices
depend on it almost linearly, so that displacements, spreads and distances over a whole cohort come from M x M
matrices instead of vertices: for coefficients with covariance C, vertex v moves with covariance D_v C D_v^T, D_v (3,
M) being its directions. Identity is left out: directions are those of the template's mean head. So are the neck and
the head's pose, which are posture.
"""

from dataclasses import dataclass

import numpy as np
import torch

from reconstruction.face_model import FaceModel
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

JOINTS = ("jaw", "left_eye", "right_eye")
STEP = 0.1  # radians: joint directions are the slope of a secant over +-STEP (error 0.2 % at STEP, 2 % at 0.35)


@dataclass(frozen=True)
class MotionSpace:
    """Directions of the M motion coefficients.

    names : M names: the template's expressions, then ``jaw x`` .. ``right_eye z``
    directions : (V, 3, M) float32, metres per unit of coefficient
    metric : (M, M) float64, mm^2: x^T metric x is the mean squared displacement of the face's vertices, weighted by
        their area, for the coefficients x
    """

    names: tuple[str, ...]
    n_expression: int
    joint_names: tuple[str, ...]
    directions: np.ndarray
    metric: np.ndarray

    @property
    def size(self) -> int:
        return len(self.names)

    def vectors(self, sequence: FaceSequence) -> np.ndarray:
        """(T, M) float32, the sequence's motion; frames that are not valid are zero, as they are in the sequence."""
        joints = [sequence.pose[:, sequence.joint_names.index(name)] for name in self.joint_names]
        return np.concatenate([sequence.expression, *joints], axis=1, dtype=np.float32)

    def split(self, motion: np.ndarray, template: Template) -> tuple[np.ndarray, np.ndarray]:
        """A motion vector (M,) as expression (E,) and pose (J, 3), both float32; other joints at rest."""
        pose = np.zeros((template.n_joints, 3), np.float32)
        for number, name in enumerate(self.joint_names):
            first = self.n_expression + 3 * number
            pose[template.joint(name)] = motion[first : first + 3]
        return motion[: self.n_expression].astype(np.float32), pose

    def displacement_mm(self, motion: np.ndarray) -> np.ndarray:
        """(..., M) coefficients to (...,) mm: root mean squared displacement over the face."""
        square = np.einsum("...m,...m->...", motion @ self.metric.astype(motion.dtype), motion)
        return np.sqrt(np.maximum(square, 0))

    def rms_mm(self, covariance: np.ndarray) -> np.ndarray:
        """(V,) mm: root mean squared displacement of every vertex for coefficients of `covariance` (M, M)."""
        return rms_mm(self.directions, covariance)


def rms_mm(directions: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(V,) mm: sqrt(trace(D_v C D_v^T)) for directions (V, 3, M) in metres and a covariance (M, M)."""
    flat = directions.reshape(-1, directions.shape[2])
    square = ((flat @ covariance.astype(flat.dtype)) * flat).sum(1).reshape(-1, 3).sum(1)
    return (1000 * np.sqrt(np.maximum(square, 0))).astype(np.float32)


def motion_space(template: Template) -> MotionSpace:
    """The motion space of a template."""
    joints = tuple(name for name in JOINTS if name in template.joint_names)
    turned = torch.zeros(2, 3 * len(joints), template.n_joints, 3)
    for number, name in enumerate(joints):
        for axis in range(3):
            turned[0, 3 * number + axis, template.joint(name), axis] = STEP
            turned[1, 3 * number + axis, template.joint(name), axis] = -STEP
    model, batch = FaceModel(template), 3 * len(joints)
    with torch.no_grad():
        rest = torch.zeros(batch, template.n_shape), torch.zeros(batch, template.n_expression)
        plus, minus = (model(*rest, part).numpy() for part in turned)
    slopes = ((plus - minus) / (2 * STEP)).transpose(1, 2, 0)
    directions = np.concatenate([template.expressiondirs, slopes], 2).astype(np.float32)
    names = (*template.expression_names, *(f"{name} {axis}" for name in joints for axis in "xyz"))
    weights = vertex_areas(template.v_template, template.faces) * face_mask(template)
    weights = weights / weights.sum()
    flat = directions.astype(np.float64).reshape(-1, len(names))
    metric = 1e6 * flat.T @ (flat * np.repeat(weights, 3)[:, None])
    return MotionSpace(names, template.n_expression, joints, directions, metric)


def face_mask(template: Template) -> np.ndarray:
    """(V,) bool: the face proper: skin within the box that the detector's points span on the neutral face."""
    seen = template.visible478
    points = (
        template.landmarks478(template.v_template)[seen] if seen.any() else template.landmarks68(template.v_template)
    )
    margin = 0.003  # metres
    vertices = template.v_template
    inside = ((vertices > points.min(0) - margin) & (vertices < points.max(0) + margin)).all(1)
    return inside & template.skin


def vertex_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,) a third of the area of every vertex's triangles, square metres."""
    corner = vertices[faces].astype(np.float64)
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 2
    return np.bincount(faces.ravel(), np.repeat(area / 3, 3), len(vertices))
