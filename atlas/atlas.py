"""Atlas: what a cohort becomes.

Holds standard faces, overlays and the matcher: means, spreads and weights over people; no frame and nobody's own face.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.averaging import Averaging
from atlas.biomarkers import ACTION_UNITS, ReliabilityTable
from atlas.biomarkers.quantity_reliability import quantity_reliability
from atlas.biomarkers.recording import FaceParts
from atlas.biomarkers.table import BiomarkerTable
from atlas.domain import domain_of
from atlas.evaluation import PERMUTATIONS, Evaluation, evaluate
from atlas.excess import held_out_excess
from atlas.features import EXPRESSION, feature_table, kind_of, named_features, stimuli_of
from atlas.inputs import InputReference, input_references
from atlas.matcher import COVERAGE, Matcher, fit_matcher
from atlas.motion import MotionSpace
from atlas.norm import Norms, fit_norms
from atlas.overlay import MOTION, Overlay, overlay_set, reference_group
from atlas.part_norms import part_norms
from atlas.people_summary import people_summary, subgroups
from atlas.severity import fit_severity, score_column
from atlas.standard_faces import Faces, standard_faces
from atlas.statistics import PERMUTATIONS as TESTS
from atlas.statistics import Statistics, compare, contrasts
from atlas.statistics.people import People
from atlas.trajectories import Trajectory
from reconstruction.sequence import STATEMENT
from reconstruction.template import Template

KIND, VERSION = "face-atlas", 3
IDENTITY = "people are matched by their faces' shape: who someone is may stand for their group"


@dataclass(frozen=True)
class Atlas:
    """Groups by name throughout.

    standard_faces : {group: {stimulus: StandardFace}}; the stimulus None is over all
    by_sex : {sex: the same} where they were asked for
    averaging : how they were averaged
    trajectories : {group: {stimulus: Trajectory}}
    overlays : {group: {kind: Overlay}}
    statistics : differences between the groups, quantity by quantity and cluster by cluster
    quantity_reliability : {biomarker: correlation with the truth over people}, NaN where unknown
    space : the motion space; `directions` is empty in an atlas that was read from a file
    warnings : on the cohort as a whole; they name nobody
    evaluation : cross-validation over people; None in an atlas that was read from a file, where `evaluation_summary`
        is kept
    reliability : how well what it names is recovered by the quality that its recordings were reconstructed with
    norms : {stimulus: Norm} of the reference group by age and sex; None over all stimuli; empty in older files
    inputs : what a match of the atlas's people would be given, to follow a deployed matcher by; empty in older files
    people : {group: how many by sex, ages}, see `people_summary`; subgroups : how well theirs were matched when held
        out; held_out_excess : see `atlas.excess`; all empty in older files
    """

    template: str
    template_sha256: str
    groups: tuple[str, ...]
    reference: str
    stimuli: tuple[str, ...]
    space: MotionSpace
    standard_faces: Faces
    overlays: dict[str, dict[str, Overlay]]
    matcher: Matcher
    evaluation: Evaluation | None
    evaluation_summary: dict[str, Any]
    simulated: bool
    seed: int
    warnings: tuple[str, ...] = ()
    reliability: ReliabilityTable = field(default_factory=ReliabilityTable)
    averaging: Averaging = field(default_factory=Averaging)
    by_sex: dict[str, Faces] = field(default_factory=dict)
    trajectories: dict[str, dict[str, Trajectory]] = field(default_factory=dict)
    statistics: Statistics = field(default_factory=Statistics)
    quantity_reliability: dict[str, float] = field(default_factory=dict)
    norms: Norms = field(default_factory=dict)
    inputs: tuple[InputReference, ...] = ()
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    subgroups: tuple[dict[str, Any], ...] = ()
    held_out_excess: dict[str, Any] = field(default_factory=dict)

    @property
    def units(self) -> tuple[str, ...]:
        """Action units among the features."""
        return tuple(n for n in self.matcher.encoder.scaler.names if n.startswith("AU") and n[2:].isdigit())

    @property
    def features(self) -> str:
        """What is matched: ``expression``, ``shape`` or ``both``."""
        return kind_of(self.matcher.encoder.scaler.names)

    @property
    def embeddings(self) -> dict[str, np.ndarray]:
        """{group: (E,) float64}: the embedding of every standard face."""
        return dict(zip(self.groups, self.matcher.encoder.prototypes, strict=True))

    def summary(self) -> dict[str, Any]:
        """The readable ``atlas.json``."""
        return {
            "kind": KIND,
            "version": VERSION,
            "statement": STATEMENT,
            "simulated": self.simulated,
            "template": self.template,
            "template_sha256": self.template_sha256,
            "seed": self.seed,
            "reference": self.reference,
            "stimuli": list(self.stimuli),
            "averaging": asdict(self.averaging),
            "groups": {group: self._group_summary(group) for group in self.groups},
            "matcher": {
                "coverage": self.matcher.coverage,
                "calibration": {"all stimuli": self._calibration(True), "fewer": self._calibration(False)},
                "domain": self.matcher.domain.to_json(),
                "training_steps": self.matcher.encoder.steps,
                "embedding_size": int(self.matcher.encoder.prototypes.shape[1]),
                "features": len(self.matcher.encoder.scaler.names),
                "features_of": self.features,
            },
            "reliability": {
                "quality": self.reliability.stage,
                "recordings": dict(self.reliability.recordings),
                "measured_on_simulated_people": self.reliability.people,
                "action_units": {code: self.reliability.of(code) for code in ACTION_UNITS if code in self.units},
            },
            **({"severity": self.matcher.severity.to_json()} if self.matcher.severity else {}),
            "evaluation": self.evaluation_summary,
            "warnings": list(self.warnings),
        }

    def _calibration(self, whole: bool) -> dict[str, Any]:
        made = (self.matcher.whole if whole else self.matcher.single).to_json()
        return made | {"thresholds": dict(zip(self.groups, made["thresholds"], strict=True))}

    def _people_by_sex(self, group: str) -> dict[str, int]:
        return {sex: faces[group][None].people for sex, faces in self.by_sex.items() if None in faces.get(group, {})}

    def _group_summary(self, group: str) -> dict[str, Any]:
        face, overlay = self.standard_faces[group][None], self.overlays[group][MOTION]
        motion = sorted(face.named_motion(self.space).items(), key=lambda item: (-abs(item[1]), item[0]))
        return {
            "people": face.people,
            "effective_people": _number(face.effective_people),
            **({} if face.age is None else {"adjusted_to_age": _number(face.age)}),
            **({"people_by_sex": of_sex} if (of_sex := self._people_by_sex(group)) else {}),
            "motion_margin_mm": _number(np.median(face.motion_margin_mm)),
            "frames": face.frames,
            "frames_left_out": face.frames_left_out,
            "people_without_stimulus": {
                s: f.people_without for s, f in self.standard_faces[group].items() if s and f.people_without
            },
            "strongest_mean_motion": {name: round(value, 4) for name, value in motion[:10]},
            "motion_mm": {"median": _number(np.median(overlay.mean_mm)), "most": _number(overlay.mean_mm.max())},
            "difference_mm": {
                "relative_to": overlay.reference,
                "least": _number(overlay.difference_mm.min()),
                "most": _number(overlay.difference_mm.max()),
                "vertices_whose_interval_excludes_zero": _number(overlay.excludes_zero.mean()),
            },
        }


def build_atlas(
    people: Sequence[AggregatedFace],
    template: Template,
    space: MotionSpace,
    *,
    reference: str | None = None,
    coverage: float = COVERAGE,
    permutations: int = PERMUTATIONS,
    tests: int = TESTS,
    seed: int = 0,
    warnings: Sequence[str] = (),
    reliability: ReliabilityTable | None = None,
    averaging: Averaging | None = None,
    features: str = EXPRESSION,
    trajectories: Mapping[str, Mapping[str, Trajectory]] | None = None,
    biomarkers: tuple[BiomarkerTable, FaceParts] | None = None,
    known: People | None = None,
    covariates: Sequence[str] | None = None,
    within: str | None = None,
    score: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Atlas:
    """An atlas from aggregated people; deterministic in `seed`.

    reliability : `template_figures` of the template, where they are known
    permutations : of the evaluation; tests : of the differences between groups
    features : what is matched: ``expression``, ``shape`` (who someone is, not what the face does), or ``both``
    averaging : how standard faces are averaged; trajectories : as `atlas.reading` gives them
    biomarkers : of the same people, and how they were measured; without, only overlays are tested
    known : age, sex and more of the people, to adjust for; covariates, within : see `atlas.statistics.compare`
    progress : called with (stage, done, of)

    Raises
    ------
    InputError
        There are no such features, the reference group is not among the groups, the coverage is out of range, or
        people's ages or sexes are not known as the averaging needs them.
    """
    groups = tuple(sorted({person.group for person in people}))
    base = reference_group(groups, reference)
    averaging = averaging or Averaging()
    standard = standard_faces(people, template, space, averaging, seed)
    stimuli = stimuli_of(people)
    names = named_features(feature_names(space, template_units(template)), template.n_shape, features)
    table = feature_table([person.recordings for person in people], names, stimuli)
    labels = [person.group for person in people]
    identities = [person.id for person in people]
    scores = None if score is None else score_column(known, score, identities, labels)
    recordings = [r for person in people for r in person.recordings]
    simulated = any(r.simulated for r in recordings)
    figures = replace(
        reliability or ReliabilityTable(), recordings=dict(sorted(Counter(r.stage for r in recordings).items()))
    )
    matcher = fit_matcher(
        table, labels, coverage=coverage, simulated=simulated, digests=[r.digest for r in recordings], seed=seed
    )
    evaluation = evaluate(
        table,
        labels,
        identities,
        coverage=coverage,
        permutations=permutations,
        seed=seed,
        progress=(lambda done, of: progress("evaluate", done, of)) if progress else None,
    )
    if progress:
        progress("compare", 0, 0)
    settings: dict[str, Any] = {"covariates": covariates, "within": within, "permutations": tests, "seed": seed}
    drawn = overlay_set(people, space, template, base, known=known, **settings)
    recovered: dict[str, float] = {}
    found = drawn.statistics
    norms = None
    if biomarkers is not None:
        measured, parts = biomarkers
        recovered = quantity_reliability(template, figures.stage, parts)
        found = compare(measured, known, contrasts(groups, base), reliability=recovered, **settings) + found
        norms = part_norms(measured, parts, groups, found.effects, recovered)
    severity = None
    if scores is not None and score is not None:
        severity = fit_severity(table, scores, np.array(labels), score, coverage=coverage, seed=seed)
    matcher = replace(
        matcher,
        cautions=evaluation.cautions,
        reliability=figures,
        domain=domain_of(people),
        norms=norms,
        severity=severity,
    )
    return Atlas(
        template=template.name,
        template_sha256=template.sha256,
        groups=groups,
        reference=base,
        stimuli=stimuli,
        space=space,
        standard_faces=standard.faces,
        overlays=drawn.by_group,
        matcher=matcher,
        evaluation=evaluation,
        evaluation_summary=evaluation.to_json(),
        simulated=simulated,
        seed=seed,
        warnings=(
            *warnings,
            *([] if features == EXPRESSION else [IDENTITY]),
            *standard.warnings,
            *figures.warnings,
            *found.warnings,
        ),
        reliability=figures,
        averaging=averaging,
        by_sex=standard.by_sex,
        trajectories={group: dict(of_group) for group, of_group in (trajectories or {}).items()},
        statistics=found,
        quantity_reliability=recovered,
        norms=fit_norms(people, template, space, base, stimuli, averaging.least),
        inputs=input_references(matcher, people),
        people=people_summary(people, groups, averaging.least),
        subgroups=subgroups(people, evaluation, averaging.least),
        held_out_excess=held_out_excess(evaluation, groups),
    )


def _number(value: Any) -> float:
    return round(float(value), 4)
