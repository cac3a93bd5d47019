"""People of known parameters seen by a detector without fault, and the calibration learnt from them: fast and exact."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from reconstruction.calibration import Calibration
from reconstruction.camera import project
from reconstruction.face_model import FaceModel
from reconstruction.motion import motion_to_pose
from reconstruction.photographer import Renders, random_camera, random_motion
from reconstruction.template import Template
from reconstruction.training import learn

Detect = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
PEOPLE, FRAMES = 130, 6


@pytest.fixture(scope="session")
def detect_ideally(template: Template) -> Detect:
    """``(shape (S,), motion (T, M), camera_matrix, camera_from_head (T, 4, 4))`` to the points (T, 478, 3) that a
    detector without fault reports: pixels, and depth on the same scale.
    """
    model = FaceModel(template, embedding=template.landmarks478)

    def detect(shape, motion, camera_matrix, camera_from_head):
        n = template.n_expression
        with torch.no_grad():
            points = model(
                torch.tensor(np.tile(shape, (len(motion), 1)), dtype=torch.float32),
                torch.tensor(motion[:, :n], dtype=torch.float32),
                torch.from_numpy(motion_to_pose(template, motion)),
            ).numpy()
        points[:, ~template.visible478] = points[:, template.visible478].mean(1, keepdims=True)
        depth = (points @ np.swapaxes(camera_from_head[:, 2:3, :3], 1, 2))[..., 0] + camera_from_head[:, 2:3, 3]
        middle = depth.mean(1, keepdims=True)
        depth = (depth - middle) * camera_matrix[0, 0] / middle
        pixels = project(points, camera_matrix, camera_from_head)
        return np.concatenate([pixels, depth[..., None]], 2).astype(np.float32)

    return detect


@pytest.fixture(scope="session")
def ideal_renders(template: Template, detect_ideally: Detect) -> Renders:
    """Random people as in training, but without pictures; a third of a pixel of tremble."""
    parts = []
    for person in range(PEOPLE):
        rng = np.random.default_rng([5, person])
        shape = rng.normal(size=template.n_shape).clip(-3, 3)
        motion = random_motion(template, FRAMES, rng)
        camera_matrix, poses = random_camera(template, FRAMES, rng)
        points = detect_ideally(shape, motion, camera_matrix, poses)
        points += rng.normal(0, 0.3, points.shape).astype(np.float32)
        cameras = np.tile(camera_matrix, (FRAMES, 1, 1))
        parts.append(Renders(points, np.tile(shape, (FRAMES, 1)), motion, np.full(FRAMES, person), cameras, poses))
    return Renders.join(parts)


@pytest.fixture(scope="session")
def ideal_calibration(template: Template, ideal_renders: Renders) -> Calibration:
    """What training makes of them."""
    return learn(template, ideal_renders, {"people": PEOPLE, "frames_each": FRAMES})
