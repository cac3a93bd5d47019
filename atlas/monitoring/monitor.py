"""Monitoring: a stream of matches against the atlas that made them; what drifted, and which alarms went off."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from atlas.atlas import Atlas
from atlas.monitoring.alarm import ALPHA, DRAWS, Alarm
from atlas.monitoring.calibration_drift import CalibrationDrift, calibration_drift
from atlas.monitoring.input_alarms import InputDrift, input_drift
from atlas.monitoring.stream import Stream
from atlas.monitoring.subgroup_drift import Gap, subgroup_drift
from atlas.participants import MISSING, age_of, read_participants, sex_of
from atlas.people_summary import age_band
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_json

FILE = "monitor.json"
COLUMNS = ("sex", "age", "site")


@dataclass(frozen=True)
class Monitoring:
    """matched, people, files : matches, people among them, and documents they came in
    outcomes : people whose group is known
    refused : of the people, by the matcher itself
    calibration : None where too few are
    """

    atlas: str
    simulated: bool
    matched: int
    people: int
    refused: int
    files: int
    outcomes: int
    inputs: InputDrift
    calibration: CalibrationDrift | None
    gaps: tuple[Gap, ...]
    alarms: tuple[Alarm, ...]
    seed: int

    @property
    def fired(self) -> tuple[Alarm, ...]:
        return tuple(alarm for alarm in self.alarms if alarm.fired)

    @property
    def any_false(self) -> float:
        """How often some alarm goes off where nothing has changed, were they independent: an upper guess."""
        return float(1 - np.prod([1 - a.false_alarms.share for a in self.alarms if a.false_alarms is not None]))

    def as_json(self) -> dict[str, Any]:
        inputs = self.inputs
        return {
            "statement": STATEMENT,
            "simulated": self.simulated,
            "atlas": self.atlas,
            "seed": self.seed,
            "matches": self.matched,
            "people": self.people,
            "refused": self.refused,
            "files": self.files,
            "people_with_outcome": self.outcomes,
            "alarms_on": [alarm.name for alarm in self.fired],
            "nominal_false_alarm_rate": ALPHA,
            "some_false_alarm_if_independent": self.any_false,
            "alarms": [alarm.as_json() for alarm in self.alarms],
            "input_drift": {
                "people_compared": inputs.compared,
                "frame_rates": list(inputs.frame_rates),
                "features": [asdict(row) for row in inputs.features],
                "novelty_cusum": None
                if inputs.chart is None
                else {k: _listed(v) for k, v in vars(inputs.chart).items()},
            },
            "calibration_drift": None
            if self.calibration is None
            else {k: v for k, v in asdict(self.calibration).items() if k != "alarms"},
            "subgroup_drift": [asdict(gap) for gap in self.gaps],
        }


def monitor(
    atlas: Atlas,
    stream: Stream,
    *,
    outcomes: Mapping[str, str] | None = None,
    known: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    progress: Callable[[str, int, int], None] | None = None,
) -> Monitoring:
    """Look for drift; deterministic in `seed`.

    outcomes : {person: group}; known : {``sex``, ``age`` or ``site``: {person: value}}
    draws : simulated streams that every alarm's rates are measured on
    progress : called with (stage, done, of)

    Raises
    ------
    InputError
        The stream is empty, or the atlas does not know what its people put in.
    """
    people, outcomes = stream.people, outcomes or {}
    if not people:
        raise InputError("expected at least one match to monitor, but the files hold none; match somebody first.")
    if not atlas.inputs:
        raise InputError(
            "expected an atlas that knows what its people put into a match, but it has fewer than 20 people or was "
            "built by an earlier version; build it anew."
        )
    say = progress or (lambda stage, done, of: None)
    say("inputs", 0, 3)
    inputs = input_drift(people, atlas.inputs, atlas.stimuli, seed, draws)
    say("calibration", 1, 3)
    kind = atlas.matcher.whole if all(set(e.stimuli) >= set(atlas.stimuli) for e in people) else atlas.matcher.single
    calibration = calibration_drift(
        people, outcomes, atlas.groups, atlas.held_out_excess, kind.people, atlas.matcher.coverage, seed, draws
    )
    say("subgroups", 2, 3)
    gaps, subgroups = subgroup_drift(people, known or {}, outcomes, seed, draws)
    late = calibration.alarms if calibration else _unasked(outcomes, people)
    return Monitoring(
        atlas=stream.atlas,
        simulated=atlas.simulated or any(e.simulated for e in people),
        matched=len(stream.matched),
        people=len(people),
        refused=sum(not entry.probabilities for entry in people),
        files=len(stream.files),
        outcomes=sum(outcomes.get(e.person or "") in atlas.groups for e in people),
        inputs=inputs,
        calibration=calibration,
        gaps=tuple(gaps),
        alarms=(*inputs.alarms, *late, subgroups),
        seed=seed,
    )


def _unasked(outcomes: Mapping[str, str], people: Any) -> tuple[Alarm, ...]:
    known = sum((e.person or "") in outcomes for e in people)
    why = f"{known} people whose group is known, too few" if outcomes else "no outcomes were given (--outcomes)"
    return (
        Alarm("calibration", "Are the probabilities as right as for the atlas's held-out people?", silent=why),
        Alarm("coverage", "Do the prediction sets still hold the own group as often as stated?", silent=why),
    )


def read_outcomes(path: Path) -> dict[str, str]:
    """{person: group} of a table with participant_id and group, without those whose group is missing."""
    rows = read_participants(_there(path), [])
    return {person: row["group"] for person, row in rows.items() if row["group"].lower() not in MISSING}


def read_known(path: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """{``sex``, ``age`` as a band, ``site``: {person: value}} of a participants.tsv, and warnings."""
    warnings: list[str] = []
    rows = read_participants(_there(path), warnings, ("participant_id",))
    out: dict[str, dict[str, str]] = {column: {} for column in COLUMNS}
    for person, row in rows.items():
        told = {
            "sex": sex_of(row.get("sex", "")),
            "age": age_band(age_of(row.get("age", ""), person, warnings)),
            "site": site if (site := row.get("site", "")).lower() not in MISSING else None,
        }
        for column, value in told.items():
            if value:
                out[column][person] = value
    return {column: values for column, values in out.items() if values}, warnings


def _there(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"expected a tab-separated table, but {path} is no file; check the path.")
    return path


def write_monitoring(out: str | Path, found: Monitoring) -> None:
    """Write ``monitor.json`` into the folder `out`, numbers to five digits."""
    write_json(Path(out) / FILE, _rounded(found.as_json()))


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
