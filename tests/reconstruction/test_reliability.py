"""How well motion is recovered, by numbers that are known beforehand."""

import numpy as np
import pytest

from reconstruction.reliability import Reliability

PEOPLE, FRAMES, SIZE = 40, 50, 4
NOISE, SLOPE, LEAK = 0.1, 0.8, 0.3


@pytest.fixture(scope="module")
def reliability():
    """Four parameters of which the first is recovered with noise, a slope and a leak of the second, all with a bias for
    every person; the third is never moved and the fourth not recovered. `fast` has five times the noise.
    """
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(PEOPLE), FRAMES)
    true = rng.uniform(0, 1, (PEOPLE * FRAMES, SIZE))
    true[:, 2] = 0
    bias = rng.normal(0, 0.5, (PEOPLE, SIZE))[person]
    noise = rng.normal(0, NOISE, true.shape)
    found = true.copy()
    found[:, 0] = SLOPE * true[:, 0] + LEAK * true[:, 1]
    found[:, 3] = 0
    return Reliability(true, found + bias + 5 * noise, found + bias + noise, person)


def test_planted_slope_noise_and_leak_are_found(reliability):
    first, second, third, fourth = reliability.every("full")
    spread = 1 / 12  # variance of the uniform truth
    assert first.slope == pytest.approx(SLOPE, abs=0.03)
    assert first.r == pytest.approx(SLOPE / np.sqrt(SLOPE**2 + LEAK**2 + NOISE**2 / spread), abs=0.02)
    assert first.low < first.r < first.high
    assert first.error_sd == pytest.approx(np.sqrt(((1 - SLOPE) ** 2 + LEAK**2) * spread + NOISE**2), rel=0.05)
    assert second.error_sd == pytest.approx(NOISE, rel=0.05)
    assert second.between < 0.4, "the bias of a person is no matter within, but between"
    assert np.isnan([third.r, third.slope]).all()
    assert third.detection_limit is None
    assert fourth.detection_limit is None
    assert abs(fourth.r) < 0.1
    leak, error = reliability.leaks(np.eye(SIZE), np.eye(SIZE), "full")
    np.testing.assert_allclose(leak[0], [SLOPE, LEAK, 0, 0], atol=0.03)
    np.testing.assert_allclose(leak[1], [0, 1, 0, 0], atol=0.03)
    assert error[1, 0] == pytest.approx(NOISE / np.sqrt(spread * PEOPLE * FRAMES), rel=0.4)
    assert (np.abs(leak[:2, 3]) < 4 * error[:2, 3]).all()
    assert first.r > reliability.every("fast")[0].r


def test_the_detection_limit_is_curries(reliability):
    first, second, *_ = reliability.every("full")
    blank = np.sqrt(NOISE**2 + LEAK**2 / 12)  # what leaks is part of the blank
    assert first.detection_limit == pytest.approx(3.29 * blank / SLOPE, rel=0.05)
    assert second.detection_limit == pytest.approx(3.29 * NOISE, rel=0.05)
    assert reliability.every("fast")[1].detection_limit is None, "1.6 on a scale from 0 to 1"
    rng = np.random.default_rng(1)
    blank, moved = rng.normal(0, NOISE, 100_000), rng.normal(second.detection_limit, NOISE, 100_000)
    decision = second.detection_limit / 2
    assert (blank > decision).mean() == pytest.approx(0.05, abs=0.01)
    assert (moved < decision).mean() == pytest.approx(0.05, abs=0.01)


def test_a_combinations_figures_are_those_of_its_course(reliability):
    weights = np.array([[0.5, 0.5, 0, 0], [0, 2.0, 0, 0]])
    mean, double = reliability.of(weights, "full")
    by_hand = []
    for values in (reliability.true, reliability.full):
        course = values[:, :2].mean(1).reshape(PEOPLE, FRAMES)
        by_hand.append((course - course.mean(1, keepdims=True)).ravel())
    assert mean.r == pytest.approx(np.corrcoef(by_hand)[0, 1], abs=1e-9)
    assert mean.slope == pytest.approx(np.polyfit(*by_hand, 1)[0])
    single = reliability.every("full")[1]
    assert double.r == pytest.approx(single.r)
    assert double.detection_limit == pytest.approx(2 * single.detection_limit)
    assert double.reach == pytest.approx(2 * single.reach)


def test_the_interval_is_over_people(reliability):
    """One person who is recovered upside down is a chance event of many frames: it widens the interval."""
    odd = reliability.full.copy()
    mine = reliability.person == 0
    odd[mine, 1] = -odd[mine, 1]
    wide = Reliability(reliability.true, reliability.fast, odd, reliability.person).every("full")[1]
    narrow = reliability.every("full")[1]
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


def test_joined_parts_are_the_whole(reliability):
    first = reliability.person < 7
    parts = [Reliability(*(v[use] for v in vars(reliability).values())) for use in (first, ~first)]
    again = Reliability.join(parts)
    assert again.people == PEOPLE
    for one, other in zip(again.every("fast"), reliability.every("fast"), strict=True):
        np.testing.assert_allclose(np.array([*vars(one).values()], float), np.array([*vars(other).values()], float))
