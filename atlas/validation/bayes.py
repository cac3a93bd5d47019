"""The best that could be done on a simulated cohort, by the effects that its ``simulation.json`` says were planted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.simulation.bayes import bayes_accuracy
from atlas.validation.intervals import rounded
from reconstruction.errors import InputError

FILE = "simulation.json"


@dataclass(frozen=True)
class BestPossible:
    """accuracy, low, high : of the Bayes-optimal decision given the recordings, NaN where unknown
    how : the way it was found, or why it is unknown
    """

    accuracy: float
    low: float
    high: float
    how: str

    @property
    def known(self) -> bool:
        return self.accuracy == self.accuracy

    def to_json(self) -> dict[str, Any]:
        numbers = {name: rounded(getattr(self, name)) for name in ("accuracy", "low", "high")}
        return {**numbers, "how": self.how}


def best_possible(folder: Path, sizes: Mapping[str, int], simulated: bool) -> BestPossible:
    """sizes : {group: people} of the cohort."""
    nan = float("nan")
    if not simulated:
        return BestPossible(nan, nan, nan, "known for simulated cohorts only")
    try:
        notes = json.loads((folder / FILE).read_text("utf-8"))
        settings, planted = notes["settings"], notes["effects"]["planted"]
        stimuli, seconds = [str(s) for s in settings["stimuli"]], float(settings["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return BestPossible(nan, nan, nan, f"the cohort has no {FILE} that tells what was planted")
    if settings.get("sessions", 1) != 1:
        return BestPossible(nan, nan, nan, "known for one session a person only")
    try:
        found = bayes_accuracy(planted, sizes, stimuli, seconds)
    except InputError as error:
        return BestPossible(nan, nan, nan, f"{FILE} cannot be used: {error}")
    how = f"{found.how}; {found.people:,} simulated people"
    if settings.get("video"):
        how += "; given the true parameters, of which the reconstruction sees less"
    return BestPossible(found.accuracy, found.low, found.high, how)
