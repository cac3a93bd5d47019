"""Match: the answer for one person's recordings."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reconstruction.sequence import STATEMENT

INCONCLUSIVE = "inconclusive"
REFUSED = "refused"


@dataclass(frozen=True)
class Match:
    """The answer for one input; `to_json` is what a file holds.

    decision : a group's name, `INCONCLUSIVE`, or `REFUSED`: then `refusals` say why, similarities are told, and there
        are neither probabilities nor a prediction set, whose error rates would not hold
    novelty : how unlike the atlas's people, its limit and the share of people who stay under it
    evidence : features that pull the similarity; part_evidence : regions, organs and muscles as they are
    inputs : what went into it in a few numbers, see `atlas.inputs`: what the deployed matcher is followed by
    severity : an estimate of a score, or why there is none; None where the atlas has no score
    """

    input: str
    similarities: dict[str, float]
    probabilities: dict[str, float]
    prediction_set: tuple[str, ...]
    coverage: float
    decision: str
    evidence: tuple[dict[str, Any], ...]
    frames: int
    frames_used: int
    stimuli: tuple[str, ...]
    warnings: tuple[str, ...]
    simulated: bool
    embedding: np.ndarray
    person: str | None = None
    refusals: tuple[str, ...] = ()
    novelty: dict[str, float] | None = None
    part_evidence: tuple[dict[str, Any], ...] = ()
    severity: dict[str, Any] | None = None
    inputs: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"person": self.person} if self.person else {}
        return {
            **document,
            "input": self.input,
            "similarities": {g: round(v, 4) for g, v in self.similarities.items()},
            "probabilities": {g: round(v, 4) for g, v in self.probabilities.items()},
            "decision": self.decision,
            "refusals": list(self.refusals),
            "prediction_set": list(self.prediction_set),
            "coverage": self.coverage,
            "novelty": self.novelty,
            "evidence": list(self.evidence),
            "part_evidence": list(self.part_evidence),
            **({"severity": self.severity} if self.severity else {}),
            "frames": self.frames,
            "frames_used": self.frames_used,
            "stimuli": list(self.stimuli),
            "warnings": list(self.warnings),
            "inputs": self.inputs,
            "statement": STATEMENT,
            "simulated": self.simulated,
        }
