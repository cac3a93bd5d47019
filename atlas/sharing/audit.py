"""The release audit: what leaves, how often the attacks find its people again, and whether that is within the limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.sharing.attack import AttackResult, reidentify
from atlas.sharing.occasions import GALLERY, PROBE, Occasions, Rows, flat
from atlas.sharing.people import Chosen
from atlas.sharing.summary import Scale
from reconstruction.errors import Refused
from reconstruction.sequence import STATEMENT

ASSUMPTIONS = (
    "the attacker has a recording of every person of the share, and of nobody else, of another occasion, reconstructed "
    "with the same software, and computes what is shared from it without noise",
    "the attacker knows everybody's sex and age, and nobody's group",
    "who has the very recordings of the share finds more",
    "one probe a person: an attacker who combines several sessions of a share knows more",
    "attacks are this software's own; better ones may exist, and will: the figure is a lower bound of the risk",
    "pseudonymous, not anonymous",
)

REMEDY = {"group": "blur with --epsilon", "summary": "choose --blur noise"}  # where averages would tell of few


@dataclass(frozen=True)
class Audit:
    """level, fields : what is let out
    people : in the share
    results : of the attacks, the most successful first; none where nothing of a single person leaves
    limit : of top1, or None
    occasions : what stands for gallery and probe
    details : what else the level has to say; plain JSON values
    refusal : why it may not leave for another reason than the attacks' success, in a clause
    """

    level: str
    fields: tuple[str, ...]
    people: int
    results: tuple[AttackResult, ...]
    limit: float | None
    occasions: str
    simulated: bool
    details: dict[str, Any]
    refusal: str | None = None

    @property
    def passed(self) -> bool:
        return self.refusal is None and self._within_limit

    @property
    def _within_limit(self) -> bool:
        return self.limit is None or not self.results or self.results[0].top1 <= self.limit

    def to_json(self) -> dict[str, Any]:
        best = self.results[0] if self.results else None
        return {
            "statement": STATEMENT,
            "simulated": self.simulated,
            "level": self.level,
            "people": self.people,
            "top1": round(best.top1, 4) if best else None,
            "top1_low": round(best.low, 4) if best else None,
            "top1_high": round(best.high, 4) if best else None,
            "chance": round(1 / best.candidates, 4) if best else None,
            "interval": "95 %, Wilson, over people",
            "limit": self.limit,
            "passed": self.passed,
            "fields": list(self.fields),
            "attack": best.name if best else "not applicable: nothing that belongs to a single person leaves",
            "attacks": [result.to_json() for result in self.results],
            "occasions": self.occasions,
            "assumptions": list(ASSUMPTIONS) if best else [],
            **self.details,
        }

    def check(self) -> None:
        """Raise Refused where the limit is passed, or averages would tell of few."""
        if self.refusal is not None:
            raise Refused(
                f"expected averages that tell of many people or of none, but {self.refusal}; nothing but "
                f"audit.json was written: release the same people as before, wait for more, or {REMEDY[self.level]}."
            )
        if self._within_limit or self.limit is None:
            return
        best = self.results[0]
        raise Refused(
            f"expected at most {self.limit:.1%} of people re-identified, but the attack '{best.name}' finds "
            f"{best.top1:.1%} of {best.candidates} people ({best.low:.1%} to {best.high:.1%}; chance "
            f"{1 / best.candidates:.1%}) in what level {self.level} lets out; nothing but audit.json was written: "
            "choose a lower level, fewer fields or a higher --max-reidentification."
        )


@dataclass(frozen=True)
class Comparison:
    """Both occasions of the people, standardised within stimuli: gallery, probe (N, Q, F), NaN where missing."""

    gallery: np.ndarray
    probe: np.ndarray
    kind: str
    possible: np.ndarray

    @classmethod
    def of(cls, rows: Rows, scale: Scale, stimuli: int, occasions: Occasions, chosen: Chosen) -> "Comparison":
        """Of rows that carry sides."""
        z = Rows(rows.person, rows.stimulus, rows.side, scale.z(rows.values, rows.stimulus))
        gallery, probe = (z.cube(len(chosen.people), stimuli, side) for side in (GALLERY, PROBE))
        return cls(gallery, probe, occasions.kind, chosen.possible)

    def on(self, columns: Sequence[int], probe: np.ndarray) -> "Comparison":
        """With the gallery on these columns, and this (N, Q, F') as the probe."""
        return Comparison(self.gallery[:, :, list(columns)], probe, self.kind, self.possible)

    def known_recordings(self, measured: "Comparison", columns: Sequence[int]) -> float:
        """Top-1 of an attacker who has the probe's own recordings: their values as `measured`, on these columns."""
        gallery = flat(measured.probe[:, :, list(columns)], self.kind)
        return reidentify(gallery, flat(self.probe, self.kind), self.possible)[0].top1

    def attack(self) -> tuple[AttackResult, ...]:
        """The attacks on the probe."""
        return reidentify(flat(self.gallery, self.kind), flat(self.probe, self.kind), self.possible)
