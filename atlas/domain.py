"""Where a matcher applies: what the recordings and people of an atlas are like, and how far from that is too far.

A classifier answers for anything; its error rates hold for people and recordings like those it was calibrated on (the
applicability domain; OECD 2007 for QSAR models). Every limit is learnt from the atlas's own people: 99 of 100 of their
recordings lie within, and a stated tolerance widens it, so that hardly anyone of the cohort's kind is refused. Outside,
similarities are told and no group is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.biomarkers.reliability import UNKNOWN
from atlas.capture import Capture

RATE = 0.99  # share of the atlas's people or recordings that lie within a limit before it is widened
AGE_BAND = 5.0  # years: ages are kept as bands, which name nobody, and may be exceeded by one
# quantity: (words, unit, below which part of the lower limit, above which multiple of the upper; None: no limit)
TOLERANCE: dict[str, tuple[str, str, float | None, float | None]] = {
    "frame_rate": ("frame rate", "frames a second", 1 / 2, 2.0),
    "field_of_view": ("field of view", "degrees", 2 / 3, 3 / 2),
    "face_px": ("width of the face", "pixels", 1 / 2, 2.0),
    "seconds": ("usable frames", "s", 1 / 2, None),
    "used": ("share of usable frames", "of 1", 1 / 2, None),
    "quality": ("mean quality of usable frames", "of 1", 1 / 2, None),
}


@dataclass(frozen=True)
class Domain:
    """Empty: nothing is known, nothing is refused.

    limits : {quantity of `Capture`: (low, high)} between which recordings are accepted, tolerance included; None: any
    ages : (low, high) of the atlas's people in bands of `AGE_BAND` years, None where unknown
    sexes : of the atlas's people where all are known
    stages : of the atlas's recordings, see `FaceSequence.stage`
    template_sha256 : of their parameters
    """

    limits: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    ages: tuple[float, float] | None = None
    sexes: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    template_sha256: str | None = None

    def reasons(
        self, recordings: Sequence[RecordingSummary], age: float | None = None, sex: str | None = None
    ) -> list[str]:
        """Why a person's recordings are none that the atlas speaks for; empty where they are.

        age : years; sex : as in participants.tsv; None where unknown, which refuses nobody
        """
        taken = [r.capture for r in recordings if r.capture is not None]
        out = [self._template(taken), self._stage(recordings), self._verdict(taken)]
        out += [self._measure(name, taken) for name in TOLERANCE if name in self.limits]
        if (
            age is not None
            and self.ages is not None
            and not -AGE_BAND <= age - self.ages[0] <= np.ptp(self.ages) + (AGE_BAND)
        ):
            out.append(
                f"age {age:g}, but the atlas's people are {self.ages[0]:g} to {self.ages[1]:g} years old (tolerance "
                f"{AGE_BAND:g})"
            )
        if sex is not None and self.sexes and sex not in self.sexes:
            out.append(f"sex {sex}, but the atlas's people are {' and '.join(self.sexes)} only")
        return [reason for reason in out if reason]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Domain":
        """What `to_json` made, read from a file."""
        several = {name: tuple(document[name]) for name in ("sexes", "stages")}
        limits = {name: (low, high) for name, (low, high) in document["limits"].items()}
        ages = document["ages"]
        return cls(limits, None if ages is None else (ages[0], ages[1]), **several,
                   template_sha256=document["template_sha256"])  # fmt: skip

    def _template(self, taken: Sequence[Capture]) -> str | None:
        others = {c.template_sha256 for c in taken} - {self.template_sha256}
        if self.template_sha256 is None or not others:
            return None
        return (
            f"parameters of template {', '.join(sorted(o[:8] for o in others))}, but the atlas's are of "
            f"{self.template_sha256[:8]}: reconstruct with the atlas's template"
        )

    def _stage(self, recordings: Sequence[RecordingSummary]) -> str | None:
        others = sorted({r.stage for r in recordings} - {*self.stages, UNKNOWN})
        if not self.stages or not others or UNKNOWN in self.stages:
            return None
        return (
            f"parameters of quality {', '.join(others)}, but the atlas's are {', '.join(self.stages)}: they differ for "
            "that alone"
        )

    def _verdict(self, taken: Sequence[Capture]) -> str | None:
        bad = sum(c.verdict == "not usable" for c in taken)
        if not self.limits or not bad:
            return None
        return f"{bad} of {len(taken)} recordings not usable by their verdict; film anew" if len(taken) > 1 else (
            "the recording is not usable by its verdict; film anew"
        )  # fmt: skip

    def _measure(self, name: str, taken: Sequence[Capture]) -> str | None:
        """The recording farthest outside the limits of one quantity, in words."""
        low, high = self.limits[name]
        values = np.array([getattr(c, name) for c in taken])
        values = values[np.isfinite(values)]
        words, unit, *_ = TOLERANCE[name]
        if low is not None and (values < low * (1 - 1e-9)).any():
            return f"{words} {values.min():.3g} {unit}, but the atlas's recordings allow no less than {low:.3g}"
        if high is not None and (values > high * (1 + 1e-9)).any():
            return f"{words} {values.max():.3g} {unit}, but the atlas's recordings allow no more than {high:.3g}"
        return None


def domain_of(people: Sequence[AggregatedFace]) -> Domain:
    """The domain of an atlas of `people`."""
    recordings = [r for person in people for r in person.recordings]
    taken = [r.capture for r in recordings if r.capture is not None]
    limits = {}
    for name, (_, _, below, above) in TOLERANCE.items():
        values = np.array([getattr(c, name) for c in taken])
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, [(1 - RATE) / 2, (1 + RATE) / 2])
            limits[name] = (below and float(low * below), above and float(high * above))
    ages = [person.age for person in people if person.age is not None]
    sexes = {person.sex for person in people}
    templates = {c.template_sha256 for c in taken}
    return Domain(
        limits=limits,
        ages=(AGE_BAND * np.floor(min(ages) / AGE_BAND), AGE_BAND * np.ceil(max(ages) / AGE_BAND)) if ages else None,
        sexes=() if None in sexes else tuple(sorted(s for s in sexes if s)),
        stages=tuple(sorted({r.stage for r in recordings})),
        template_sha256=templates.pop() if len(templates) == 1 else None,
    )
