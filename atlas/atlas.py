"""Atlas: what a cohort becomes.

Holds standard faces, overlays and the matcher: means, spreads and weights over people; no frame and nobody's own face.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace, feature_names, template_units
from atlas.biomarkers import ACTION_UNITS, ReliabilityTable
from atlas.evaluation import PERMUTATIONS, Evaluation, evaluate
from atlas.features import feature_table, stimuli_of
from atlas.matcher import COVERAGE, Matcher, fit_matcher
from atlas.motion import MotionSpace
from atlas.overlay import MOTION, Overlay, overlays, reference_group
from atlas.standard_faces import StandardFace, standard_faces
from reconstruction.sequence import STATEMENT
from reconstruction.template import Template

KIND, VERSION = "face-atlas", 1


@dataclass(frozen=True)
class Atlas:
    """Groups by name throughout.

    standard_faces : {group: {stimulus: StandardFace}}; the stimulus None is over all
    overlays : {group: {kind: Overlay}}
    space : the motion space; `directions` is empty in an atlas that was read from a file
    warnings : on the cohort as a whole; they name nobody
    evaluation : cross-validation over people; None in an atlas that was read from a file, where `evaluation_summary`
        is kept
    reliability : how well what it names is recovered by the quality that its recordings were reconstructed with
    """

    template: str
    template_sha256: str
    groups: tuple[str, ...]
    reference: str
    stimuli: tuple[str, ...]
    space: MotionSpace
    standard_faces: dict[str, dict[str | None, StandardFace]]
    overlays: dict[str, dict[str, Overlay]]
    matcher: Matcher
    evaluation: Evaluation | None
    evaluation_summary: dict[str, Any]
    simulated: bool
    seed: int
    warnings: tuple[str, ...] = ()
    reliability: ReliabilityTable = field(default_factory=ReliabilityTable)

    @property
    def units(self) -> tuple[str, ...]:
        """Action units among the features."""
        return tuple(n for n in self.matcher.encoder.scaler.names if n.startswith("AU") and n[2:].isdigit())

    @property
    def embeddings(self) -> dict[str, np.ndarray]:
        """{group: (K,) float64}: the embedding of every standard face."""
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
            "groups": {group: self._group_summary(group) for group in self.groups},
            "matcher": {
                "coverage": self.matcher.coverage,
                "calibration": {"all stimuli": asdict(self.matcher.whole), "fewer": asdict(self.matcher.single)},
                "training_steps": self.matcher.encoder.steps,
                "embedding_size": int(self.matcher.encoder.prototypes.shape[1]),
                "features": len(self.matcher.encoder.scaler.names),
            },
            "reliability": {
                "quality": self.reliability.stage,
                "recordings": dict(self.reliability.recordings),
                "measured_on_simulated_people": self.reliability.people,
                "action_units": {code: self.reliability.of(code) for code in ACTION_UNITS if code in self.units},
            },
            "evaluation": self.evaluation_summary,
            "warnings": list(self.warnings),
        }

    def _group_summary(self, group: str) -> dict[str, Any]:
        face, overlay = self.standard_faces[group][None], self.overlays[group][MOTION]
        motion = sorted(face.named_motion(self.space).items(), key=lambda item: (-abs(item[1]), item[0]))
        return {
            "people": face.people,
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
    seed: int = 0,
    warnings: Sequence[str] = (),
    reliability: ReliabilityTable | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Atlas:
    """An atlas from aggregated people; deterministic in `seed`.

    reliability : `template_figures` of the template, where they are known
    progress : called with (stage, done, of)

    Raises
    ------
    InputError
        The reference group is not among the groups, or the coverage is out of range.
    """
    groups = tuple(sorted({person.group for person in people}))
    base = reference_group(groups, reference)
    stimuli = stimuli_of(people)
    names = feature_names(space, template_units(template))
    table = feature_table([person.recordings for person in people], names, stimuli)
    labels = [person.group for person in people]
    recordings = [r for person in people for r in person.recordings]
    simulated = any(r.simulated for r in recordings)
    known = replace(
        reliability or ReliabilityTable(), recordings=dict(sorted(Counter(r.stage for r in recordings).items()))
    )
    matcher = fit_matcher(
        table, labels, coverage=coverage, simulated=simulated, digests=[r.digest for r in recordings], seed=seed
    )
    evaluation = evaluate(
        table,
        labels,
        [person.id for person in people],
        coverage=coverage,
        permutations=permutations,
        seed=seed,
        progress=(lambda done, of: progress("evaluate", done, of)) if progress else None,
    )
    return Atlas(
        template=template.name,
        template_sha256=template.sha256,
        groups=groups,
        reference=base,
        stimuli=stimuli,
        space=space,
        standard_faces=standard_faces(people, template, space),
        overlays=overlays(people, space, template, base, seed=seed),
        matcher=replace(matcher, cautions=evaluation.cautions, reliability=known),
        evaluation=evaluation,
        evaluation_summary=evaluation.to_json(),
        simulated=simulated,
        seed=seed,
        warnings=(*warnings, *known.warnings),
        reliability=known,
    )


def _number(value: Any) -> float:
    return round(float(value), 4)
