"""Boxes joined into tracks."""

import numpy as np

from reconstruction.landmarks import Detection
from reconstruction.tracking import FaceTracker, distinct


def face(x, y, size) -> Detection:
    points = np.zeros((478, 3), np.float32)
    return Detection(points, 1.0, (x - size / 2, y - size / 2, x + size / 2, y + size / 2))


def follow(courses, rate=25.0):
    """Tracks of every frame; courses: one {frame: (x, y, size)} a person, listed in a random order."""
    tracker, rng, out = FaceTracker(), np.random.default_rng(0), []
    for t in range(max(max(course) for course in courses) + 1):
        here = [(i, face(*course[t])) for i, course in enumerate(courses) if t in course]
        rng.shuffle(here)
        tracks = tracker.assign([one for _, one in here], t / rate)
        by_face = {id(one): track for track, one in tracks.items()}
        out.append({i: by_face[id(one)] for i, one in here})
    return out


def test_sizes_that_cross_swap_nobody():
    left = {t: (100 + t, 100, 60 + 4 * t) for t in range(20)}
    right = {t: (320 - t, 110, 140 - 4 * t) for t in range(20)}
    found = follow([left, right])
    assert all(frame == found[0] for frame in found)


def test_who_was_away_a_moment_is_the_same_and_the_other_stays():
    left = {t: (100, 100, 80) for t in range(30)}
    right = {t: (300 + 2 * (t > 15), 100, 90) for t in range(30) if not 10 <= t < 16}
    found = follow([left, right])
    assert {frame[0] for frame in found} == {found[0][0]}
    assert {frame[1] for frame in found if 1 in frame} == {found[0][1]}


def test_who_appears_elsewhere_at_once_is_somebody_new():
    found = follow([{t: (100 if t < 5 else 500, 100, 60) for t in range(10)}])
    assert found[4][0] == 0
    assert found[5][0] == found[9][0] == 1


def test_a_face_found_twice_counts_once():
    twice = [face(100, 100, 80), face(110, 105, 70), face(190, 100, 60)]
    assert distinct(twice) == [twice[0], twice[2]]
    assert FaceTracker().assign([], 0.0) == {}
