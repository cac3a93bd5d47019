"""What frames leave at the levels motion and full."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.sharing.sequences import motion_only, traceless


def test_motion_keeps_expression_and_jaw_and_nothing_else(sequence):
    shared = motion_only(sequence)
    assert np.allclose(shared.expression, sequence.expression)
    jaw = sequence.joint_names.index("jaw")
    assert np.allclose(shared.pose[:, jaw], sequence.pose[:, jaw])
    others = [i for i in range(len(sequence.joint_names)) if i != jaw]
    assert not shared.pose[:, others].any()
    assert not np.concatenate([shared.shape, shared.shape_sd, shared.expression_sd, shared.translation.ravel()]).any()
    assert (shared.valid == sequence.valid).all()
    assert set(shared.quality) == {0.0, 1.0}
    other_camera = replace(sequence, camera_matrix=2 * sequence.camera_matrix, image_size=(99, 77))
    assert (motion_only(other_camera).camera_matrix == shared.camera_matrix).all()
    assert shared.image_size == motion_only(other_camera).image_size


def test_times_are_relative_and_even(sequence):
    late = replace(sequence, time_s=np.array([0, 0.11, 0.19, 0.3, 0.405, 0.52]) + 1234.5, frame_rate=9.87)
    late = replace(late, valid=np.ones(6, bool))
    shared = motion_only(late)
    assert shared.frame_rate == 10
    assert shared.time_s == pytest.approx(np.arange(6) / 10)
    smile = sequence.expression_names.index("mouthSmileLeft")
    assert shared.expression[:, smile] == pytest.approx(
        np.interp(shared.time_s, late.time_s - 1234.5, late.expression[:, smile]), abs=1e-6
    )


def test_a_gap_stays_a_gap(sequence):
    holed = replace(sequence, time_s=np.array([0, 0.1, 0.2, 0.9, 1.0, 1.1]), valid=np.ones(6, bool))
    shared = motion_only(holed)
    assert len(shared) == 12
    assert shared.valid.tolist() == [True] * 3 + [False] * 6 + [True] * 3
    assert not shared.expression[~shared.valid].any()


def test_full_loses_its_traces(sequence):
    told = replace(sequence, provenance={"quality": "fast", "file": "/home/x", "seed": 3}, time_s=sequence.time_s + 9)
    shared = traceless(told)
    assert shared.provenance == {"quality": "fast"}
    assert shared.time_s[0] == 0
    assert shared.reason_names == ("ok", "left out")
    assert set(shared.reason[~shared.valid]) == {1}
    assert (shared.shape == sequence.shape).all()
    assert traceless(replace(sequence, provenance={"quality": "by Karl"})).provenance == {}
