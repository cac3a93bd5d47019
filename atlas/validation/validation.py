"""Validation of a matcher on a cohort: everything found, over people, with chance and null beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from atlas.aggregation import AggregatedFace
from atlas.calibration import decided
from atlas.classifier import FaceMatcher
from atlas.features import FeatureTable
from atlas.match import INCONCLUSIVE
from atlas.validation.audit import Audit, association_json
from atlas.validation.bayes import BestPossible
from atlas.validation.comparators import age_and_sex, comparators, of_age_and_sex
from atlas.validation.discrimination import Discrimination, discrimination
from atlas.validation.embedding_map import EmbeddingMap, embedding_map
from atlas.validation.held_out import HeldOut, hold_out
from atlas.validation.intervals import Estimate, mean, rounded, share
from atlas.validation.null import balanced, permuted_accuracies
from atlas.validation.probabilities import CalibrationResult, DecisionCurve, calibration, decision_curves
from atlas.validation.refusals import Refusals, refusals
from atlas.validation.splits import Samples, Split
from atlas.validation.subgroups import Subgroup, subgroups
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT

MATCHER = "this matcher"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Settings:
    """coverage : that prediction sets state; permutations : 0 for no p value; columns : further subgroups."""

    coverage: float = 0.9
    permutations: int = 99
    seed: int = 0
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparator:
    """Another classifier in the same folds; gain : the matcher's accuracy less its, paired by person."""

    accuracy: Estimate
    balanced_accuracy: Estimate
    auroc: Estimate
    gain: Estimate

    def to_json(self) -> dict[str, Any]:
        shown = {
            "accuracy": self.accuracy.value,
            "accuracy_low": self.accuracy.low,
            "accuracy_high": self.accuracy.high,
        }
        parts = {name: getattr(self, name).to_json() for name in ("balanced_accuracy", "auroc", "gain")}
        return {**{name: rounded(value) for name, value in shown.items()}, **parts}


@dataclass(frozen=True)
class Null:
    """Balanced accuracy of the first repeat with the true groups, and (n,) with shuffled ones; p counts the true in."""

    true: float
    shuffled: np.ndarray

    @property
    def p(self) -> float | None:
        n = len(self.shuffled)
        return float((1 + (self.shuffled >= self.true - 1e-6).sum()) / (1 + n)) if n else None

    def to_json(self) -> dict[str, Any]:
        low, high = np.quantile(self.shuffled, [0.025, 0.975]) if len(self.shuffled) else (np.nan, np.nan)
        middle = self.shuffled.mean() if len(self.shuffled) else np.nan
        return {
            "what": "balanced accuracy with the groups shuffled over people",
            "permutations": len(self.shuffled),
            "true": rounded(self.true),
            "mean": rounded(middle),
            "low": rounded(low),
            "high": rounded(high),
            "p": None if self.p is None else round(self.p, 4),
        }


@dataclass(frozen=True)
class Conformal:
    """stated : coverage; covered, inconclusive : shares of people; decided_right : of those given a group, right
    by_group : share covered in every group
    """

    stated: float
    covered: Estimate
    inconclusive: Estimate
    decided_right: Estimate
    by_group: Mapping[str, Estimate]


@dataclass(frozen=True)
class SitesOut:
    """The same with every site held out once; sites : their number; null : groups shuffled within sites."""

    sites: int
    result: Discrimination
    conformal: Conformal
    refusals: Refusals
    null: Null

    def to_json(self) -> dict[str, Any]:
        return {
            "sites": self.sites,
            "accuracy": self.result.accuracy.to_json(),
            "balanced_accuracy": self.result.balanced_accuracy.to_json(),
            "auroc_mean": self.result.auroc.to_json(),
            "coverage": self.conformal.covered.to_json(),
            "inconclusive": self.conformal.inconclusive.to_json(),
            **self.refusals.to_json(),
            "null": self.null.to_json(),
        }


