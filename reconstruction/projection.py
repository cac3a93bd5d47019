"""The template's 478 detector points before a camera, with derivatives by head pose, motion and shape.

Arrays are torch, float64: T frames, K points, S shape, M motion parameters.
"""

import torch
from torch import Tensor

from reconstruction.face_model import FaceModel, rotation_matrix
from reconstruction.motion import angles
from reconstruction.template import Embedding, Template

_STEP = 1e-3  # radians, for the derivatives by the joint angles


class PointModel(FaceModel):
    """`FaceModel` of embedded points, driven by motion parameters."""

    def __init__(self, template: Template, embedding: Embedding):
        super().__init__(template, embedding=embedding)
        self.double()
        self.n_expression = template.n_expression
        self.n_joints = template.n_joints
        self.angles = [(template.joint(joint), axis) for joint, axis in angles(template)]

    def pose(self, motion: Tensor) -> Tensor:
        """(T, M) motion to (T, J, 3) axis-angle, global rotation and neck zero."""
        pose = motion.new_zeros(len(motion), self.n_joints, 3)
        for i, (joint, axis) in enumerate(self.angles):
            pose[:, joint, axis] = motion[:, self.n_expression + i]
        return pose

    def points(self, shape: Tensor, motion: Tensor) -> Tensor:
        """shape (S,) and motion (T, M) to points (T, K, 3), metres, head frame."""
        return self(shape[None], motion[:, : self.n_expression], self.pose(motion))

    def derivatives(self, shape: Tensor, motion: Tensor, by_shape: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """points (T, K, 3); by motion (T, K, 3, M); by shape (T, K, 3, S), or of no width where it is not wanted.

        Shape and expression are linear before skinning: their derivative is their direction turned by the point's
        blended rotation (that joints move with the shape is left out, a few percent of it). Angles by differences.
        """
        here = self.points(shape, motion)
        turned = []
        for i in range(self.n_expression, motion.shape[1]):
            moved = motion.clone()
            moved[:, i] += _STEP
            turned.append((self.points(shape, moved) - here) / _STEP)
        joints = rotation_matrix(self.pose(motion)).flatten(2)
        blended = self.blend(joints).unflatten(2, (3, 3))
        n_shape = self.sizes[0]
        first = 0 if by_shape else n_shape
        linear = torch.einsum("tkij,kjs->tkis", blended, self.linear_directions()[..., first:])
        n_shape -= first
        return here, torch.cat([linear[..., n_shape:], torch.stack(turned, -1)], -1), linear[..., :n_shape]


class View:
    """Points seen by a camera, in metres at the depth of their middle, so that cameras can be compared.

    camera_matrix : (3, 3); rotation (T, 3, 3), translation (T, 3): camera from head, OpenCV
    """

    def __init__(self, camera_matrix: Tensor, rotation: Tensor, translation: Tensor):
        self.camera_matrix, self.rotation, self.translation = camera_matrix, rotation, translation

    def frames(self, part: slice) -> "View":
        return View(self.camera_matrix, self.rotation[part], self.translation[part])

    def residual(self, pixels: Tensor, points: Tensor) -> Tensor:
        """Detector's (T, K, 2) pixels minus projected `points` (T, K, 3), head frame: (T, K, 2), metres."""
        camera = points @ self.rotation.mT + self.translation[:, None]
        depth = camera[..., 2:].mean(1, keepdim=True)
        rays = (pixels - self.camera_matrix[:2, 2]) / self.camera_matrix[0, 0]
        return depth * (rays - camera[..., :2] / camera[..., 2:])

    def derivative(self, points: Tensor, by: Tensor) -> Tensor:
        """How projected points move (T, K, 2, N), metres, given how they move in the head frame, `by` (T, K, 3, N)."""
        camera = points @ self.rotation.mT + self.translation[:, None]
        return _through(camera, torch.einsum("tij,tkjn->tkin", self.rotation, by))

    def derivative_by_pose(self, points: Tensor, about: Tensor) -> Tensor:
        """(T, K, 2, 6), by a turn about `about` (T, 3), head frame, in camera axes, radians, and a shift, metres."""
        turned = points @ self.rotation.mT
        x, y, z = (turned - about[:, None] @ self.rotation.mT).unbind(-1)
        no, one = torch.zeros_like(x), torch.ones_like(x)
        rows = [no, z, -y, one, no, no, -z, no, x, no, one, no, y, -x, no, no, no, one]
        return _through(turned + self.translation[:, None], torch.stack(rows, -1).reshape(*x.shape, 3, 6))

    def moved(self, about: Tensor, step: Tensor) -> "View":
        """The view after a pose step (T, 6) as in `derivative_by_pose`."""
        turn = rotation_matrix(step[:, :3])
        middle = (self.rotation @ about[..., None])[..., 0]
        translation = self.translation + step[:, 3:] + middle - (turn @ middle[..., None])[..., 0]
        return View(self.camera_matrix, turn @ self.rotation, translation)


def _through(camera: Tensor, by: Tensor) -> Tensor:
    """Perspective: (T, K, 3) camera frame, by (T, K, 3, N), to (T, K, 2, N)."""
    depth = camera[..., 2:].mean(1, keepdim=True)[..., None]
    flat = by[..., :2, :] - (camera[..., :2] / camera[..., 2:])[..., None] * by[..., 2:, :]
    return flat * depth / camera[..., 2:, None]
