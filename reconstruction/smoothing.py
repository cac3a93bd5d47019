"""Tracks without the detector's tremble: each is smoothed over the longest time in which a curve explains it.

At every frame parabolas are fitted over windows that grow from a blink's length to seconds, and at last the mean of the
whole run; of these the widest is taken whose answer lies within the noise of all narrower ones, by the intersection of
their confidence intervals (Goldenshluger and Nemirovski 1997; Katkovnik 1999). Windows are symmetric: nothing lags.

A head that keeps still carries a face that does: where the head does not move beyond the detector's tremble, every
track that does not either is held at its mean. The frames in which the detector settles do not speak against it.

Runs of frames between gaps are smoothed each by itself.
"""

from collections.abc import Iterator

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import minimum_filter1d, uniform_filter1d

SHORTEST = 0.19  # seconds to either side; a blink keeps its depth within a twentieth or so
LONGEST = 6.0  # seconds to either side; beyond them only the mean of the run is tried
GROWTH = 1.5  # from window to window
SURE = 1.5  # standard deviations within which answers agree. Chosen on renders of people that no calibration has seen
STILL = 10.0  # standard deviations that local answers stray from the mean, at most: of a head that keeps still, in root
# mean square, and of a track that is then held. Fifty noisy copies of one picture give 1 to 4, and up to 8 in 98 % of
# the tracks; heads that move give more than 30, blinks more than 20.
STILL_S = 1.0  # seconds that a head must be seen to keep still
SETTLING = 4  # frames until a detector that has just found the face has settled
FEWEST = 8  # frames in a run that is smoothed
AT_ONCE = 100_000  # numbers smoothed at once
_ORDER, _NORM = 4, 70**0.5  # differences that see only noise, and their standard deviation where that of the noise is 1


def smooth(tracks: np.ndarray, time_s: np.ndarray, frame_rate: float, head: slice = slice(0)) -> np.ndarray:
    """Tracks (T, N) at time_s (T,), seconds, without tremble; `head` : which of them say where the head is."""
    out = tracks.copy()
    if len(tracks) < FEWEST:
        return out
    sd = noise(tracks, np.diff(time_s) > 1.5 / frame_rate)
    for run in np.split(np.arange(len(tracks)), np.flatnonzero(np.diff(time_s) > 1.5 / frame_rate) + 1):
        if len(run) >= FEWEST:
            settled = tracks[run[SETTLING:]]
            still = _still(settled.T, sd, frame_rate, head)
            for some in _few(len(sd), len(run)):
                smoothed = _smooth_run(tracks[run, some].T, sd[some], frame_rate).T
                out[run, some] = np.where(still[some], settled[:, some].mean(0), smoothed)
    return out


def _few(tracks: int, length: int) -> list[slice]:
    """So many tracks at a time that memory hardly grows with their length."""
    at_once = max(1, AT_ONCE // length)
    return [slice(i, i + at_once) for i in range(0, tracks, at_once)]


def noise(tracks: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """(N,) standard deviation of what is white in tracks (T, N), by the median of their fourth differences, which
    motion hardly enters; where most are 0, as of an expression at its bound, by a part of their mean square.

    gap : (T - 1,) bool, where frames are missing
    """
    whole = np.convolve(gap, np.ones(_ORDER), "full")[_ORDER - 1 : len(gap)] == 0
    if not whole.any():
        return np.zeros(tracks.shape[1])
    differences = np.abs(np.diff(tracks, _ORDER, axis=0)[whole]) / _NORM
    middle = 1.4826 * np.median(differences, 0)
    return np.where(middle > 0, middle, 0.3 * np.sqrt((differences**2).mean(0)))


def _still(tracks: np.ndarray, sd: np.ndarray, frame_rate: float, head: slice) -> np.ndarray:
    """(N,) bool, which tracks (N, L) are held at their mean."""

    def stray(which: slice) -> np.ndarray:
        apart = tracks[which] - tracks[which].mean(1, keepdims=True)
        far = [
            (np.abs(now) / (sd[which, None] * np.sqrt(gain) + 1e-12)).max(1)
            for now, gain in _answers(apart, frame_rate)
        ]
        return np.max(far, 0)

    if not len(sd[head]) or tracks.shape[1] < STILL_S * frame_rate or np.sqrt((stray(head) ** 2).mean()) > STILL:
        return np.zeros(len(sd), bool)
    return np.concatenate([stray(some) for some in _few(*tracks.shape)]) <= STILL


def _smooth_run(tracks: np.ndarray, sd: np.ndarray, frame_rate: float) -> np.ndarray:
    """Tracks (N, L) without a gap, whose noise has the standard deviation sd (N,)."""
    middle = tracks.mean(1, keepdims=True)
    reach = 2 * round(SHORTEST * frame_rate / 2) + 1
    out = low = high = agreed = before = np.empty(0)
    for now, gain in _answers(tracks - middle, frame_rate):
        width = SURE * sd[:, None] * np.sqrt(gain)
        if not len(out):
            out, low, high, agreed = now, now - width, now + width, np.ones(now.shape)
        else:
            low, high = np.maximum(low, now - width), np.minimum(high, now + width)
            agreed = agreed * (low <= high)
            # from window to window by degrees, and the narrower one near frames that need it
            share = minimum_filter1d(agreed, reach, 1, mode="nearest")
            out = out + uniform_filter1d(share, reach, 1, mode="nearest") * (now - before)
        before = now
    return out + middle


def _answers(tracks: np.ndarray, frame_rate: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What windows say of tracks (N, L) whose mean is 0, (N, L), from narrow to wide, and the variance (L,) of white
    noise that is left in it.
    """
    length = tracks.shape[1]
    half = SHORTEST * frame_rate
    if half < 3:  # too few frames a second for a parabola
        yield tracks, np.ones(length)
        half = 3.0
    while half < min(length, LONGEST * frame_rate):
        yield local_parabola(tracks, half)
        half *= GROWTH
    yield np.zeros_like(tracks), np.full(length, 1 / length)


def local_parabola(tracks: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray]:
    """At every frame of tracks (N, L), the value of the parabola that fits those less than `half`, at least 3, frames
    away best, weighted by the tricube of the distance (Cleveland 1979); and the variance (L,) of white noise in it.
    """
    length = tracks.shape[1]
    reach = min(int(np.ceil(half)) - 1, length - 1)
    size = next_fast_len(length + 2 * reach, real=True)
    distance = np.arange(-reach, reach + 1) / half
    powers = distance ** np.arange(5)[:, None]
    kernels = rfft(((1 - np.abs(distance) ** 3) ** 3 * powers)[:, ::-1], size)
    squares = rfft(((1 - np.abs(distance) ** 3) ** 6 * powers)[:, ::-1], size)
    inside = rfft(np.ones(length), size)

    def sums(spectrum: np.ndarray) -> np.ndarray:
        return irfft(spectrum, size)[..., reach : reach + length]

    square = np.add.outer(np.arange(3), np.arange(3))
    normal = np.moveaxis(sums(inside * kernels)[square], 2, 0)
    value = np.linalg.inv(normal)[:, 0]  # of the parabola's coefficients, the value at the frame itself
    gain = np.einsum("ti,ijt,tj->t", value, sums(inside * squares)[square], value)
    spectrum = rfft(tracks, size)
    return sum(value[:, k] * sums(spectrum * kernels[k]) for k in range(3)), gain
