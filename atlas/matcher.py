"""The matcher: how alike a person's aggregated face is to each standard face, how sure that is, and what it rests on.

Similarity is the cosine of encoder embeddings, -1 to 1. Probabilities are softmax(cosines / temperature), the
temperature fitted to people the encoder had not learnt from, groups weighted equally: they hold where the groups are
equally common, not at a clinic's prevalence. The decision is a group only when the conformal prediction set holds
exactly that group: the set is made of the groups whose 1 - probability is at most the `coverage` quantile of what
held-out people of the atlas scored for their own group (split conformal prediction, Vovk et al. 2005, on out-of-fold
scores). So about `coverage` of people like the atlas's have their own group in the set; more than one group in it, or
none, is 'inconclusive'. A match of one stimulus and one of all stimuli are calibrated apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from atlas.aggregation import FEW_FRAMES, RecordingSummary
from atlas.biomarkers import ACTION_UNITS, MEASURES, ReliabilityTable
from atlas.biomarkers.reliability import UNKNOWN
from atlas.calibration import Calibration, calibrate, softmax
from atlas.encoder import FittedEncoder, Task, fit_encoders
from atlas.features import FeatureTable, feature_table, pooled_z
from atlas.inputs import inputs_of
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT

COVERAGE = 0.9
INCONCLUSIVE = "inconclusive"
SIMULATED = "this atlas was built from simulated people; a match against it says nothing about a real person"
EVIDENCE = 8  # lines of evidence given
NOVELTY_MARGIN = 1.25  # how far beyond the atlas's most unusual person a person may be without a warning


@dataclass(frozen=True)
class Match:
    """The answer for one input; `to_json` is what a file holds.

    inputs : what went into it in a few numbers, see `atlas.inputs`: what the deployed matcher is followed by
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
    inputs: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"person": self.person} if self.person else {}
        return {
            **document,
            "input": self.input,
            "similarities": {g: round(v, 4) for g, v in self.similarities.items()},
            "probabilities": {g: round(v, 4) for g, v in self.probabilities.items()},
            "decision": self.decision,
            "prediction_set": list(self.prediction_set),
            "coverage": self.coverage,
            "evidence": list(self.evidence),
            "frames": self.frames,
            "frames_used": self.frames_used,
            "stimuli": list(self.stimuli),
            "warnings": list(self.warnings),
            "inputs": self.inputs,
            "statement": STATEMENT,
            "simulated": self.simulated,
        }


