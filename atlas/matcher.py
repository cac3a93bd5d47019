"""The matcher: how alike a person's aggregated face is to each standard face, how sure that is, and what it rests on.

Similarity is the cosine of encoder embeddings, -1 to 1. Probabilities are softmax(cosines / temperature), groups
weighted equally: they hold where the groups are equally common, not at a clinic's prevalence. The decision is a group
only when the conformal prediction set holds exactly that group and no other is nearer; all else is 'inconclusive'.
Of every group's people a share `coverage` has their group in the set (see `calibration`), so no more than 1 - coverage
of them are given another group. A match of one stimulus and one of all stimuli are calibrated apart. Where the
recording or the person is unlike the atlas's (see `domain`, and the novelty of the features), the match is refused:
similarities are told and no group is named.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from atlas.aggregation import FEW_FRAMES, RecordingSummary
from atlas.biomarkers import ReliabilityTable
from atlas.calibration import Calibration, decided
from atlas.cross_fitting import HeldOut, cross_fit_encoders, unlikeness
from atlas.domain import RATE, Domain
from atlas.encoder import FittedEncoder
from atlas.evidence import feature_evidence
from atlas.features import FeatureTable, feature_table, pooled_z
from atlas.inputs import inputs_of
from atlas.match import INCONCLUSIVE, REFUSED, Match
from atlas.part_norms import PartNorms
from atlas.severity import Severity
from reconstruction.errors import InputError

COVERAGE = 0.9
SIMULATED = "this atlas was built from simulated people; a match against it says nothing about a real person"
FOREMOST = 3  # features named when a person is unlike the atlas's


@dataclass(frozen=True)
class Matcher:
    """A fitted encoder with its groups by name and its calibrations.

    group_z : (G, F) mean scaled features of every group, what evidence is compared with
    whole, single : calibration of matches of all the atlas's stimuli, and of fewer
    simulated : the atlas was built from simulated people
    digests : of the recordings it was built from, to warn when one of them is matched
    cautions : said with every match, such as that the atlas does not tell its groups apart
    reliability : how well the quantities are recovered
    domain : what is refused
    norms, severity : of regions and organs, and of a score, where the atlas has them
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
    domain: Domain = field(default_factory=Domain)
    norms: PartNorms | None = None
    severity: Severity | None = None

    @property
    def stimuli(self) -> tuple[str, ...]:
        return self.encoder.scaler.stimuli

    def calibration(self, stimuli: Sequence[str]) -> Calibration:
        return self.whole if set(stimuli) >= set(self.stimuli) else self.single

    def match(
        self,
        recordings: Sequence[RecordingSummary],
        name: str,
        person: str | None = None,
        *,
        age: float | None = None,
        sex: str | None = None,
    ) -> Match:
        """Match one person, given as the summaries of one or more recordings.

        age : years; sex : as in participants.tsv; only to refuse people the atlas does not speak for
        """
        if not recordings:
            raise InputError("expected at least one recording to match, but got none; name an input.")
        scaler = self.encoder.scaler
        table = feature_table([recordings], scaler.names, scaler.stimuli)
        z = scaler.z(table)
        embedding = self.encoder.embed(z)[0]
        cosines = self.encoder.prototypes @ embedding
        stimuli = tuple(sorted({r.stimulus for r in recordings}))
        calibration = self.calibration(stimuli)
        novelty = float(unlikeness(z)[0])
        refusals = (*self.domain.reasons(recordings, age, sex), *self._strange(z, novelty, calibration))
        probabilities = calibration.probabilities(cosines)
        inside = calibration.sets(probabilities)
        kept = tuple(g for g, stays in zip(self.groups, inside, strict=True) if stays)
        decision = kept[0] if decided(inside, cosines.argmax()) else INCONCLUSIVE
        return Match(
            input=name,
            person=person,
            similarities=dict(zip(self.groups, map(float, cosines), strict=True)),
            probabilities={} if refusals else dict(zip(self.groups, map(float, probabilities), strict=True)),
            prediction_set=() if refusals else kept,
            coverage=self.coverage,
            decision=REFUSED if refusals else decision,
            refusals=refusals,
            novelty={
                name: round(value, 3)
                for name, value in (
                    ("value", novelty),
                    ("median", calibration.novelty),
                    ("limit", calibration.novelty_limit),
                    ("rate", RATE),
                )
                if np.isfinite(value)
            },
            evidence=tuple(feature_evidence(self.encoder, self.groups, self.group_z, z, recordings, self.reliability)),
            part_evidence=tuple(self.norms.evidence(recordings, self.groups)) if self.norms else (),
            severity=None if self.severity is None or refusals else self.severity.of(table),
            frames=sum(r.frames for r in recordings),
            frames_used=sum(r.frames_used for r in recordings),
            stimuli=stimuli,
            warnings=tuple(self._warnings(recordings, calibration)),
            simulated=self.simulated or any(r.simulated for r in recordings),
            embedding=embedding,
            inputs=inputs_of(self, z, recordings),
        )

    def _strange(self, z: np.ndarray, novelty: float, calibration: Calibration) -> list[str]:
        if novelty <= calibration.novelty_limit:
            return []
        pooled = pooled_z(z)[0]
        names = [self.encoder.scaler.names[i] for i in np.argsort(-np.abs(pooled), kind="stable")[:FOREMOST]]
        return [
            f"unlike the atlas's people ({novelty:.2f} standard deviations from their mean; {100 * RATE:.0f} of 100 "
            f"stay under {calibration.novelty_limit:.2f}; foremost {', '.join(names)})"
        ]

    def _warnings(self, recordings: Sequence[RecordingSummary], calibration: Calibration) -> list[str]:
        out = [SIMULATED] if self.simulated else []
        out += self.cautions
        if not self.simulated and any(r.simulated for r in recordings):
            out.append("the person matched is simulated")
        few = sum(r.frames_used for r in recordings)
        if few < FEW_FRAMES:
            out.append(f"only {few} usable frames; {FEW_FRAMES} or more are advised")
        strange = sorted({r.stimulus for r in recordings} - set(self.stimuli))
        if strange and self.stimuli:
            out.append(f"the atlas has no stimulus {', '.join(strange)}: compared with the mean over all its stimuli")
        missing = sorted(set(self.stimuli) - {r.stimulus for r in recordings})
        if missing and not strange:
            out.append(f"no recording of {', '.join(missing)}: the match rests on fewer stimuli than the atlas has")
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
    check_coverage(coverage)
    names = tuple(sorted(set(groups)))
    labels = np.array([names.index(group) for group in groups])
    matcher = fit_matchers(table, labels, names, [np.ones(len(labels), bool)], coverage, seed)[0]
    return replace(matcher, simulated=simulated, digests=tuple(sorted(set(digests))))


