"""The template's 478 detector points before a camera, with derivatives by head pose, motion and shape.

Arrays are torch, float64: T frames, K points, S shape, M motion parameters.
"""

import numpy as np
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
        n_angles = motion.shape[1] - self.n_expression
        steps = torch.zeros(1 + n_angles, 1, motion.shape[1]).to(motion)
        steps[1:, 0, self.n_expression :] = _STEP * torch.eye(n_angles).to(motion)
        here, *moved = self.points(shape, (motion + steps).flatten(0, 1)).unflatten(0, (1 + n_angles, -1))
        turned = [(there - here) / _STEP for there in moved]
        joints = rotation_matrix(self.pose(motion)).flatten(2)
        blended = self.blend(joints).unflatten(2, (3, 3))
        n_shape = self.sizes[0]
        first = 0 if by_shape else n_shape
        linear = torch.einsum("tkij,kjs->tkis", blended, self.linear_directions()[..., first:])
        n_shape -= first
        return here, torch.cat([linear[..., n_shape:], *(t[..., None] for t in turned)], -1), linear[..., :n_shape]


class View:
    """Points seen by a camera, in metres at the depth of their middle, so that cameras can be compared.

    camera_matrix : (3, 3); rotation (T, 3, 3), translation (T, 3): camera from head, OpenCV
    """

    def __init__(self, camera_matrix: Tensor, rotation: Tensor, translation: Tensor):
        self.camera_matrix, self.rotation, self.translation = camera_matrix, rotation, translation

    @classmethod
    def empty(cls, camera_matrix: Tensor, count: int) -> "View":
        """A view of so many frames, to be set."""
        return cls(camera_matrix, camera_matrix.new_empty(count, 3, 3), camera_matrix.new_empty(count, 3))

    def __getitem__(self, frames: slice | np.ndarray | Tensor) -> "View":
        return View(self.camera_matrix, self.rotation[frames], self.translation[frames])

    def __setitem__(self, frames: slice, view: "View") -> None:
        self.rotation[frames], self.translation[frames] = view.rotation, view.translation

    def camera_from_head(self) -> np.ndarray:
        """(T, 4, 4)."""
        above = torch.cat([self.rotation, self.translation[..., None]], 2).double().numpy()
        return np.concatenate([above, np.tile([[[0.0, 0.0, 0.0, 1.0]]], (len(above), 1, 1))], 1)

    def residual(self, pixels: Tensor, points: Tensor) -> Tensor:
        """Detector's (T, K, 2) pixels minus projected `points` (T, K, 3), head frame: (T, K, 2), metres."""
        return self._residual(pixels, self.rotation @ points.mT + self.translation[..., None]).mT

    def _residual(self, pixels: Tensor, camera: Tensor) -> Tensor:
        """(T, 2, K) of points (T, 3, K) in the camera frame: coordinate by coordinate, which is quick to compute."""
        rays = (pixels.mT - self.camera_matrix[:2, 2:]) / self.camera_matrix[0, 0]
        return camera[:, 2:].mean(2, keepdim=True) * (rays - camera[:, :2] / camera[:, 2:])

    def derivative(self, points: Tensor, by: Tensor) -> Tensor:
        """How projected points move (T, K, 2, N), metres, given how they move in the head frame, `by` (T, K, 3, N)."""
        camera = points @ self.rotation.mT + self.translation[:, None]
        depth, turn = camera[..., 2:, None], self.rotation[:, None]
        lens = turn[..., :2, :] - camera[..., :2, None] / depth * turn[..., 2:, :]
        return (lens * (depth.mean(1, keepdim=True) / depth)) @ by

    def derivative_by_pose(self, points: Tensor, about: Tensor) -> Tensor:
        """(T, K, 2, 6), by a turn about `about` (T, 3), head frame, in camera axes, radians, and a shift, metres."""
        return self._by_pose(self.rotation @ points.mT, about).permute(0, 3, 2, 1)

    def _by_pose(self, turned: Tensor, about: Tensor) -> Tensor:
        """(T, 6, 2, K) of points (T, 3, K) in camera axes about the head's origin."""
        across, up, along = (turned - self.rotation @ about[..., None]).unbind(1)
        x, y, depth = (turned + self.translation[..., None]).unbind(1)
        x, y = x / depth, y / depth
        no, one = torch.zeros_like(x), torch.ones_like(x)
        by_turn = [-x * up, -along - y * up, along + x * across, y * across, -up, across]
        rows = torch.stack([*by_turn, one, no, no, one, -x, -y], 1) * (depth.mean(1, keepdim=True) / depth)[:, None]
        return rows.unflatten(1, (6, 2))

    def pull(self, points: Tensor, by: Tensor) -> Tensor:
        """The transpose of `derivative`: `by` (T, K, 2) on the projected points is (T, K, 3) on the head's."""
        camera = self.rotation @ points.mT + self.translation[..., None]
        flat = by.mT * (camera[:, 2:].mean(2, keepdim=True) / camera[:, 2:])
        along = -(flat * camera[:, :2]).sum(1, keepdim=True) / camera[:, 2:]
        return torch.cat([flat, along], 1).mT @ self.rotation

    def closer(self, points: Tensor, pixels: Tensor, weight: Tensor) -> "View":
        """The view after a Gauss-Newton step of the pose towards the detector's `pixels` (T, K, 2), whose squared
        residuals count by `weight`, (T, K) or (K,).
        """
        about, turned = points.mean(1), self.rotation @ points.mT
        rows = self._by_pose(turned, about)
        weighted = (rows * weight[..., None, None, :]).flatten(2)
        rest = self._residual(pixels, turned + self.translation[..., None]).flatten(1)[..., None]
        step = torch.linalg.solve_ex(weighted @ rows.flatten(2).mT, weighted @ rest)[0]
        return self.moved(about, step[..., 0])

    def moved(self, about: Tensor, step: Tensor) -> "View":
        """The view after a pose step (T, 6) as in `derivative_by_pose`."""
        turn = rotation_matrix(step[:, :3])
        middle = (self.rotation @ about[..., None])[..., 0]
        translation = self.translation + step[:, 3:] + middle - (turn @ middle[..., None])[..., 0]
        return View(self.camera_matrix, turn @ self.rotation, translation)
