"""Wrinkles: one map of displacement for a person, from the shading of the person's own skin. Optional; off by default.

Two dozen sharp, near-neutral frames with head poses as different as there are, are unrolled onto the template's UV and brought into register
with each other, their light is estimated, and `shading` says what of their fine contrast is form.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import open3d as o3d

from reconstruction.appearance import even_out
from reconstruction.camera import project
from reconstruction.rendering import srgb_to_linear
from reconstruction.sequence import FaceSequence
from reconstruction.shading import Lattice, fit_light, harmonics, make_lattice, slope_of_light, solve_form
from reconstruction.template import Template
from reconstruction.uv_grid import SIZE, Surface, UvGrid, make_grid, texel_size
from reconstruction.video import Video

FRAMES = 24
FACING = (0.35, 0.7)  # cosine between normal and view: from here skin is looked at, from here with full weight
SLOW = 3.5  # texels: light and albedo that change more slowly are taken out
EVEN = 8.0  # texels over which albedo is smoothed before light is estimated
FLOW_SMOOTH, FLOW_MOST = 6.0, 4.0
DARKEST = 0.25  # of the usual light: in shadows shading says little
STEEPEST = 2.5
HAIRY = 0.2
CURVED = 0.02
LIMIT = 1.0
_LUMA = np.float32([0.2126, 0.7152, 0.0722])
_CELLS = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float32)


def choose_frames(sequence: FaceSequence, most: int = FRAMES) -> np.ndarray:
    """Frames, rising, that are good and near neutral, with head poses as different as there are."""
    moved = np.abs(sequence.expression).mean(1) + np.abs(sequence.pose[:, 1:]).mean((1, 2))
    score = sequence.quality * np.exp(-moved / max(float(np.median(moved[sequence.valid])), 1e-6))
    candidates = np.flatnonzero(sequence.valid & (score >= np.quantile(score[sequence.valid], 0.5)))
    chosen = [int(candidates[np.argmax(score[candidates])])]
    turn = sequence.pose[candidates, 0]
    far = np.linalg.norm(turn - sequence.pose[chosen[0], 0], axis=1)
    while len(chosen) < min(most, len(candidates)):
        far[np.isin(candidates, chosen)] = -1
        chosen.append(int(candidates[np.argmax(far)]))
        far = np.minimum(far, np.linalg.norm(turn - sequence.pose[chosen[-1], 0], axis=1))
    return np.sort(chosen)


@dataclass(frozen=True)
class Shot:
    """One frame on the M texels of the grid.

    picture : (h, w, 3) uint8, the face's part of it; where : (M, 2) pixels of it
    surface : in the camera's frame; weight : (M,) 0 unseen to 1
    """

    picture: np.ndarray
    where: np.ndarray
    surface: Surface
    weight: np.ndarray

    def light(self, canvas: "Canvas") -> np.ndarray:
        """(M, 3) linear."""
        linear = srgb_to_linear(self.picture).astype(np.float32)
        return cv2.remap(linear, canvas.draw(self.where), None, cv2.INTER_LINEAR)[canvas.inside]


def shoot(rgb: np.ndarray, vertices: np.ndarray, grid: UvGrid, faces: np.ndarray, camera_matrix: np.ndarray) -> Shot:
    """vertices : (V, 3) metres, camera frame"""
    surface = grid.on(vertices)
    distance = np.linalg.norm(surface.place, axis=1)
    facing = -(surface.normal * surface.place).sum(1) / distance
    where = project(surface.place, camera_matrix)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    rays = np.concatenate([np.zeros_like(surface.place), surface.place / distance[:, None]], 1).astype(np.float32)
    first = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy() > distance - 0.002
    height, width = rgb.shape[:2]
    inside = ((where >= 0) & (where <= (width - 1, height - 1))).all(1)
    seen = first & inside & (facing > FACING[0])
    weight = seen * np.clip((facing - FACING[0]) / (FACING[1] - FACING[0]), 0.05, 1)
    if seen.any():
        low = np.floor(where[seen].min(0)).astype(int).clip(0)
        high = np.ceil(where[seen].max(0)).astype(int) + 2
    else:
        low, high = np.zeros(2, int), np.full(2, 2)
    return Shot(rgb[low[1] : high[1], low[0] : high[0]].copy(), where - low, surface, weight)


class Canvas:
    """Values of the texels as pictures, for filters."""

    def __init__(self, inside: np.ndarray):
        self.inside = inside

    def draw(self, values: np.ndarray) -> np.ndarray:
        out = np.zeros((*self.inside.shape, *values.shape[1:]), np.float32)
        out[self.inside] = values
        return out

    def smooth(self, values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
        """Mean of values (M, ...) round every texel, by weight (M,)."""
        weight = weight.astype(np.float32)
        shaped = weight.reshape(-1, *[1] * (values.ndim - 1))
        total = cv2.GaussianBlur(self.draw(values * shaped), (0, 0), sigma)[self.inside]
        share = cv2.GaussianBlur(self.draw(weight), (0, 0), sigma)[self.inside]
        return total / np.maximum(share, 1e-4).reshape(shaped.shape)


def register(shots: list[Shot], lights: np.ndarray, canvas: Canvas, lattice: Lattice, rounds: int = 2) -> list[Shot]:
    flow_of = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow_of.setFinestScale(0)
    flow_of.setVariationalRefinementDelta(0)
    for _ in range(rounds):
        lights = np.array([shot.light(canvas) for shot in shots])
        textures = []
        for shot, light in zip(shots, lights, strict=True):
            level = np.log(np.maximum(light @ _LUMA, 3e-3))
            seen = shot.weight > 0
            level = 400 * (level - canvas.smooth(level, seen, SLOW)) 
            textures.append(even_out(canvas.draw(level * seen), canvas.draw(seen) > 0))
        weights = np.array([canvas.draw(shot.weight) for shot in shots])
        reference = (np.array(textures) * weights).sum(0) / np.maximum(weights.sum(0), 1e-3)
        reference = np.where(weights.sum(0) > 0, reference, 128).astype(np.uint8)
        moved = []
        for shot, texture in zip(shots, textures, strict=True):
            flow = flow_of.calc(reference, texture, None)[canvas.inside]
            flow = canvas.smooth(np.clip(flow, -FLOW_MOST, FLOW_MOST), shot.weight, FLOW_SMOOTH)
            where = shot.where + flow[:, :1] * (lattice.to_next_column @ shot.where) + flow[:, 1:] * (lattice.to_next_row @ shot.where)
            moved.append(replace(shot, where=where))
        print('flow rms texels', np.sqrt((flow**2).mean(0)))
        shots = moved
    return shots


def mix_channels(fine: np.ndarray, weight: np.ndarray, loading: float = 0.5) -> np.ndarray:
    """(3,) weights, sum 1."""
    mean = (fine * weight[..., None]).sum(0) / np.maximum(weight.sum(0), 1e-6)[:, None]
    use = weight.sum(0) > 0.5
    c = np.cov(mean[use].T)
    c = c + loading * np.eye(3) * np.trace(c) / 3
    w = np.linalg.solve(c, np.ones(3))
    return w / w.sum()


def estimate(frames: list[np.ndarray], template: Template, sequence: FaceSequence, chosen: np.ndarray, reg: int = 2, debug=None, loading=.5):
    grid = make_grid(template)
    canvas = Canvas(grid.inside)
    neutral = grid.on(sequence.neutral(template))
    size = 1000 * texel_size(neutral)
    dual = 1e-3 * np.stack([neutral.across, neutral.down], 1)
    metric = dual @ np.swapaxes(dual, 1, 2)
    lattice = make_lattice(grid.inside, size, 1 / np.sqrt(np.linalg.det(metric)))
    transform = sequence.camera_from_head[chosen].astype(float)
    heads = sequence.vertices(template, chosen) @ np.swapaxes(transform[:, :3, :3], 1, 2) + transform[:, None, :3, 3]
    shots = [shoot(rgb, v, grid, template.faces, sequence.camera_matrix) for rgb, v in zip(frames, heads, strict=True)]
    if reg and len(shots) > 1:
        shots = register(shots, None, canvas, lattice, reg)
    lights = np.array([s.light(canvas) for s in shots])
    weight = np.array([s.weight for s in shots], np.float32)
    bright = lights @ _LUMA
    albedo = np.ones(bright.shape[1])
    for _ in range(3):
        light = [fit_light(s.surface.normal, b, albedo, s.weight > 0.3) for s, b in zip(shots, bright, strict=True)]
        shade = np.array([harmonics(s.surface.normal) @ l for s, l in zip(shots, light, strict=True)])
        ratio = np.where(weight > 0, bright / np.maximum(shade, 1e-3), 0)
        total = np.maximum(weight.sum(0), 1e-6)
        albedo = canvas.smooth((ratio * weight).sum(0) / total, (weight.sum(0) > 0).astype(float), EVEN)
    usual = np.median(shade, 1, keepdims=True)
    lit = np.clip(shade / usual / DARKEST - 1, 0, 1)
    weight = weight * lit
    logs = np.log(np.maximum(lights, 3e-3)) - np.log(np.maximum(shade, DARKEST * usual))[..., None]
    fine = np.array([l - canvas.smooth(l, w > 0, SLOW) for l, w in zip(logs, weight, strict=True)])
    mix = mix_channels(fine, weight, loading)
    contrast = (fine @ mix)
    mean = (contrast * weight).sum(0) / np.maximum(weight.sum(0), 1e-6)
    rough = np.sqrt(canvas.smooth(mean**2, weight.sum(0) > 0, 3.0))
    weight = weight * (rough < HAIRY)
    bend = 1 - np.linalg.norm(canvas.smooth(neutral.normal, np.ones(len(size)), 2.5), axis=1)
    gentle = 1 / (1 + (bend / CURVED) ** 2)
    weight = weight * gentle
    across, down = [], []
    for s, l, sh in zip(shots, light, shade, strict=True):
        slope = -slope_of_light(s.surface.normal, l) / np.maximum(sh, DARKEST * np.median(sh))[:, None]
        slope *= np.minimum(1, STEEPEST / np.maximum(np.linalg.norm(slope, axis=1), 1e-6))[:, None]
        across.append(1e-3 * (slope * s.surface.across).sum(1))
        down.append(1e-3 * (slope * s.surface.down).sum(1))
    height, alb, conf = solve_form(contrast, np.array(across), np.array(down), weight, lattice, metric, lambda x: canvas.smooth(x, weight.sum(0) > 0, 4.0))
    known = canvas.smooth((weight.sum(0) > 0.5).astype(float), np.ones(len(height)), 1.0)
    rim = cv2.distanceTransform(canvas.draw(weight.sum(0) > 0.3).astype(np.uint8), cv2.DIST_L2, 5)[grid.inside]
    taper = np.clip(rim / 5, 0, 1)
    height = height - canvas.smooth(height, rim > 0, SLOW)
    height, conf = height * taper, conf * (rim > 0)
    if debug is not None:
        debug.update(locals())
    return height, conf, grid
