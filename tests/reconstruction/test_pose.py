"""Poses of known points, and the focal length found again."""

import numpy as np
import pytest
import torch

from reconstruction.camera import camera_from_head, default_camera_matrix, project
from reconstruction.pose import estimate_camera_matrix, solve_poses

CAMERA = default_camera_matrix(640, 480)


@pytest.fixture(scope="module")
def marks(template):
    return template.landmarks68(template.v_template).astype(np.float64)


@pytest.fixture(scope="module")
def poses():
    rng = np.random.default_rng(0)
    turns = rng.normal(0, [0.3, 0.6, 0.4], (20, 3))
    return np.stack([camera_from_head(turn, [0.1 * turn[0], 0.0, 0.2 + 0.1 * i]) for i, turn in enumerate(turns)])


def solved(marks, pixels):
    places = torch.from_numpy(np.tile(marks, (len(pixels), 1, 1)))
    view, found = solve_poses(places, torch.from_numpy(pixels), torch.from_numpy(CAMERA))
    return view.camera_from_head(), found.numpy()


def test_poses_are_found_near_and_far_and_despite_wrong_points(marks, poses):
    pixels = project(marks, CAMERA, poses)
    found, all_found = solved(marks, pixels)
    assert all_found.all()
    np.testing.assert_allclose(found, poses, atol=1e-4)
    wrong = pixels.copy()
    wrong[:, ::10] += 0.02 * np.ptp(pixels, 1)[:, None]
    np.testing.assert_allclose(solved(marks, wrong)[0], poses, atol=2e-2)
    assert np.median(np.abs(solved(marks, wrong)[0] - poses).max((1, 2))) < 1e-4


def test_points_that_fit_no_pose_are_told_and_change_no_other(marks, poses):
    pixels = project(marks, CAMERA, poses)
    spoilt = pixels.copy()
    spoilt[7] = np.nan
    found, which = solved(marks, spoilt)
    assert np.flatnonzero(~which).tolist() == [7]
    np.testing.assert_array_equal(found[which], solved(marks, pixels)[0][which])


@pytest.mark.parametrize("ratio", [0.9, 1.3, 2.2])
def test_the_focal_length_is_found_again(marks, ratio):
    camera_matrix = default_camera_matrix(640, 480, ratio * 640)
    yaws = np.linspace(-0.4, 0.4, 9)
    heads = np.stack([camera_from_head(np.array([0.1, yaw, 0]), np.array([0, 0, 0.5])) for yaw in yaws])
    found = estimate_camera_matrix(np.tile(marks, (9, 1, 1)), project(marks, camera_matrix, heads), 640, 480)
    assert found[0, 0] == pytest.approx(ratio * 640, rel=0.1)
    np.testing.assert_array_equal(found[:2, 2], camera_matrix[:2, 2])


@pytest.mark.parametrize("points", [np.zeros((2, 8, 3)), np.full((2, 8, 3), np.nan)])
def test_points_that_fit_no_pose_leave_the_default_camera(points):
    np.testing.assert_array_equal(estimate_camera_matrix(points, np.zeros((2, 8, 2)), 640, 480), CAMERA)