@dataclass(frozen=True)
class Matcher:
    """A fitted encoder with its groups by name and its calibrations.

    group_z : (G, F) mean scaled features of every group, what evidence is compared with
    whole, single : calibration of matches of all the atlas's stimuli, and of fewer
    simulated : the atlas was built from simulated people
    digests : of the recordings it was built from, to warn when one of them is matched
    cautions : said with every match, such as that the atlas does not tell its groups apart
    reliability : how well the quantities are recovered
    """

    groups: tuple[str, ...]
    encoder: FittedEncoder
    group_z: np.ndarray
    whole: Calibration
    single: Calibration
    coverage: float
    simulated: bool
    digests: tuple[str, ...]
    cautions: tuple[str, ...] = ()
    reliability: ReliabilityTable = field(default_factory=ReliabilityTable)

    @property
    def stimuli(self) -> tuple[str, ...]:
        return self.encoder.scaler.stimuli

    def calibration(self, stimuli: Sequence[str]) -> Calibration:
        return self.whole if set(stimuli) >= set(self.stimuli) else self.single

    def probabilities(self, cosines: np.ndarray, calibration: Calibration) -> np.ndarray:
        """(..., G) from cosines (..., G)."""
        return softmax(cosines / calibration.temperature)

    def prediction_set(self, probabilities: np.ndarray, calibration: Calibration) -> tuple[str, ...]:
        """The groups that cannot be excluded."""
        inside = 1 - probabilities <= calibration.threshold + 1e-9
        return tuple(group for group, kept in zip(self.groups, inside, strict=True) if kept)

    def match(self, recordings: Sequence[RecordingSummary], name: str, person: str | None = None) -> Match:
        """Match one person, given as the summaries of one or more recordings."""
        if not recordings:
            raise InputError("expected at least one recording to match, but got none; name an input.")
        scaler = self.encoder.scaler
        z = scaler.z(feature_table([recordings], scaler.names, scaler.stimuli))
        embedding = self.encoder.embed(z)[0]
        cosines = self.encoder.prototypes @ embedding
        stimuli = tuple(sorted({r.stimulus for r in recordings}))
        calibration = self.calibration(stimuli)
        probabilities = self.probabilities(cosines, calibration)
        fitting = self.prediction_set(probabilities, calibration)
        return Match(
            input=name,
            person=person,
            similarities=dict(zip(self.groups, map(float, cosines), strict=True)),
            probabilities=dict(zip(self.groups, map(float, probabilities), strict=True)),
            prediction_set=fitting,
            coverage=self.coverage,
            decision=fitting[0] if len(fitting) == 1 else INCONCLUSIVE,
            evidence=tuple(self._evidence(z, recordings)),
            frames=sum(r.frames for r in recordings),
            frames_used=sum(r.frames_used for r in recordings),
            stimuli=stimuli,
            warnings=tuple(self._warnings(z, recordings, calibration)),
            simulated=self.simulated or any(r.simulated for r in recordings),
            embedding=embedding,
            inputs=inputs_of(self, z, recordings),
        )

    def _evidence(self, z: np.ndarray, recordings: Sequence[RecordingSummary]) -> list[dict[str, Any]]:
        """What the similarities change by when one quantity is set to the atlas's mean, the largest first.

        ``amount`` is the cosine that the quantity adds to the group it pulls towards, beyond what it adds on average;
        ``reliability`` is for the worst quality among the atlas's recordings and these, None where it is not known.
        """
        names = self.encoder.scaler.names
        quantities = quantities_of(names)
        without = np.repeat(z, len(quantities), 0)
        for row, columns in zip(without, quantities.values(), strict=True):
            row[:, columns] = np.where(np.isfinite(row[:, columns]), 0, np.nan)
        pull = self.encoder.cosines(z) - self.encoder.cosines(without)
        pull = pull - pull.mean(1, keepdims=True)
        pooled = pooled_z(z)[0]
        values, stages = np.stack([r.features for r in recordings]), [r.stage for r in recordings]
        out = []
        for i in np.argsort(-pull.max(1), kind="stable")[:EVIDENCE]:
            quantity = list(quantities)[i]
            column = quantities[quantity][0]
            known = values[np.isfinite(values[:, column]), column]
            out.append(
                {
                    "feature": quantity,
                    "meaning": meaning(quantity),
                    "value": round(float(known.mean()), 4) if len(known) else None,
                    "z": _hundredths(pooled[column]),
                    "standard_faces_z": {
                        g: _hundredths(v) for g, v in zip(self.groups, self.group_z[:, column], strict=True)
                    },
                    "pulls_towards": self.groups[int(pull[i].argmax())],
                    "amount": round(float(pull[i].max()), 4),
                    "reliability": self.reliability.of(quantity, stages),
                }
            )
        return out

    def _warnings(self, z: np.ndarray, recordings: Sequence[RecordingSummary], calibration: Calibration) -> list[str]:
        out = [SIMULATED] if self.simulated else []
        out += self.cautions
        if not self.simulated and any(r.simulated for r in recordings):
            out.append("the person matched is simulated")
        made_with = self.reliability.recordings
        others = sorted({r.stage for r in recordings} - {*made_with, UNKNOWN})
        if made_with and others:
            out.append(
                f"parameters of quality {', '.join(others)}, but the atlas's are {', '.join(made_with)}: they differ "
                "for that alone"
            )
        few = sum(r.frames_used for r in recordings)
        if few < FEW_FRAMES:
            out.append(f"only {few} usable frames; {FEW_FRAMES} or more are advised")
        strange = sorted({r.stimulus for r in recordings} - set(self.stimuli))
        if strange and self.stimuli:
            out.append(f"the atlas has no stimulus {', '.join(strange)}: compared with the mean over all its stimuli")
        missing = sorted(set(self.stimuli) - {r.stimulus for r in recordings})
        if missing and not strange:
            out.append(f"no recording of {', '.join(missing)}: the match rests on fewer stimuli than the atlas has")
        pooled = pooled_z(z)[0]
        novelty = float(np.sqrt((pooled**2).mean()))
        if novelty > NOVELTY_MARGIN * calibration.novelty:
            names = [self.encoder.scaler.names[i] for i in np.argsort(-np.abs(pooled), kind="stable")[:3]]
            out.append(
                f"unlike anyone in the atlas ({novelty:.1f} standard deviations from its mean, its most unusual person "
                f"{calibration.novelty:.1f}; foremost {', '.join(names)}): do not rely on the match"
            )
        if any(r.digest in self.digests for r in recordings):
            out.append(
                "the atlas was built with this recording: the match flatters; the evaluation is the honest figure"
            )
        if calibration.people < 20:
            out.append(f"the probabilities are calibrated on {calibration.people} people only")
        return out


