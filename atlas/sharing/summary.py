"""The level summary: statistics of every recording, blurred as far as the audit asks.

Values are standardised within each stimulus by the mean and the standard deviation over people, cut at `CLIP`, and
returned with noise, rounded to steps of at most `STEP` standard deviations. A person's noise is drawn once for all
recordings before a stimulus, so that more recordings do not average it away, and has the correlations that the people's
own values have: it is a random combination of all people's values, sum_j g_ij z_j / sqrt(N) with g standard normal.
So no combination of biomarkers or stimuli holds less noise, in its own standard deviations, than a single one does, and
correlations among biomarkers stay as they are. Means over people are as before but for the noise's own mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CLIP = 3.0  # person-level standard deviations; who lies further out would stay recognisable
STEP = 0.1  # person-level standard deviations: rounding
# in the order of how much has been reported of them in depression and bipolar disorder; see docs/sharing.md
CORE = (
    "AU12", "head_speed", "AU04", "AU14", "blink_rate", "AU15", "face_speed", "blink_duration", "AU06", "AU01",
    "expressivity", "gaze_dispersion",
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """Of people: mean, sd (Q, F) by stimulus; sd is 0 where nobody differs."""

    mean: np.ndarray
    sd: np.ndarray

    @classmethod
    def of(cls, cube: np.ndarray) -> "Scale":
        """Of people's means (N, Q, F)."""
        known = np.isfinite(cube)
        count = known.sum(0)
        mean = np.where(known, cube, 0).sum(0) / np.maximum(count, 1)
        centred = np.where(known, cube - mean, 0)
        return cls(mean, np.sqrt((centred**2).sum(0) / np.maximum(count - 1, 1)))

    def only(self, columns: Sequence[int]) -> "Scale":
        """Of these of the F columns."""
        return Scale(self.mean[:, list(columns)], self.sd[:, list(columns)])

    def z(self, values: np.ndarray, stimulus: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Standardised, cut at `CLIP`: of rows (R, F) before the stimuli (R,), or of (N, Q, F)."""
        sd = self.sd[stimulus]
        z = (values - self.mean[stimulus]) / np.where(sd > 0, sd, 1)
        return np.clip(np.where(np.isnan(z) | (sd > 0), z, 0), -CLIP, CLIP)

    @property
    def steps(self) -> np.ndarray:
        """(Q, F) what values are rounded to: 1, 2 or 5 times a power of ten, at most `STEP` standard deviations."""
        wanted = STEP * np.where(self.sd > 0, self.sd, 1)
        power = 10.0 ** np.floor(np.log10(wanted))
        return power * np.select([wanted >= 5 * power, wanted >= 2 * power], [5.0, 2.0], 1.0)


@dataclass(frozen=True)
class Cost:
    """What blurring costs. error : mean absolute difference from the values as measured, in standard deviations over
    people; correlation : between both over people, mean over biomarkers
    """

    error: float
    correlation: float


def correlated_noise(z: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """(N, Q, F) noise of standard deviation `sd` with the correlations of the people's own z (N, Q, F)."""
    own = np.nan_to_num(z).reshape(len(z), -1)
    own = own - own.mean(0)
    size = np.sqrt((own**2).mean(0))
    unit = own / np.where(size > 0, size, 1)
    return (sd / np.sqrt(len(z)) * rng.normal(size=(len(z), len(z))) @ unit).reshape(z.shape)


def blurred(z: np.ndarray, noise: np.ndarray, scale: Scale, stimulus: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Values in their own units: `z` with `noise` of the same shape, rounded."""
    steps = scale.steps[stimulus]
    values = scale.mean[stimulus] + scale.sd[stimulus] * (z + noise)
    return np.round(values / steps) * steps


def cost(shared: np.ndarray, measured: np.ndarray, scale: Scale, stimulus: np.ndarray) -> Cost:
    """Of rows (R, F) as shared and as measured, before the stimuli (R,)."""
    sd = np.where(scale.sd > 0, scale.sd, np.nan)[stimulus]
    error = float(np.nanmean(np.abs(shared - measured) / sd))
    both = [
        np.corrcoef(a[ok], b[ok])[0, 1]
        for a, b in ((shared[rows, f], measured[rows, f]) for rows, f in _columns(stimulus, scale.sd))
        if (ok := np.isfinite(a) & np.isfinite(b)).sum() > 2 and a[ok].std() > 0 and b[ok].std() > 0
    ]
    return Cost(error, float(np.mean(both)) if both else float("nan"))


def _columns(stimulus: np.ndarray, sd: np.ndarray) -> list[tuple[np.ndarray, int]]:
    return [(stimulus == q, f) for q in np.unique(stimulus) for f in np.flatnonzero(sd[q] > 0)]
