"""What the picture says beyond the regressor."""

import numpy as np
import pytest

from reconstruction.camera import camera_from_head, default_camera_matrix, project
from reconstruction.photographer import random_motion
from reconstruction.projection import PointModel
from reconstruction.refinement import refine

T = 12
SD = np.full(478, 0.004)
CAMERA = default_camera_matrix(640, 480)


@pytest.fixture(scope="module")
def person(template, detect_ideally):
    rng = np.random.default_rng(2)
    shape, motion = rng.normal(size=template.n_shape), random_motion(template, T, rng)
    heads = np.stack([0.1 * np.sin(np.arange(T)), 0.4 * np.cos(np.arange(T)), np.zeros(T)], 1)
    poses = np.stack([camera_from_head(head, [0.0, 0.0, 0.6]) for head in heads])
    return shape, motion, poses, detect_ideally(shape, motion, CAMERA, poses)[..., :2].astype(float)


def run(template, person, shape, motion, sureness):
    n, m = template.n_shape, motion.shape[1]
    return refine(
        template, shape, sureness * np.eye(n), motion, sureness * np.eye(m), person[3], np.arange(T), SD, CAMERA,
        float(T),
    )  # fmt: skip


def distance(template, shape, motion, poses, pixels):
    """Pixels between the points drawn and seen, median."""
    import torch

    model = PointModel(template, template.landmarks478)
    points = model.points(torch.from_numpy(shape), torch.from_numpy(motion)).numpy()
    apart = np.linalg.norm(project(points, CAMERA, poses) - pixels, axis=2)
    return float(np.median(apart[:, template.visible478]))


def test_the_truth_stays_the_truth_and_the_pose_is_found(template, person):
    true_shape, true_motion, true_poses, pixels = person
    shape, motion, poses = run(template, person, true_shape, true_motion, 10.0)
    np.testing.assert_allclose(shape, true_shape, atol=0.02)
    np.testing.assert_allclose(motion, true_motion, atol=0.02)
    np.testing.assert_allclose(poses, true_poses, atol=0.003)
    assert distance(template, shape, motion, poses, pixels) < 0.2


def test_a_shape_half_known_comes_nearer(template, person):
    true_shape, true_motion, _, pixels = person
    half = 0.3 * true_shape
    fits = {sure: run(template, person, half, true_motion, sure) for sure in (0.3, 1e7)}
    # how far faces are apart, not numbers: what cannot be seen may stay as it was
    apart = {
        sure: np.linalg.norm(template.landmarks68(np.einsum("vds,s->vd", template.shapedirs, fit[0] - true_shape)))
        for sure, fit in fits.items()
    }
    assert apart[0.3] < 0.7 * apart[1e7]
    np.testing.assert_allclose(fits[1e7][0], half, atol=1e-2)
    assert distance(template, *fits[0.3], pixels) < distance(template, *fits[1e7], pixels)


def test_expressions_stay_within_0_and_1(template, person):
    _, motion, _ = run(template, person, person[0], person[1] + 0.5, 1e-3)
    expression = motion[:, : template.n_expression]
    assert expression.min() >= 0
    assert expression.max() <= 1


def test_a_frame_of_wrong_points_does_the_others_little_harm(template, person):
    true_shape, true_motion, true_poses, pixels = person
    spoilt = pixels.copy()
    spoilt[4] += np.random.default_rng(0).normal(0, 40, spoilt[4].shape)
    shape, _, poses = run(template, (*person[:3], spoilt), true_shape, true_motion, 10.0)
    np.testing.assert_allclose(shape, true_shape, atol=0.5)
    np.testing.assert_allclose(np.delete(poses, 4, 0), np.delete(true_poses, 4, 0), atol=0.02)
