"""Camera and head pose."""

import numpy as np
import pytest

from reconstruction.camera import camera_from_head, default_camera_matrix, head_pose, project, solve_pose

RNG = np.random.default_rng(0)
POINTS = RNG.uniform(-0.08, 0.08, (60, 3))
MATRIX = default_camera_matrix(640, 480)


def test_default_camera_matrix():
    assert MATRIX[0, 0] == pytest.approx(1.2 * 640)
    assert default_camera_matrix(480, 640)[0, 0] == MATRIX[0, 0], "a phone held upright has the same lens"
    assert default_camera_matrix(640, 480, 500)[1, 1] == 500


def test_head_pose_inverts_camera_from_head():
    pose, translation = np.array([0.2, -0.4, 0.1]), np.array([0.01, 0.02, 0.6])
    back = head_pose(camera_from_head(pose, translation))
    np.testing.assert_allclose(back[0], pose, atol=1e-9)
    np.testing.assert_allclose(back[1], translation)


@pytest.mark.parametrize("start", [False, True])
def test_solve_pose_is_robust_to_wrong_points(start):
    true = camera_from_head(np.array([0.1, 0.5, -0.1]), np.array([0.02, 0.0, 0.7]))
    pixels = project(POINTS, MATRIX, true) + RNG.normal(0, 0.3, (60, 2))
    pixels[:6] += 60
    near = camera_from_head(np.array([0.0, 0.4, 0.0]), np.array([0.0, 0.0, 0.8])) if start else None
    found = solve_pose(POINTS, pixels, MATRIX, near)
    np.testing.assert_allclose(found[:3, :3], true[:3, :3], atol=0.02)
    np.testing.assert_allclose(found[:3, 3], true[:3, 3], atol=0.01)


def test_project_batches():
    poses = np.stack([camera_from_head(np.zeros(3), np.array([0, 0, z])) for z in (0.5, 1.0)])
    pixels = project(np.stack([POINTS, POINTS]), MATRIX, poses)
    assert pixels.shape == (2, 60, 2)
    spread = np.ptp(pixels, axis=1)
    assert (spread[0] > 1.7 * spread[1]).all()
