"""Parameters to vertices: linear shape and expression, pose correctives, linear blend skinning.

The model is SMPL's (Loper et al. 2015) in FLAME's form (Li et al. 2017): vertices =
skin(v_template + shapedirs·shape + expressiondirs·expression + posedirs·(R(pose) - I), joints(shape), pose).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from reconstruction.template import Embedding, Template

CHUNK = 640  # points at once: their transforms in a batch of 64 fill 2 MB


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
    """A template as a differentiable torch module; batched, any device, gradients once.

    Parameters
    ----------
    template : the template
    embedding : compute these points instead of the vertices, each treated as a vertex whose rest place, directions and
        skinning weights are interpolated in its triangle. Makes landmark fits cheap; the joints stay exact, because
        they depend on the shape alone.

    Attributes
    ----------
    n_points : N
    directions : (C, 1 + S + E + P, 3 n), C chunks of n points, the last one filled up with zeros. Rows are the
        template, shape, expression and pose; columns are all x, all y, all z. A chunk's rows are near one another in
        memory, which makes the product a third faster than one wide matrix does.
    skinning_weights : (C, J, n)
    bones : (J, J), joints to their places relative to their parents
    """

    directions: Tensor
    joints_template: Tensor
    joints_shape: Tensor
    skinning_weights: Tensor
    bones: Tensor

    def __init__(self, template: Template, embedding: Embedding | None = None):
        super().__init__()

        def keep(name: str, array: np.ndarray) -> None:
            self.register_buffer(name, torch.from_numpy(np.array(array, np.float32, order="C")))

        def at_points(field: np.ndarray) -> np.ndarray:
            if embedding is None:
                return field
            return np.einsum("kc,kc...->k...", embedding.barycentric, field[embedding.triangles])

        self.sizes = (template.n_shape, template.n_expression, template.posedirs.shape[2])
        parts = (template.v_template[..., None], template.shapedirs, template.expressiondirs, template.posedirs)
        rows = np.concatenate([at_points(part) for part in parts], 2).T
        weights = at_points(template.skinning_weights).T
        self.n_points = weights.shape[1]
        n_chunks = -(-self.n_points // CHUNK)
        width = -(-self.n_points // n_chunks)

        def chunks(field: np.ndarray) -> np.ndarray:
            filled = np.pad(field, [(0, 0)] * (field.ndim - 1) + [(0, n_chunks * width - self.n_points)])
            return np.moveaxis(filled.reshape(*field.shape[:-1], n_chunks, width), -2, 0)

        keep("directions", chunks(rows).reshape(n_chunks, len(rows), -1))
        keep("skinning_weights", chunks(weights))
        keep("joints_template", template.joint_regressor @ template.v_template)
        joints_shape = np.einsum("jv,vds->sjd", template.joint_regressor, template.shapedirs)
        keep("joints_shape", joints_shape.reshape(len(joints_shape), -1))
        self.parents = [int(p) for p in template.parents]
        keep("bones", np.eye(len(self.parents)) - (template.parents[:, None] == np.arange(len(self.parents))))

    def joints(self, shape: Tensor) -> Tensor:
        """(B, S) shape to (B, J, 3) joint positions at rest, metres, head frame."""
        return torch.addmm(self.joints_template.flatten(), shape, self.joints_shape).unflatten(1, (-1, 3))

    def linear_directions(self) -> Tensor:
        """(N, 3, S + E) how points move at rest with shape and expression, metres."""
        rows = self.directions[:, 1 : 1 + self.sizes[0] + self.sizes[1]].unflatten(2, (3, -1))
        return rows.permute(0, 3, 2, 1).flatten(0, 1)[: self.n_points]

    def blend(self, fields: Tensor) -> Tensor:
        """(B, J, D) of joints to (B, N, D) of points, by the skinning weights."""
        return self.skinning_weights.mT.flatten(0, 1)[: self.n_points] @ fields

    def forward(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        """Vertices.

        shape : (B, S), or (1, S), one identity for all, which is about twice as fast
        expression : (B, E); pose : (B, J, 3) axis-angle, radians, joint 0 is the global rotation about the root joint.
        Returns (B, N, 3), metres, head frame.
        """
        rotations = rotation_matrix(pose)
        identity = torch.eye(3, dtype=pose.dtype, device=pose.device)
        motion = torch.cat([expression, (rotations[:, 1:] - identity).flatten(1)], 1)
        one = torch.cat([shape.new_ones(len(shape), 1), shape], 1)
        if len(one) == len(motion):
            rest = _linear(torch.cat([one, motion], 1), self.directions)
        else:
            person, moving = self.directions.split((one.shape[1], motion.shape[1]), 1)
            rest = torch.baddbmm(_linear(one, person), motion.expand(len(moving), -1, -1), moving)
        transforms = self._transforms(rotations, self.joints(shape))
        return _Skin.apply(rest.unflatten(2, (3, -1)), transforms, self.skinning_weights, self.n_points)

    def _transforms(self, rotations: Tensor, joints: Tensor) -> Tensor:
        """(B, J, 3, 3) turns of joints (B, J, 3) or (1, J, 3) to (B, J, 3, 4): posed from rest, head frame."""
        steps = (self.bones @ joints)[..., None].expand(*rotations.shape[:3], 1)
        local = torch.cat([rotations, steps], 3)
        last = local.new_tensor([0, 0, 0, 1]).expand(*local.shape[:2], 1, 4)
        own = torch.cat([local, last], 2).unbind(1)
        world = [own[0]]
        for j, parent in enumerate(self.parents[1:], 1):
            world.append(world[parent] @ own[j])
        stacked = torch.stack(world, 1)[:, :, :3]
        turn, place = stacked[..., :3], stacked[..., 3:]
        return torch.cat([turn, place - turn @ joints[..., None]], 3)


def _linear(coefficients: Tensor, directions: Tensor) -> Tensor:
    """(B, K) and (C, K, 3 n) to (C, B, 3 n)."""
    return coefficients.expand(len(directions), -1, -1) @ directions


class _Skin(torch.autograd.Function):
    """Linear blend skinning chunk by chunk, so that what lies between stays in the processor's cache.

    rest : (C, B, 3, n) points at rest, in chunks as `FaceModel.directions`; transforms : (B, J, 3, 4), posed from
    rest; weights : (C, J, n), constant; n_points : N. Returns (B, N, 3).
    """

    @staticmethod
    def forward(ctx: Any, rest: Tensor, transforms: Tensor, weights: Tensor, n_points: int) -> Tensor:
        ctx.save_for_backward(rest, transforms, weights)
        _, batch, _, width = rest.shape
        by_joint = transforms.permute(0, 2, 3, 1).flatten(0, 2)
        blended = rest.new_empty(batch, 3, 4, width)
        moved = blended[:, :, 3]
        out = rest.new_empty(batch, n_points, 3)
        for here, weight, there in zip(rest, weights, out.split(width, 1), strict=True):
            torch.mm(by_joint, weight, out=blended.view(-1, width))
            for k in range(3):
                moved.addcmul_(blended[:, :, k], here[:, k, None])
            there.copy_(moved[..., : there.shape[1]].mT)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        rest, transforms, weights = ctx.saved_tensors
        _, batch, _, width = rest.shape
        turns = transforms[..., :3].permute(0, 2, 3, 1).flatten(0, 2)
        blended, outer = rest.new_empty(batch, 3, 3, width), rest.new_empty(batch, 3, 4, width)
        along = outer[:, :, 3]
        by_rest, by_joint = torch.empty_like(rest), rest.new_zeros(weights.shape[1], batch * 12)
        for here, weight, there, by_here in zip(rest, weights, gradient.split(width, 1), by_rest, strict=True):
            along[..., : there.shape[1]].copy_(there.mT)  # what the last chunk leaves beyond it has no weight
            torch.mm(turns, weight, out=blended.view(-1, width))
            torch.mul(blended[:, 0], along[:, 0, None], out=by_here)
            for i in (1, 2):
                by_here.addcmul_(blended[:, i], along[:, i, None])
            if ctx.needs_input_grad[1]:
                torch.mul(along[:, :, None], here[:, None], out=outer[:, :, :3])
                by_joint.addmm_(weight, outer.view(-1, width).T)
        return by_rest, by_joint.view(-1, batch, 3, 4).transpose(0, 1), None, None


def embed(vertices: Tensor, embedding: Embedding) -> Tensor:
    """Points (B, K, 3) of an embedding on `vertices` (B, V, 3)."""
    triangles = torch.from_numpy(embedding.triangles).to(vertices.device)
    weights = torch.from_numpy(embedding.barycentric).to(vertices)
    return (vertices[:, triangles] * weights[..., None]).sum(2)