def check_coverage(coverage: float) -> None:
    if not 0.5 <= coverage < 1:
        raise InputError(
            f"expected a coverage from 0.5 up to but not including 1, got {coverage:g}; use 0.9 for instance."
        )


def fit_matchers(
    table: FeatureTable,
    labels: np.ndarray,
    names: tuple[str, ...],
    trains: Sequence[np.ndarray],
    coverage: float,
    seed: int = 0,
) -> list[Matcher]:
    """One matcher for every mask (P,) of training people; labels (P,) number `names`. All are fitted at once."""
    fitted = cross_fit_encoders(table, labels, len(names), trains, seed)
    return [
        _matcher(encoder, held, table, labels, names, train, coverage)
        for (encoder, held), train in zip(fitted, trains, strict=True)
    ]


def _matcher(
    encoder: FittedEncoder,
    held: HeldOut,
    table: FeatureTable,
    labels: np.ndarray,
    names: tuple[str, ...],
    train: np.ndarray,
    coverage: float,
) -> Matcher:
    pooled = pooled_z(encoder.scaler.z(table))
    whole, single = held.calibrations(labels, coverage)
    return Matcher(
        groups=names,
        encoder=encoder,
        group_z=np.stack([pooled[train & (labels == g)].mean(0) for g in range(len(names))]),
        whole=whole,
        single=single,
        coverage=coverage,
        simulated=False,
        digests=(),
    )
