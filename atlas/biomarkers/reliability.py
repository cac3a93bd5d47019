"""How well what a report names is recovered: action units and single coefficients, told by the template's calibration.

The figures are those of `reconstruction.reliability`, measured on films of simulated people of the template; an action
unit is a linear combination of motion. Measures such as the blink rate are none, and have no figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from atlas.biomarkers.action_units import ACTION_UNITS, FULL, sided
from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.motion import angles
from reconstruction.reliability import STAGES, Reliability
from reconstruction.template import Template

Figures = Mapping[str, Any]
SIMULATED, UNKNOWN = "simulated", "unknown"
BEYOND_CHANCE = 3.0  # standard errors of a leak: of a thousand that are none, three are still called one
_WORSE_FIRST = (UNKNOWN, *STAGES, SIMULATED)


@dataclass(frozen=True)
class ReliabilityTable:
    """figures : {stage: {quantity: figures}}, empty where the template's calibration has none
    recordings : {stage: how many}, see `FaceSequence.stage`
    people : who were filmed
    """

    figures: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)
    recordings: Mapping[str, int] = field(default_factory=dict)
    people: int = 0

    @property
    def stage(self) -> str:
        """The worst of the recordings': `fast` where one does not say."""
        return self.worst()

    def worst(self, others: Sequence[str] = ()) -> str:
        """The worst stage of the recordings and `others`; `fast` where one is unknown."""
        found = next((stage for stage in _WORSE_FIRST if self.recordings.get(stage) or stage in others), UNKNOWN)
        return STAGES[0] if found == UNKNOWN else found

    def of(self, quantity: str, others: Sequence[str] = ()) -> Figures | None:
        """Figures of a quantity in the worst stage of the recordings and `others`, with ``quality`` the stage's name;
        None where there are none, or where nothing was recovered from pictures.
        """
        stage = self.worst(others)
        found = self.figures.get(stage, {}).get(quantity)
        return None if found is None else {**found, "quality": stage}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the recordings' stages."""
        counts = [f"{self.recordings[stage]} {stage}" for stage in _WORSE_FIRST if self.recordings.get(stage)]
        if len(counts) < 2:
            return ()
        return (
            f"recordings were reconstructed with different qualities ({', '.join(counts)}): they differ for that "
            "alone, and reliability is given for the worst",
        )


def template_figures(template: Template) -> ReliabilityTable:
    """Figures of a template's calibration, still without recordings; empty where there is none or it has none."""
    try:
        measured = load_calibration(template).measured
    except InputError:
        return ReliabilityTable()
    if measured is None:
        return ReliabilityTable()
    return ReliabilityTable({stage: figures(template, measured, stage) for stage in STAGES}, people=measured.people)


def figures(template: Template, measured: Reliability, stage: str) -> dict[str, Figures]:
    """Figures of every coefficient, in its own unit, and of every action unit, in intensity 0 to 5, by name."""
    single = dict(zip(coefficient_names(template), np.eye(len(measured.reach)), strict=True))
    return {
        **_figures(single, measured, stage, dict(zip(single, measured.reach, strict=True))),
        **_figures(unit_weights(template), measured, stage, dict.fromkeys(ACTION_UNITS, FULL)),
    }


def coefficient_names(template: Template) -> tuple[str, ...]:
    """Names of the motion parameters as in `atlas.motion`: the expressions, then ``jaw x``."""
    return template.expression_names + tuple(f"{joint} {'xyz'[axis]}" for joint, axis in angles(template))


def unit_weights(template: Template) -> dict[str, np.ndarray]:
    """{code: (M,)}: intensity, 0 to 5, of every action unit the template can show is weights @ motion within limits."""
    turns = angles(template)
    out = {}
    for code, unit in ACTION_UNITS.items():
        weights = np.zeros(template.n_expression + len(turns))
        for name in unit.expressions:
            weights[list(sided(name, template.expression_names))] = 1
        for i, (joint, axis) in enumerate(turns):
            weights[template.n_expression + i] = unit.axis[axis] / unit.full if joint in unit.joints else 0
        if weights.any():
            out[code] = FULL * weights / np.count_nonzero(weights)
    return out


def leaks(weights: np.ndarray, measured: Reliability, stage: str, full: np.ndarray) -> np.ndarray:
    """(K, K) how much of quantity i's range `full` (K,) is recovered when only j moves, through its whole range; 0
    where that may be chance. The diagonal is the slope where nothing else moves.

    weights : (K, M) of the quantities; where j moves, all that it is made of moves alike
    """
    parts = np.count_nonzero(weights, axis=1)[:, None]
    moves = np.divide(full[:, None], weights * parts, out=np.zeros(weights.shape), where=weights != 0)
    leak, error = measured.leaks(weights, moves, stage)
    beyond = (np.abs(leak) > BEYOND_CHANCE * error) | np.eye(len(weights), dtype=bool)
    return np.where(beyond, leak, 0) / full[:, None]


def _figures(
    weights: Mapping[str, np.ndarray], measured: Reliability, stage: str, full: Mapping[str, float]
) -> dict[str, Figures]:
    """full : what counts as all of a quantity's range"""
    if not weights:
        return {}
    names, rows = list(weights), np.array(list(weights.values()))
    ranges = np.array([full[name] or 1.0 for name in names])
    leak = leaks(rows, measured, stage, ranges)
    leak[(rows != 0) @ (rows != 0).T] = 0  # itself, and what is made of the same
    out: dict[str, Figures] = {}
    for i, (name, recovery) in enumerate(zip(names, measured.of(rows, stage), strict=True)):
        known = {
            key: None if value is None or np.isnan(value) else round(value, 4) for key, value in vars(recovery).items()
        }
        most = int(np.abs(leak[i]).argmax())
        source = names[most] if leak[i, most] else None
        out[name] = {**known, "leak_from": source, "leak": round(float(leak[i, most]), 4) if source else None}
    return out