def fit_matcher(
    table: FeatureTable,
    groups: Sequence[str],
    *,
    coverage: float = COVERAGE,
    simulated: bool = False,
    digests: Sequence[str] = (),
    seed: int = 0,
) -> Matcher:
    """Fit encoder and calibration to people whose groups are named in `groups` (one each, in the table's order)."""
    if not 0.5 <= coverage < 1:
        raise InputError(
            f"expected a coverage from 0.5 up to but not including 1, got {coverage:g}; use 0.9 for instance."
        )
    names = tuple(sorted(set(groups)))
    labels = np.array([names.index(group) for group in groups])
    fitted = fit_encoders(table, [Task(labels, np.ones(len(labels), bool))], len(names), seed)[0]
    matcher = make_matcher(fitted, table, labels, names, coverage)
    return replace(matcher, simulated=simulated, digests=tuple(sorted(set(digests))))


def make_matcher(
    fitted: FittedEncoder, table: FeatureTable, labels: np.ndarray, names: tuple[str, ...], coverage: float
) -> Matcher:
    """A matcher from a fitted encoder; calibrates on what the encoder's inner folds held out."""
    single, owner = table.single()
    z, single_z = fitted.scaler.z(table), fitted.scaler.z(single)
    train = np.isfinite(fitted.held_people).all(1)
    in_train = train[owner]
    pooled = pooled_z(z)
    return Matcher(
        groups=names,
        encoder=fitted,
        group_z=np.stack([pooled[train & (labels == g)].mean(0) for g in range(len(names))]),
        whole=calibrate(fitted.held_people[train], labels[train], np.flatnonzero(train), z[train], coverage),
        single=calibrate(
            fitted.held_single[in_train], labels[owner[in_train]], owner[in_train], single_z[in_train], coverage
        ),
        coverage=coverage,
        simulated=False,
        digests=(),
    )


def quantities_of(names: Sequence[str]) -> dict[str, list[int]]:
    """What evidence is given for, with the feature columns that express it, the one to report first.

    An action unit stands for itself and the coefficients it is made of; coefficients without a unit stand for
    themselves.
    """
    unit_of = {
        f"{expression}{side}": code
        for code, unit in ACTION_UNITS.items()
        for expression in unit.expressions
        for side in ("", "Left", "Right")
    }
    columns = {name: [i] for i, name in enumerate(names) if name in ACTION_UNITS or name in MEASURES}
    for i, name in enumerate(names):
        if name not in columns:
            coefficient = name.split(" ", 1)[1]
            columns.setdefault(unit_of.get(coefficient, coefficient), []).append(i)
    return columns


def meaning(quantity: str) -> str:
    """A quantity in words."""
    if quantity in ACTION_UNITS:
        return f"{ACTION_UNITS[quantity].name}, mean intensity 0 to 5"
    return MEASURES.get(quantity, "mean coefficient")


def _hundredths(value: float) -> float:
    return round(float(value), 2) + 0.0  # no -0.0
