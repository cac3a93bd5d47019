"""The camera: poses there and back, and cameras given."""

import numpy as np
import pytest

from reconstruction.camera import (
    camera_from_head,
    given_camera_matrix,
    head_pose,
)
from reconstruction.errors import InputError


def test_head_pose_is_the_inverse_of_camera_from_head():
    pose, translation = np.array([0.1, -0.3, 0.2]), np.array([0.02, -0.01, 0.7])
    back = head_pose(camera_from_head(pose, translation))
    np.testing.assert_allclose(back[0], pose, atol=1e-9)
    np.testing.assert_allclose(back[1], translation)
    many = camera_from_head(np.tile(pose, (2, 4, 1)), translation)
    np.testing.assert_allclose(head_pose(many)[0], np.tile(pose, (2, 4, 1)), atol=1e-9)


def test_a_given_camera_by_focal_length_or_field_of_view():
    by_view, by_focal = (given_camera_matrix(640, 360, *given) for given in ((None, 90), (320.0, None)))
    np.testing.assert_allclose(by_view, by_focal)
    np.testing.assert_allclose(by_focal, [[320, 0, 319.5], [0, 320, 179.5], [0, 0, 1]])
    assert given_camera_matrix(640, 360, None, None) is None


@pytest.mark.parametrize(
    "given", [(-3.0, None), (0.0, None), (float("nan"), None), (None, 180.0), (None, 0.0), (5.0, None)]
)
def test_a_camera_that_does_not_exist(given):
    with pytest.raises(InputError, match="expected a horizontal field of view of 1 to 160 degrees"):
        given_camera_matrix(640, 360, *given)


def test_one_camera_is_enough():
    with pytest.raises(InputError, match="got both"):
        given_camera_matrix(640, 360, 900.0, 60.0)
