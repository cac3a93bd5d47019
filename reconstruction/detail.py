"""Wrinkles of a person from the shading of the person's own skin; an optional stage after the fit.

Two dozen good, near-neutral frames, with head poses as different as there are, are unrolled onto the UV of the face and
brought into register; `shading` estimates the light of each and says what of their fine contrast is form. Wrinkle scale
is about 1 to 8 mm. In films of simulated heads that turn, 12 frames of 165 pixels between the eyes, wrinkles of 0.4 mm
come back with a correlation of 0.83 to the truth and half their depth, and moles are carved by 0.05 mm
(scripts/measure_detail.py; README has more).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from reconstruction import __version__
from reconstruction.detail_map import FACE_PIXELS, LIMIT, DetailMap
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.shading import DARKEST, Lattice, fit_light, make_lattice, sensitivity, solve_form
from reconstruction.template import Template
from reconstruction.unrolled import LUMA, Canvas, Shot, register, shoot
from reconstruction.uv_grid import SIZE, Surface, make_grid
from reconstruction.video import Video, open_video

FRAMES = 24
SLOW = 3.5  # texels: what changes more slowly is no wrinkle
EVEN = 8.0  # texels over which albedo is averaged where light is estimated
AROUND = 4.0  # texels, the neighbourhood that says how blotched skin is
CURVED = 0.02  # 1 - length of the mean normal within some 2 texels: sharper than this is form of the coarse mesh
DARK, ROUGH = 0.5, 0.15  # of the log of light: darker than the usual skin, or with more fine contrast, is hair
SPOT = 0.35  # of the log: darker than the skin around than a wrinkle's slope would be
ENOUGH = 1000  # texels that a frame has to show
MARGIN = 5.0  # texels over which displacement fades towards what is unknown
DARKEST_LIGHT = 3e-3  # linear; below it a picture is black


def estimate_detail(
    video: str | Path,
    template: Template,
    sequence: FaceSequence,
    *,
    fps: str | float = "native",
    progress: Callable[[str, int, int], None] | None = None,
) -> DetailMap:
    """The wrinkles of the person that `sequence` was reconstructed from.

    fps : what the reconstruction was made with
    progress : called with (stage, done, total)

    A face of fewer than 150 pixels between the outer eye corners does not show wrinkles: the map says so and is empty;
    up to 165 it is faded.

    Raises
    ------
    InputError
        The recording cannot be read or lacks the sequence's frames, or the parameters belong to another template.
    """
    sequence.check_template(template)
    chosen = choose_frames(sequence)
    grid = make_grid(template)
    pose = sequence.camera_from_head[chosen].astype(float)
    heads = sequence.vertices(template, chosen) @ np.swapaxes(pose[:, :3, :3], 1, 2) + pose[:, None, :3, 3]
    corners = template.landmarks68(heads)[:, [36, 45]]
    apart = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1) / corners[..., 2].mean(1)
    face_pixels = float(np.median(apart) * sequence.camera_matrix[0, 0])
    empty = DetailMap(
        template=template.name,
        template_sha256=template.sha256,
        displacement=np.zeros((SIZE, SIZE), np.float32),
        confidence=np.zeros((SIZE, SIZE), np.float32),
        window=grid.window.astype(np.float32),
        face_pixels=round(face_pixels, 1),
        frames=0,
        simulated=sequence.simulated,
        provenance={"software": f"digital-face-atlas {__version__}", "frames": [int(n) for n in chosen]},
    )
    share = float(np.clip((face_pixels - FACE_PIXELS[0]) / (FACE_PIXELS[1] - FACE_PIXELS[0]), 0, 1))
    if not share:
        return empty
    canvas = Canvas(grid.inside)
    neutral = grid.on(sequence.neutral(template))
    dual = np.stack([neutral.across, neutral.down], 1) / 1000
    lattice = make_lattice(grid.inside, dual @ np.swapaxes(dual, 1, 2))
    shots = []
    for n, rgb in enumerate(_pictures(open_video(video, fps), sequence, chosen)):
        shots.append(shoot(rgb, heads[n], grid, template.faces, sequence.camera_matrix))
        if progress:
            progress("wrinkles", n + 1, len(chosen))
    shots = [shot for shot in shots if (shot.weight > 0.3).sum() > ENOUGH]
    if not shots:
        return empty
    height, confidence = form_of(shots, neutral, canvas, lattice)
    return replace(
        empty,
        frames=len(shots),
        displacement=np.clip(canvas.draw(share * height / 1000), -LIMIT, LIMIT),
        confidence=canvas.draw(share * confidence),
    )


def choose_frames(sequence: FaceSequence, most: int = FRAMES) -> np.ndarray:
    """Frames, rising, from the better half by quality and nearness to neutral, with head poses as different as there
    are: each next one is the farthest from those taken.
    """
    moved = np.abs(sequence.expression).mean(1) + np.abs(sequence.pose[:, 1:]).mean((1, 2))
    score = sequence.quality * np.exp(-moved / max(float(np.median(moved[sequence.valid])), 1e-6))
    candidates = np.flatnonzero(sequence.valid & (score >= np.median(score[sequence.valid])))
    turn = sequence.pose[candidates, 0]
    taken = [int(np.argmax(score[candidates]))]
    far = np.full(len(candidates), np.inf)
    while len(taken) < min(most, len(candidates)):
        far = np.minimum(far, np.linalg.norm(turn - turn[taken[-1]], axis=1))
        far[taken[-1]] = -1
        taken.append(int(np.argmax(far)))
    return np.sort(candidates[taken])


def _pictures(video: Video, sequence: FaceSequence, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Those frames, (H, W, 3) uint8, one at a time."""
    left = chosen.tolist()
    for n, (_, time, rgb) in enumerate(video):
        if n == left[0]:
            if abs(time - sequence.time_s[n]) > 0.5 / video.native_rate:
                break
            yield rgb
            left.pop(0)
            if not left:
                return
    raise InputError(
        f"expected the recording of these parameters, but {video.path.name} has no frames at their times; name the "
        "right file and the same fps as for the reconstruction."
    )


