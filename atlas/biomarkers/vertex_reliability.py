"""How well the overlays' quantities are recovered at every vertex, told by the films of a template's calibration.

The share of a quantity's variance that is recovered, 1 - (mean squared error) / (variance of the truth): the
coefficient of determination of recovered against true values, with nothing fitted between them. For `motion` it is
taken within person, tr(D_v (C - E) D_v^T) / tr(D_v C D_v^T) with C the true motion's covariance, E the error's, and
D_v the vertex's directions; for `outward` over people, of their means along the outward normal, the mean error over all
people taken out, because groups are compared.
"""

from collections.abc import Mapping

import numpy as np

from atlas.biomarkers.reliability import coefficient_names
from atlas.motion import MotionSpace
from atlas.overlay import MOTION, OUTWARD, outward_directions
from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.reliability import STAGES, Reliability
from reconstruction.template import Template

_STILL = 1e-8  # m^2, a tenth of a millimetre: what moves less is not judged


def vertex_reliability(template: Template, space: MotionSpace, stage: str) -> Mapping[str, np.ndarray]:
    """{kind: (V,) float32, 0 to 1} of recordings of a stage of `STAGES`; NaN where nothing moves. Empty where the
    template has no calibration with reliability, or the stage is none, as with simulated parameters.
    """
    try:
        measured = load_calibration(template).measured
    except InputError:
        return {}
    return {} if measured is None or stage not in STAGES else recovered_share(template, space, measured, stage)


def recovered_share(template: Template, space: MotionSpace, measured: Reliability, stage: str) -> dict[str, np.ndarray]:
    """{kind: (V,) float32}: share of the variance recovered, not below 0; NaN where nothing moves."""
    columns = [space.names.index(name) for name in coefficient_names(template)]
    directions = space.directions[:, :, columns].astype(np.float64)
    outward = outward_directions(template, space)[:, columns] / 1000
    true, error = measured.true, getattr(measured, stage) - measured.true
    _, at, frames = np.unique(measured.person, return_inverse=True, return_counts=True)

    def means(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(frames), values.shape[1]))
        np.add.at(sums, at, values)
        return sums / frames[:, None]

    within = [np.cov(x - means(x)[at], rowvar=False) for x in (true, error)]
    between = [np.cov(means(x), rowvar=False) for x in (true, error)]
    return {
        MOTION: _share(*(np.einsum("vdm,mn,vdn->v", directions, c, directions, optimize=True) for c in within)),
        OUTWARD: _share(*(np.einsum("vm,mn,vn->v", outward, c, outward, optimize=True) for c in between)),
    }


def _share(variance: np.ndarray, error: np.ndarray) -> np.ndarray:
    moves = variance > _STILL
    share = 1 - np.divide(error, variance, out=np.full(len(variance), np.nan), where=moves)
    return np.maximum(share, 0, where=moves, out=share).astype(np.float32)
