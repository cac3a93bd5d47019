"""Parameters to vertices: linear shape and expression, pose correctives, linear blend skinning.

The model is SMPL's (Loper et al. 2015) in FLAME's form (Li et al. 2017): vertices =
skin(v_template + shapedirs·shape + expressiondirs·expression + posedirs·(R(pose) - I), joints(shape), pose).
"""

import numpy as np
import torch
from torch import Tensor, nn

from reconstruction.template import Embedding, Template


def rotation_matrix(axis_angle: Tensor) -> Tensor:
    """(..., 3) axis-angle, radians, to (..., 3, 3) rotation matrices by Rodrigues' formula, smooth at zero."""
    square = (axis_angle**2).sum(-1, keepdim=True)[..., None]
    angle = square.clamp_min(1e-12).sqrt()
    small = square < 1e-8
    sine = torch.where(small, 1 - square / 6, torch.sin(angle) / angle)
    cosine = torch.where(small, 0.5 - square / 24, (1 - torch.cos(angle)) / angle**2)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*axis_angle.shape[:-1], 3, 3)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + cosine * (cross @ cross)


class FaceModel(nn.Module):
    """A template as a differentiable torch module; batched, any device.

    Parameters
    ----------
    template : the template
    embedding : compute these points instead of the vertices, each treated as a vertex whose rest place, directions and
        skinning weights are interpolated in its triangle. Makes landmark fits cheap; the joints stay exact, because
        they depend on the shape alone.
    """

    v_template: Tensor
    directions: Tensor
    joints_template: Tensor
    joints_shape: Tensor
    skinning_weights: Tensor

    def __init__(self, template: Template, embedding: Embedding | None = None):
        super().__init__()

        def keep(name: str, array: np.ndarray) -> None:
            self.register_buffer(name, torch.from_numpy(np.array(array, np.float32)))

        def at_points(field: np.ndarray) -> np.ndarray:
            if embedding is None:
                return field
            return np.einsum("kc,kc...->k...", embedding.barycentric, field[embedding.triangles])

        keep("v_template", at_points(template.v_template))
        # one matrix for all linear parts: rows are shape, expression, pose
        self.sizes = (template.n_shape, template.n_expression, template.posedirs.shape[2])
        parts = (template.shapedirs, template.expressiondirs, template.posedirs)
        directions = np.concatenate([at_points(part) for part in parts], 2)
        keep("directions", directions.reshape(-1, directions.shape[2]).T)
        keep("joints_template", template.joint_regressor @ template.v_template)
        keep("joints_shape", np.einsum("jv,vds->sjd", template.joint_regressor, template.shapedirs))
        keep("skinning_weights", at_points(template.skinning_weights))
        self.parents = [int(p) for p in template.parents]

    def joints(self, shape: Tensor) -> Tensor:
        """(B, S) shape to (B, J, 3) joint positions at rest, metres, head frame."""
        return self.joints_template + torch.einsum("bs,sjd->bjd", shape, self.joints_shape)

    def forward(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Vertices.

        shape : (B, S); expression : (B, E); pose : (B, J, 3) axis-angle, radians, joint 0 is the global rotation
        about the root joint.
        Returns (B, N, 3), metres, head frame.
        """
        batch, n_joints = pose.shape[:2]
        rotations = rotation_matrix(pose)
        identity = torch.eye(3, dtype=pose.dtype, device=pose.device)
        feature = (rotations[:, 1:] - identity).reshape(batch, -1)
        offsets = torch.cat([shape, expression, feature], 1) @ self.directions
        rest = self.v_template + offsets.reshape(batch, -1, 3)

        joints = self.joints(shape)
        world_rotation, world_joint = [rotations[:, 0]], [joints[:, 0]]
        for j in range(1, n_joints):
            p = self.parents[j]
            world_rotation.append(world_rotation[p] @ rotations[:, j])
            step = (joints[:, j] - joints[:, p])[..., None]
            world_joint.append(world_joint[p] + (world_rotation[p] @ step)[..., 0])
        rotation = torch.stack(world_rotation, 1)
        shift = torch.stack(world_joint, 1) - (rotation @ joints[..., None])[..., 0]
        transform = torch.cat([rotation, shift[..., None]], -1).reshape(batch, n_joints, 12)
        blended = (self.skinning_weights @ transform).reshape(batch, -1, 3, 4)
        return (blended[..., :3] @ rest[..., None])[..., 0] + blended[..., 3]


def embed(vertices: Tensor, embedding: Embedding) -> Tensor:
    """Points (B, K, 3) of an embedding on `vertices` (B, V, 3)."""
    triangles = torch.from_numpy(embedding.triangles).to(vertices.device)
    weights = torch.from_numpy(embedding.barycentric).to(vertices)
    return (vertices[:, triangles] * weights[..., None]).sum(2)