@dataclass(frozen=True)
class Validation:
    """All results of one cohort; P people, R repeats of the folds.

    sites_out : with whole sites held out, where that was not the split and there are sites
    """

    people: tuple[AggregatedFace, ...]
    groups: tuple[str, ...]
    labels: np.ndarray
    split: Split
    settings: Settings
    audit: Audit
    held: HeldOut
    result: Discrimination
    calibration: CalibrationResult
    decisions: Mapping[str, DecisionCurve]
    conformal: Conformal
    refusals: Refusals
    subgroups: tuple[Subgroup, ...]
    null: Null
    comparators: Mapping[str, Comparator]
    embeddings: EmbeddingMap | None
    best: BestPossible
    sites_out: SitesOut | None = None

    @property
    def simulated(self) -> bool:
        return all(person.simulated for person in self.people)

    @property
    def sizes(self) -> dict[str, int]:
        return {name: int((self.labels == g).sum()) for g, name in enumerate(self.groups)}

    @property
    def chance(self) -> float:
        """The share of the largest group: what naming it for everyone gets right."""
        return max(self.sizes.values()) / len(self.people)

    def to_json(self) -> dict[str, Any]:
        """What ``validation.json`` holds; it names nobody."""
        result, conformal, groups = self.result, self.conformal, self.result.groups
        calibrated = self.calibration
        return {
            "statement": STATEMENT,
            "simulated": self.simulated,
            "unit": "person",
            "people": len(self.people),
            "groups": self.sizes,
            "split": {
                "kind": f"leave one {self.split.kind} out" if self.split.kind == "site" else "by person, stratified",
                "folds": len(self.split.repeats[0]),
                "repeats": len(self.split.repeats),
                "seed": self.settings.seed,
            },
            "accuracy": rounded(result.accuracy.value),
            "accuracy_low": rounded(result.accuracy.low),
            "accuracy_high": rounded(result.accuracy.high),
            "chance": rounded(self.chance),
            "bayes_accuracy": rounded(self.best.accuracy),
            "bayes": self.best.to_json(),
            "null": self.null.to_json(),
            "balanced_accuracy": result.balanced_accuracy.to_json(),
            "balanced_chance": rounded(1 / len(self.groups)),
            "precision": result.precision.to_json(),
            "recall": result.balanced_accuracy.to_json(),
            "f1": result.f1.to_json(),
            "auroc": {name: rounded(found.auroc.value) for name, found in groups.items()},
            "auroc_low": {name: rounded(found.auroc.low) for name, found in groups.items()},
            "auroc_high": {name: rounded(found.auroc.high) for name, found in groups.items()},
            "auroc_mean": result.auroc.to_json(),
            "by_group": {name: found.to_json() for name, found in groups.items()},
            "confusion": {
                a: {b: rounded(result.confusion[i, j]) for j, b in enumerate(self.groups)}
                for i, a in enumerate(self.groups)
            },
            "ece": rounded(calibrated.ece),
            "ece_perfect_low": rounded(calibrated.perfect_low),
            "ece_perfect_high": rounded(calibrated.perfect_high),
            "ece_p": rounded(calibrated.p),
            "calibration_slope": calibrated.slope.to_json(),
            "brier": calibrated.brier.to_json(),
            "brier_of_group_sizes": rounded(calibrated.by_size),
            "coverage_stated": conformal.stated,
            "coverage": rounded(conformal.covered.value),
            "coverage_low": rounded(conformal.covered.low),
            "coverage_high": rounded(conformal.covered.high),
            "coverage_by_group": {name: found.to_json() for name, found in conformal.by_group.items()},
            "inconclusive": rounded(conformal.inconclusive.value),
            "inconclusive_low": rounded(conformal.inconclusive.low),
            "inconclusive_high": rounded(conformal.inconclusive.high),
            "right_of_decided": conformal.decided_right.to_json(),
            **self.refusals.to_json(),
            "baselines": {name: found.to_json() for name, found in self.comparators.items()},
            "useful_thresholds": {
                name: None if curve.useful is None else [round(t, 2) for t in curve.useful]
                for name, curve in self.decisions.items()
            },
            "leave_one_site_out": None if self.sites_out is None else self.sites_out.to_json(),
            "subgroups": [subgroup.to_json() for subgroup in self.subgroups],
            "audit": [finding.to_json() for finding in self.audit.findings],
            "audit_tested": [association_json(found) for found in self.audit.associations],
        }

    def people_json(self) -> dict[str, Any]:
        """What was said of everyone when they were held out: personal data."""
        assert self.held.sets is not None
        rows, named = [], decided(self.held.sets, self.held.best)
        for i, person in enumerate(self.people):
            kept = [
                [name for name, inside in zip(self.groups, self.held.sets[r, i], strict=True) if inside]
                for r in range(len(self.held.best))
            ]
            rows.append(
                {
                    "person": person.id,
                    "group": person.group,
                    "best": [self.groups[b] for b in self.held.best[:, i]],
                    "decision": [
                        self.groups[best] if given else INCONCLUSIVE
                        for best, given in zip(self.held.best[:, i], named[:, i], strict=True)
                    ],
                    "prediction_set": kept,
                    "refused": self.refusals.each[:, i].tolist(),
                    "probabilities": {
                        name: round(float(p), 4) for name, p in zip(self.groups, self.held.adjusted[i], strict=True)
                    },
                }
            )
        return {"statement": STATEMENT, "simulated": self.simulated, "people": rows}


def samples_of(people: Sequence[AggregatedFace], table: FeatureTable) -> Samples:
    """One row a person."""
    groups = tuple(sorted({person.group for person in people}))
    labels = np.array([groups.index(person.group) for person in people])
    return Samples(table, groups, labels, np.arange(len(people)))


