"""Tremor: involuntary, rhythmic, oscillatory movement (Bhatia et al. 2018), as the amplitude in a band of frequencies.

The band is 3 to 8 Hz, that of parkinsonian tremor. Syllables of speech fall into it: of a person who speaks, jaw and
lips tell mostly that. Reconstruction smooths away what is not above the detector's noise, and holds a head still that
hardly moves: a fine tremor may not be seen at all.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import periodogram

from atlas.biomarkers.face_geometry import stretches

BAND = (3.0, 8.0)  # Hz
WINDOW_S = 2.0  # seconds of a window, Hann, half overlapping (Welch 1967): half a hertz of resolution
LOWEST_RATE = 20.0  # frames per second; two and a half times the band's end


def tremor_mm(course: np.ndarray, time_s: np.ndarray, valid: np.ndarray, frame_rate: float) -> float:
    """Root mean square amplitude within `BAND` of points' places (T, K, D), in their unit: over time and points.

    NaN below `LOWEST_RATE` or where no stretch of valid frames is `WINDOW_S` long. Stretches count by their length.
    """
    if not frame_rate >= LOWEST_RATE:
        return float("nan")
    width = round(WINDOW_S * frame_rate)
    power, frames = 0.0, 0
    for stretch in stretches(time_s, valid, frame_rate):
        if len(stretch) < width:
            continue
        signals = course[stretch].reshape(len(stretch), -1)
        windows = sliding_window_view(signals, width, axis=0)[:: width // 2]
        # the trend is taken out of every window: of a head that sways it leaks into the band
        at, density = periodogram(windows, frame_rate, "hann", detrend="linear")
        within = (at >= BAND[0]) & (at <= BAND[1])
        amount = density.mean(0)[:, within].sum() * (at[1] - at[0]) / course.shape[1]
        power += len(stretch) * float(amount)
        frames += len(stretch)
    return float(np.sqrt(power / frames)) if frames else float("nan")
