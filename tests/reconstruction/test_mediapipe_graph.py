"""Landmarks read from their bytes are what protocol buffers' own classes read."""

import numpy as np
import pytest

from reconstruction.mediapipe_graph import read_landmarks


def message(points, **more) -> bytes:
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    out = NormalizedLandmarkList()
    for x, y, z in points:
        out.landmark.add(x=x, y=y, z=z, **more)
    return out.SerializeToString()


@pytest.mark.parametrize("more", [{}, {"visibility": 0.5}, {"visibility": 0.5, "presence": 1.0}])
@pytest.mark.parametrize("count", [0, 1, 478, 17 * 22])
def test_any_form_gives_the_same_points(count, more):
    points = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    read = read_landmarks(message(points.tolist(), **more))
    assert (read.dtype, read.shape) == (np.float32, (count, 3))
    np.testing.assert_array_equal(read, points)


def test_a_point_without_depth_has_none():
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    out = NormalizedLandmarkList()
    out.landmark.add(x=0.25, y=0.5)
    np.testing.assert_array_equal(read_landmarks(out.SerializeToString()), [[0.25, 0.5, 0]])
