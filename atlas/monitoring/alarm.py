"""An alarm: what it asks, what it found, its threshold, and how often it goes off when it should and should not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from atlas.evaluation import wilson

ALPHA = 0.05  # how often an alarm may go off where nothing has changed
DRAWS = 400  # simulated streams that the rates are measured on
LEAST = 20  # people an alarm needs


@dataclass(frozen=True)
class Rate:
    """Of `draws` simulated streams the share in which an alarm went off, with its 95 % interval (Wilson)."""

    share: float
    low: float
    high: float
    draws: int

    @classmethod
    def of(cls, fired: Sequence[bool] | np.ndarray) -> "Rate":
        hits = int(np.sum(fired))
        low, high = wilson(hits, len(fired))
        return cls(hits / len(fired), low, high, len(fired))


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    name, question : what it is about
    people : that it rests on
    found, threshold : of `statistic`, in its words; it goes off beyond the threshold
    p : of what was found where nothing has changed; None where it has none
    fired : whether it went off
    silent : why it could not be asked, empty where it was
    false_alarms : measured where nothing changed; power : measured where `shift` happened
    """

    name: str
    question: str
    people: int = 0
    statistic: str = ""
    found: float | None = None
    threshold: float | None = None
    p: float | None = None
    fired: bool = False
    silent: str = ""
    false_alarms: Rate | None = None
    power: Rate | None = None
    shift: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
