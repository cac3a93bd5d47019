"""Average courses over time."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.motion import MotionSpace
from atlas.trajectories import TrajectorySums, course
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture
def rising(sequence: FaceSequence) -> FaceSequence:
    """41 frames, 25 a second, every expression rising from 0 at 0 s to 1.6 at 1.6 s; recorded from 3 s on."""
    time = np.arange(41) / 25
    n = sequence.expression.shape[1]
    return replace(
        sequence,
        expression=np.repeat(time[:, None], n, 1).astype(np.float32),
        pose=np.zeros((41, sequence.pose.shape[1], 3), np.float32),
        translation=np.zeros((41, 3), np.float32),
        time_s=3 + time,
        valid=np.ones(41, bool),
        quality=np.ones(41, np.float32),
        reason=np.zeros(41, np.uint8),
        frame_rate=25.0,
    )


def test_a_course_is_read_at_ten_times_a_second_from_the_start(rising: FaceSequence, space: MotionSpace) -> None:
    found = course(rising, space)
    assert found.shape == (17, space.size)
    np.testing.assert_allclose(found[:, 0], np.arange(17) / 10, atol=1e-6)
    np.testing.assert_array_equal(found[:, -1], 0)


def test_gaps_are_not_bridged(rising: FaceSequence, space: MotionSpace) -> None:
    valid = ~np.isin(np.arange(41), np.arange(10, 21))  # 0.4 to 0.8 s
    masked = replace(rising, valid=valid, expression=rising.expression * valid[:, None])
    found = course(masked, space)[:, 0]
    unknown = np.isnan(found)
    np.testing.assert_array_equal(np.flatnonzero(unknown), [4, 5, 6, 7, 8])
    np.testing.assert_allclose(found[~unknown], np.arange(17)[~unknown] / 10, atol=1e-6)
    dropped = replace(rising, **{n: getattr(rising, n)[valid] for n in ("expression", "pose", "time_s", "valid")})
    missing = np.isnan(course(dropped, space)[:, 0])  # frames that are not there at all
    np.testing.assert_array_equal(np.flatnonzero(missing), [4, 5, 6, 7, 8])


def test_people_count_alike_and_only_where_they_were_seen() -> None:
    sums = TrajectorySums()
    rng = np.random.default_rng(0)
    everyone = [rng.normal(size=(n, 3)) for n in (30, 20, 20, 8)]
    everyone[0][5] = np.nan
    for rows in everyone:
        sums.add("HC", "anger", [rows.astype(np.float32)])
    sums.add("HC", "fear", [np.zeros((4, 3)), np.ones((6, 3))])  # one person, two recordings
    made = sums.trajectories({})
    mean = made["HC"]["anger"]
    assert len(mean.time_s) == 20  # as long as at least half of them
    np.testing.assert_array_equal(mean.people, [3 if i == 5 else 4 if i < 8 else 3 for i in range(20)])
    padded = np.full((4, 30, 3), np.nan)
    for i, rows in enumerate(everyone):
        padded[i, : len(rows)] = rows
    np.testing.assert_allclose(mean.motion, np.nanmean(padded, 0)[:20], atol=1e-6)
    np.testing.assert_allclose(mean.sd, np.nanstd(padded, 0, ddof=1)[:20], atol=1e-6)
    np.testing.assert_allclose(made["HC"]["fear"].motion[:, 0], [0.5, 0.5, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(made["HC"]["fear"].sd, 0)


def test_times_at_which_few_were_seen_are_left_out() -> None:
    sums = TrajectorySums()
    for i in range(12):
        rows = np.ones((6, 2))
        rows[2 if i < 3 else []] = np.nan
        sums.add("MDD", "anger", [rows])
    made = sums.trajectories({"MDD": 10})["MDD"]["anger"]
    np.testing.assert_allclose(made.time_s, [0, 0.1, 0.3, 0.4, 0.5])
    assert sums.trajectories({"MDD": 13}) == {}


def test_a_recording_of_one_frame_has_a_course(rising: FaceSequence, space: MotionSpace, template: Template) -> None:
    one = replace(rising, **{n: getattr(rising, n)[10:11] for n in ("expression", "pose", "time_s", "valid")})
    np.testing.assert_allclose(course(one, space)[:, 0], [0.4])