def form_of(shots: list[Shot], neutral: Surface, canvas: Canvas, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    """Displacement, millimetres, and confidence, each (M,)."""
    if len(shots) > 1:
        shots = register(register(shots, canvas, lattice), canvas, lattice)
    colours = np.array([shot.light(canvas) for shot in shots])
    weight = np.array([shot.weight for shot in shots], np.float32)
    albedo, lights = albedo_and_lights(shots, colours @ LUMA, canvas)
    contrasts, across, down = [], [], []
    for shot, light, colour, w in zip(shots, lights, colours, weight, strict=True):
        shade, slope = sensitivity(shot.surface.normal, light)
        w *= np.clip(shade / np.median(shade) / DARKEST - 1, 0, 1)
        level = np.log(np.maximum(colour, DARKEST_LIGHT)) - np.log(shade)[:, None]
        contrasts.append(level - canvas.smooth(level, (w > 0).astype(np.float32), SLOW))
        across.append((slope * shot.surface.across).sum(1) / 1000)
        down.append((slope * shot.surface.down).sum(1) / 1000)
    contrast = np.array(contrasts) @ mix_channels(np.array(contrasts), weight)
    weight *= bare_skin(contrast, albedo, weight, neutral, canvas)
    known = (weight.sum(0) > 0.3).astype(np.float32)
    height, confidence = solve_form(
        contrast, np.array(across), np.array(down), weight, lattice, lambda x: canvas.smooth(x, known, AROUND)
    )
    within = cv2.distanceTransform(canvas.draw(known).astype(np.uint8), cv2.DIST_L2, 5)[canvas.inside]
    return height * np.clip(within / MARGIN, 0, 1), confidence * known


def albedo_and_lights(shots: list[Shot], brightness: np.ndarray, canvas: Canvas) -> tuple[np.ndarray, list[np.ndarray]]:
    """Slowly varying albedo (M,) and every frame's light (9,), in turns, from linear brightness (T, M)."""
    weight = np.array([shot.weight for shot in shots])
    total = weight.sum(0)
    known = (total > 0).astype(np.float32)
    albedo = np.ones(len(total))
    for _ in range(3):
        lights, ratio = [], np.zeros(len(total))
        for shot, bright in zip(shots, brightness, strict=True):
            use = shot.weight > 0.3
            lights.append(fit_light(shot.surface.normal[use], bright[use], albedo[use]))
            ratio += shot.weight * bright / sensitivity(shot.surface.normal, lights[-1])[0]
        albedo = canvas.smooth(ratio / np.maximum(total, 1e-6), known, EVEN)
    return albedo, lights


def mix_channels(contrasts: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3,) how to mix red, green and blue contrast (T, M, 3): shading, alike in all, is kept whole, and what is not
    is taken out as far as can be, since melanin and blood darken blue and green more than red. Least variance with
    shares that sum to 1 (Capon 1969), half a multiple of the identity added, lest it take out coloured light.
    """
    total = weight.sum(0)
    use = total > 0.5
    if use.sum() < 100:
        return np.asarray(LUMA)
    mean = (contrasts * weight[..., None]).sum(0)[use] / total[use, None]
    covariance = np.cov(mean.T)
    share = np.linalg.solve(covariance + 0.5 * np.eye(3) * np.trace(covariance) / 3, np.ones(3))
    return share / share.sum()


def bare_skin(
    contrast: np.ndarray, albedo: np.ndarray, weight: np.ndarray, neutral: Surface, canvas: Canvas
) -> np.ndarray:
    """(M,) 0 hair, a mole or an edge of the coarse form to 1 smooth bare skin."""
    total = weight.sum(0)
    known = (total > 0).astype(np.float32)
    mean = (contrast * weight).sum(0) / np.maximum(total, 1e-6)
    rough = np.sqrt(canvas.smooth(mean**2, known, AROUND))
    usual = np.median(albedo[known > 0]) if known.any() else 1.0
    hair = (rough > ROUGH) | (albedo < usual * np.exp(-DARK))
    everywhere = np.ones_like(known)
    clear = canvas.smooth(hair.astype(np.float32), everywhere, 2.0) < 0.1
    clear &= canvas.smooth((mean < -SPOT).astype(np.float32), everywhere, 1.5) < 0.03
    bend = 1 - np.linalg.norm(canvas.smooth(neutral.normal, everywhere, 2.5), axis=1)
    return clear / (1 + (bend / CURVED) ** 2)