def validate(
    people: Sequence[AggregatedFace],
    samples: Samples,
    split: Split,
    audit: Audit,
    settings: Settings,
    *,
    best: BestPossible,
    site_split: Split | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Everything that is told of a matcher on a cohort.

    samples : of `samples_of`; rows that are parts of people count as people do, and the audit refuses
    split : of `samples`; audit : of both
    site_split : of the same people by site, to be told as well
    folder : where shuffles are kept, so that a run that was stopped goes on
    progress : called with (stage, done, of)

    Raises
    ------
    InputError
        The audit refuses.
    """
    if audit.refused:
        raise InputError(
            "expected a cohort and a split that the audit passes, but it refuses for "
            f"{', '.join(f.check for f in audit.refused)}; mend that, or allow it by name."
        )
    people = [people[i] for i in samples.owner]
    matcher = matcher_for(samples.table, settings)

    def told(stage: str) -> Callable[[int, int], None]:
        return lambda done, of: progress(stage, done, of) if progress else None

    asked = {MATCHER: (matcher, samples), **_others(people, samples, settings)}
    answers = hold_out(asked, split, progress=told("hold people out"))
    held = answers.pop(MATCHER)
    assert held.sets is not None, "FaceMatcher has prediction sets"
    labels, groups = samples.labels, samples.groups
    result = discrimination(groups, labels, held.best, held.adjusted, settings.seed)
    shuffled = permuted_accuracies(
        matcher, samples, split, held, settings.permutations,
        seed=settings.seed, folder=folder, progress=told("shuffle the groups"),
    )  # fmt: skip
    covered = held.sets[:, np.arange(len(labels)), labels].mean(0)
    inconclusive = ~decided(held.sets, held.best)
    right = (held.best == labels).mean(0)
    sites_out = None
    if site_split is not None:
        away = hold_out({MATCHER: (matcher, samples)}, site_split, progress=told("hold sites out"))[MATCHER]
        assert away.sets is not None, "FaceMatcher has prediction sets"
        within = permuted_accuracies(
            matcher, samples, site_split, away, settings.permutations,
            seed=settings.seed, folder=folder, progress=told("shuffle within sites"),
        )  # fmt: skip
        sites_out = SitesOut(
            len(site_split.folds),
            discrimination(groups, labels, away.best, away.adjusted, settings.seed),
            _conformal(settings.coverage, groups, labels, away),
            refusals(people, samples, site_split, away),
            Null(balanced(away.best[0], labels), within),
        )
    if progress:
        progress("map", 0, 0)
    return Validation(
        people=tuple(people),
        groups=groups,
        labels=labels,
        split=split,
        settings=settings,
        audit=audit,
        held=held,
        result=result,
        calibration=calibration(labels, held.adjusted, settings.seed),
        decisions=decision_curves(groups, labels, held.adjusted),
        conformal=_conformal(settings.coverage, groups, labels, held),
        refusals=refusals(people, samples, split, held),
        subgroups=subgroups(people, right, covered, inconclusive.mean(0), settings.columns),
        null=Null(balanced(held.best[0], labels), shuffled),
        comparators={name: _compared(other, held, samples, settings.seed) for name, other in answers.items()},
        embeddings=embedding_map(matcher, samples, split.folds[0], settings.seed),
        best=best,
        sites_out=sites_out,
    )


def matcher_for(table: FeatureTable, settings: Settings) -> FaceMatcher:
    return FaceMatcher(table.names, table.stimuli, coverage=settings.coverage, random_state=settings.seed)


def _conformal(stated: float, groups: Sequence[str], labels: np.ndarray, held: HeldOut) -> Conformal:
    assert held.sets is not None, "FaceMatcher has prediction sets"
    covered = held.sets[:, np.arange(len(labels)), labels].mean(0)
    named = decided(held.sets, held.best)
    hits, given = (named & (held.best == labels)).mean(0).sum(), named.mean(0).sum()
    return Conformal(
        stated=stated,
        covered=share(covered.sum(), len(labels)),
        inconclusive=share(len(labels) - given, len(labels)),
        decided_right=share(hits, given),
        by_group={name: share(covered[labels == g].sum(), int((labels == g).sum())) for g, name in enumerate(groups)},
    )


def _others(
    people: Sequence[AggregatedFace], samples: Samples, settings: Settings
) -> dict[str, tuple[ClassifierMixin, Samples]]:
    """What the matcher is compared with: {name: (classifier, samples)}."""
    out = {name: (one, samples) for name, one in comparators(samples.table, settings.seed).items()}
    known = age_and_sex(people)
    if known is not None:
        table = FeatureTable(tuple(f"x{i}" for i in range(known.shape[1])), (), known[:, None])
        out["age and sex alone"] = of_age_and_sex(), replace(samples, table=table)
    return out


def _compared(other: HeldOut, held: HeldOut, samples: Samples, seed: int) -> Comparator:
    labels = samples.labels
    # as they are: not all baselines' probabilities are for groups that are equally common
    found = discrimination(samples.groups, labels, other.best, other.probabilities.mean(0), seed)
    gain = (held.best == labels).mean(0) - (other.best == labels).mean(0)
    return Comparator(found.accuracy, found.balanced_accuracy, found.auroc, mean(gain))
