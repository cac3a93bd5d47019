"""Random people of a template filmed: they move before a camera that stands still, in light that stays what it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction.camera import FACING
from reconstruction.detectors import BUNDLED, DetectorChoice
from reconstruction.image_features import SIDE, crop
from reconstruction.photographer import Photographer, look_twice, random_camera, random_motion
from reconstruction.template import Template

BUMPS = 3  # movements that one film passes through


@dataclass(frozen=True)
class Film:
    """One person in T frames, with the truth; iterated as a `Video` is, ``(index, time_s, grey)``, a frame a second.

    greys : T pictures (H, W) uint8; points : (T, 478, 3) pixels, and crops : (T, SIDE, SIDE) uint8, see
        `image_features`, zero where not `found` (T,) bool
    shape : (S,); motion : (T, M); camera_matrix : (3, 3) pixels; camera_from_head : (T, 4, 4) metres
    """

    greys: list[np.ndarray]
    points: np.ndarray
    crops: np.ndarray
    found: np.ndarray
    shape: np.ndarray
    motion: np.ndarray
    camera_matrix: np.ndarray
    camera_from_head: np.ndarray

    def __iter__(self) -> Iterator[tuple[int, float, np.ndarray]]:
        return ((t, float(t), grey) for t, grey in enumerate(self.greys))


def film_people(
    template: Template, people: int, frames: int, seed: int, first: int = 0, detector: DetectorChoice = BUNDLED
) -> Iterator[Film]:
    """Films of people `first` to `first + people`, one after another."""
    photographer = Photographer(template)
    with detector.open(tracking=True, min_confidence=0.3) as finder:
        for number in range(first, first + people):
            rng = np.random.default_rng([seed, number])
            person = photographer.person(moving, frames, rng)
            camera_matrix, poses = turning(template, frames, rng)
            scene = photographer.scene(rng)
            greys, points, found = [], np.zeros((frames, 478, 3)), np.zeros(frames, bool)
            crops = np.zeros((frames, SIDE, SIDE), np.uint8)
            for t in range(frames):
                picture = photographer.photograph(
                    person.vertices[t], person.colours, camera_matrix, poses[t], scene, rng
                )
                faces = look_twice(finder, picture)
                found[t] = bool(faces)
                if faces:
                    points[t], crops[t] = faces[0].points, crop(picture, faces[0].points)
                greys.append(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            yield Film(greys, points, crops, found, person.shape, person.motion, camera_matrix, poses)


def moving(template: Template, frames: int, rng: np.random.Generator) -> np.ndarray:
    """(T, M) motion that swells and ebbs, every parameter at a time and pace of its own; both sides keep time."""
    peaks = random_motion(template, BUMPS, rng)
    names = template.expression_names
    time = np.linspace(0, 1, frames)[:, None]
    motion = np.zeros((frames, peaks.shape[1]))
    for peak in peaks:
        middle, width = rng.uniform(0, 1, len(peak)), rng.uniform(0.05, 0.3, len(peak))
        for i, name in enumerate(names):
            if name.endswith("Right") and name.removesuffix("Right") + "Left" in names:
                left = names.index(name.removesuffix("Right") + "Left")
                middle[i], width[i] = middle[left], width[left]
        motion += peak * np.exp(-0.5 * ((time - middle) / width) ** 2)
    motion[:, : template.n_bounded] = motion[:, : template.n_bounded].clip(0, 1)
    return motion


def turning(template: Template, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Camera (3, 3) and head poses (T, 4, 4), camera from head: shaking, nodding and tilting, slowly."""
    camera_matrix, poses = random_camera(template, frames, rng)
    middle = template.landmarks68(template.v_template).mean(0)
    distance = poses[:, 2, 3].mean()
    reach = np.radians([rng.uniform(2, 26), rng.uniform(1, 11), rng.uniform(0, 6)])
    start, rest = rng.uniform(0, 2 * np.pi, 3), rng.normal(0, np.radians([5, 4, 3]))
    for pose, time in zip(poses, np.linspace(0, 2 * np.pi * rng.uniform(0.6, 1.5), frames), strict=True):
        yaw, pitch, roll = rest + reach * np.sin(time + start)
        about_z, about_x, about_y = (cv2.Rodrigues(np.array(a))[0] for a in ([0, 0, roll], [pitch, 0, 0], [0, yaw, 0]))
        pose[:3, :3] = FACING @ about_z @ about_x @ about_y
        pose[:3, 3] = np.array([0, 0, distance]) + rng.normal(0, 0.003 * distance, 3) - pose[:3, :3] @ middle
    return camera_matrix, poses
