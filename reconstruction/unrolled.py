"""Frames unrolled onto the UV of the face: what light each texel sends, and the frames in register with each other."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import open3d as o3d

from reconstruction.camera import project
from reconstruction.rendering import srgb_to_linear
from reconstruction.shading import Lattice
from reconstruction.texture import even_out
from reconstruction.uv_grid import Surface, UvGrid

FACING = (0.35, 0.7)  # cosine between normal and view: from here skin is looked at, from here with full weight
BEHIND = 0.002  # metres that skin may lie behind what is seen first
FLOW_SMOOTH, FLOW_MOST = 6.0, 4.0  # texels
_EDGE = cv2.BORDER_REPLICATE
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear sRGB


class Canvas:
    """Values of the M texels inside a grid as pictures, for filters."""

    def __init__(self, inside: np.ndarray):
        self.inside = inside

    def draw(self, values: np.ndarray) -> np.ndarray:
        """(SIZE, SIZE, ...) float32 of values (M, ...), 0 elsewhere."""
        out = np.zeros((*self.inside.shape, *values.shape[1:]), np.float32)
        out[self.inside] = values
        return out

    def smooth(self, values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
        """Mean of values (M, ...) round every texel, by weight (M,)."""
        shaped = weight.reshape(-1, *[1] * (values.ndim - 1))
        total = cv2.GaussianBlur(self.draw(values * shaped), (0, 0), sigma)[self.inside]
        share = cv2.GaussianBlur(self.draw(weight), (0, 0), sigma)[self.inside]
        return total / np.maximum(share, 1e-4).reshape(shaped.shape)


@dataclass(frozen=True)
class Shot:
    """One frame on the texels.

    picture : (h, w, 3) uint8, the part that shows the face; where : (M, 2) pixels of it
    surface : in the camera's frame; weight : (M,) 0 unseen to 1
    """

    picture: np.ndarray
    where: np.ndarray
    surface: Surface
    weight: np.ndarray

    def light(self, canvas: Canvas) -> np.ndarray:
        """(M, 3) linear."""
        linear = srgb_to_linear(self.picture).astype(np.float32)
        return cv2.remap(linear, canvas.draw(self.where), None, cv2.INTER_LINEAR, borderMode=_EDGE)[canvas.inside]


def shoot(rgb: np.ndarray, vertices: np.ndarray, grid: UvGrid, faces: np.ndarray, camera_matrix: np.ndarray) -> Shot:
    """What a frame (H, W, 3) shows of the texels; vertices : (V, 3) metres, camera frame."""
    surface = grid.on(vertices)
    distance = np.linalg.norm(surface.place, axis=1)
    ray = surface.place / distance[:, None]
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    rays = np.concatenate([np.zeros_like(ray), ray], 1).astype(np.float32)
    seen = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy() > distance - BEHIND
    where = project(surface.place, camera_matrix)
    seen &= ((where >= 0) & (where <= np.array(rgb.shape[1::-1]) - 1)).all(1)
    facing = -(surface.normal * ray).sum(1)
    weight = seen * np.clip((facing - FACING[0]) / (FACING[1] - FACING[0]), 0, 1)
    if not weight.any():
        return Shot(rgb[:2, :2].copy(), where, surface, weight)
    low = np.floor(where[weight > 0].min(0)).astype(int)
    high = np.ceil(where[weight > 0].max(0)).astype(int) + 1
    return Shot(rgb[low[1] : high[1], low[0] : high[0]].copy(), where - low, surface, weight)


def register(shots: list[Shot], canvas: Canvas, lattice: Lattice) -> list[Shot]:
    """The shots with `where` moved so that the skin lies where it does in the mean over all (Kroeger et al. 2016)."""
    seeker = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    seeker.setFinestScale(0)
    seeker.setVariationalRefinementDelta(0)  # no constancy of brightness, only of its gradient
    seen = [(shot.weight > 0).astype(np.float32) for shot in shots]
    textures = []
    for shot, s in zip(shots, seen, strict=True):
        level = 255 * np.maximum(shot.light(canvas) @ LUMA, 0) ** 0.4
        textures.append((128 + even_out(canvas.draw(level * s), canvas.draw(s) > 0)).astype(np.uint8))
    weights = np.array([canvas.draw(shot.weight) for shot in shots])
    total = weights.sum(0)
    mean = np.where(total > 0, (np.array(textures) * weights).sum(0) / np.maximum(total, 1e-6), 128).astype(np.uint8)
    moved = []
    for shot, texture in zip(shots, textures, strict=True):
        flow = seeker.calc(mean, texture, None)[canvas.inside].clip(-FLOW_MOST, FLOW_MOST)
        u, v = canvas.smooth(flow, shot.weight, FLOW_SMOOTH).T[..., None]
        step = u * (lattice.to_next_column @ shot.where) + v * (lattice.to_next_row @ shot.where)
        moved.append(replace(shot, where=shot.where + step))
    return moved
