"""The verdict on a whole recording."""

import numpy as np
import pytest

from reconstruction.quality import REASONS
from reconstruction.verdict import WORDS, assess


def recording(seconds=10.0, rate=25.0, quality=0.9, **left_out):
    """Verdict on a recording of which the named shares are left out."""
    count = round(seconds * rate)
    reason, start = np.zeros(count, np.uint8), 0
    for name, share in left_out.items():
        reason[start : start + round(share * count)] = REASONS.index(name.replace("_", " "))
        start += round(share * count)
    return assess(reason, REASONS, np.where(reason == 0, quality, 0).astype(np.float32), rate)


def test_every_reason_has_words():
    assert set(REASONS) - {"ok"} <= WORDS.keys()


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        ({}, "good"),
        ({"blurred": 0.05}, "good"),
        ({"blurred": 0.2}, "usable"),
        ({"quality": 0.3}, "usable"),
        ({"seconds": 3.0}, "usable"),
        ({"no_face": 0.4, "occluded": 0.4}, "not usable"),
        ({"seconds": 0.4}, "not usable"),
        ({"no_face": 1.0}, "not usable"),
    ],
)
def test_verdicts(given, verdict):
    found = recording(**given)
    assert found.verdict == verdict
    if verdict != "good":
        assert found.reasons
        assert found.advice


def test_reasons_are_named_worst_first_with_their_share():
    found = recording(blurred=0.1, occluded=0.3, no_face=0.01)
    assert found.reasons == ("hand, mask or object before the face (30 %)", "blurred (10 %)")
    assert found.advice[1] == "focus on the face and hold the camera still"
    assert found.used == pytest.approx(0.59, abs=0.005)
    assert found.seconds_used == pytest.approx(5.9, abs=0.05)


def test_one_picture_is_usable():
    found = assess(np.zeros(1, np.uint8), REASONS, np.ones(1, np.float32), 1.0)
    assert (found.verdict, found.reasons) == ("usable", ("a single picture",))
