"""What smoothing takes away, and what it leaves."""

import numpy as np
import pytest

from reconstruction.smoothing import SETTLING, local_parabola, noise, smooth

RATE = 25.0
TIME = np.arange(250) / RATE
HEAD = slice(0, 5)


def tremble(seed, rho=0.0, shape=(250, 20)):
    """Noise of standard deviation 1, each frame's correlated with the last one's by rho."""
    rng = np.random.default_rng(seed)
    out = rng.normal(size=shape)
    for t in range(1, len(out)):
        out[t] = rho * out[t - 1] + np.sqrt(1 - rho**2) * out[t]
    return out


def rms(x):
    return np.sqrt((x**2).mean())


@pytest.mark.parametrize(("rho", "most"), [(0.0, 0.2), (0.5, 0.6)])
def test_of_noise_little_is_left(rho, most):
    assert rms(smooth(tremble(0, rho), TIME, RATE)) < most * rms(tremble(0, rho))


@pytest.mark.parametrize(
    "curve", [3 * TIME, 2 * TIME**2 - TIME, 10 * np.sin(2 * np.pi * 0.2 * TIME)], ids=["ramp", "parabola", "sine"]
)
def test_slow_motion_is_followed_without_steps(curve):
    found = smooth(curve[:, None] + tremble(1), TIME, RATE)
    assert rms(found - curve[:, None]) < 0.35
    assert rms(np.diff(found - curve[:, None], axis=0)) < 0.06, "no staircase"
    np.testing.assert_allclose(smooth(curve[:, None], TIME, RATE)[:, 0], curve, atol=0.02)


def test_a_blink_stays_as_deep_and_where_it_was():
    blink = np.exp(-0.5 * ((TIME - TIME[120]) / 0.06) ** 2)[:, None]
    found = smooth(blink + 0.02 * tremble(2), TIME, RATE)
    assert (np.abs(found.argmax(0) - 120) <= 1).all()
    assert (found.max(0) > 0.8).all()
    aside = np.abs(TIME - TIME[120]) > 0.3
    assert rms(found[aside]) < 0.02
    clean = smooth(blink, TIME, RATE)[:, 0]
    np.testing.assert_allclose(clean[90:151], clean[150:89:-1], atol=1e-9, err_msg="a lag")


def test_a_step_is_not_smeared():
    step = np.where(np.arange(len(TIME)) < 125, 0.0, 1.0)[:, None]
    found = smooth(step + 0.02 * tremble(3), TIME, RATE)
    aside = np.abs(np.arange(len(TIME)) - 124.5) > 5
    assert np.abs(found - step)[aside].max() < 0.08


def test_gaps_are_not_crossed_and_short_runs_left():
    time = np.concatenate([np.arange(40), np.arange(50, 90), [100, 101]]) / RATE
    tracks = np.where(np.arange(82) < 40, 0.0, 1.0)[:, None] + np.zeros((1, 2))
    tracks[-2:] = [[5.0, 5.0], [9.0, 7.0]]
    np.testing.assert_allclose(smooth(tracks, time, RATE), tracks, atol=1e-9)


def test_few_frames_a_second_keep_single_frames():
    track = np.zeros((60, 1))
    track[30] = 1.0
    found = smooth(track + 0.01 * tremble(4, shape=(60, 1)), np.arange(60) / 5, 5.0)
    assert found[30] > 0.9
    assert rms(np.delete(found, 30)) < 0.01


def test_a_still_face_comes_out_still_but_for_its_blink():
    tracks = tremble(5)[:50]
    tracks[:SETTLING, :10] += 30 * 0.3 ** np.arange(SETTLING)[:, None]  # the detector settles
    tracks[:, 10] += 30 * np.exp(-0.5 * ((TIME[:50] - 1) / 0.06) ** 2)
    found = smooth(tracks, TIME[:50], RATE, HEAD)
    held = np.delete(found, 10, 1)
    np.testing.assert_array_equal(held, np.broadcast_to(held[:1], held.shape))
    assert np.abs(held).max() < 0.6
    assert found[:, 10].max() > 24
    assert found[:, 10].argmax() == 25
    tracks[:, HEAD] += 20 * np.sin(2 * TIME[:50])[:, None]
    assert np.ptp(smooth(tracks, TIME[:50], RATE, HEAD)[:, 11:], 0).max() > 0.5, "a head that moves holds nothing"
    short, alone = (smooth(tremble(5)[5:25], TIME[5:25], RATE, head) for head in (HEAD, slice(0)))
    np.testing.assert_array_equal(short, alone, err_msg="too short a time to call a head still")


def test_noise_is_told_from_motion_and_blinks():
    tracks = 0.1 * tremble(6) + 5 * np.sin(2 * np.pi * TIME)[:, None]
    tracks[100:104] += 3
    gap = np.zeros(len(TIME) - 1, bool)
    np.testing.assert_allclose(noise(tracks, gap), 0.1, rtol=0.35)
    gap[49] = True
    tracks[50:] += 100
    np.testing.assert_allclose(noise(tracks, gap), 0.1, rtol=0.35)
    assert not noise(tracks[:3], gap[:2]).any()


def test_a_parabola_is_its_own_local_parabola_and_noise_shrinks_as_told():
    curve = np.stack([TIME**2 - TIME, 3 * TIME])
    found, gain = local_parabola(curve, 6.5)
    np.testing.assert_allclose(found, curve, atol=1e-9)
    many, _ = local_parabola(np.random.default_rng(7).normal(size=(4000, 40)), 6.5)
    np.testing.assert_allclose(many.var(0), local_parabola(np.zeros((1, 40)), 6.5)[1], rtol=0.15)
    assert gain[0] > gain[125]


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
def test_a_picture_or_a_few_stay_what_they_are(frames):
    tracks = np.random.default_rng(0).normal(size=(frames, 3))
    np.testing.assert_array_equal(smooth(tracks, np.arange(frames) / 25, 25.0, head=slice(0, 2)), tracks)
