"""How well an atlas matches people it has not seen: cross-validation over people.

Everything learnt (scaling, standard faces, encoder, stopping, temperature, threshold) is learnt inside the fold, from
the people left in. The p value comes from repeating the whole cross-validation with the groups shuffled over people.
Beside the encoder stands a plain baseline on the same features: multinomial logistic regression.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from atlas.calibration import decided
from atlas.encoder import Task, embed, fit_encoders, inner_folds
from atlas.features import FeatureTable, Scaler
from atlas.match import INCONCLUSIVE
from atlas.matcher import COVERAGE, fit_matchers
from atlas.parallel import run_all
from reconstruction.sequence import STATEMENT

FOLDS = 5
PERMUTATIONS = 99
PART = 8  # permutations fitted by one process in one go
MANY = 10_000  # people times permutations from which processes share the work


@dataclass(frozen=True)
class Prediction:
    """A held-out person: by all stimuli, and the share of single stimuli that hit."""

    person: str
    group: str
    best: str
    decision: str
    covered: bool
    probabilities: dict[str, float]
    single_share: float


@dataclass(frozen=True)
class Evaluation:
    """Results over people; intervals are 95 %.

    accuracy : share of people whose nearest standard face is their group's (Wilson interval), by all their stimuli
    balanced_accuracy : mean over groups of the share matched
    single_accuracy : the same from one stimulus, mean over people (bootstrap over people)
    chance : the share of the largest group; `p` : one-sided, permutation of groups over people, of the balanced
        accuracy
    decided, right_of_decided : share not inconclusive, and of those the share right; `covered` : the share of people
        whose group is in the prediction set, to be compared with `coverage`
    confusion : {group: {matched to: people}}
    brier : mean squared error of the probabilities, summed over groups (0 perfect, 2 worst, 1 - 1/G uniform)
    baseline_accuracy : logistic regression in the same folds
    """

    people: int
    folds: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    chance: float
    p: float | None
    permutations: int
    single_accuracy: float
    single_interval: tuple[float, float]
    decided: float
    right_of_decided: float | None
    coverage: float
    covered: float
    confusion: dict[str, dict[str, int]]
    sensitivity: dict[str, float]
    brier: float
    baseline_accuracy: float
    baseline_interval: tuple[float, float]
    predictions: tuple[Prediction, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything but the people's own predictions, rounded."""
        document = asdict(self)
        del document["predictions"]
        return {"unit": "person", **_rounded(document)}

    def people_json(self) -> dict[str, Any]:
        """The held-out people's predictions, rounded; personal data, kept apart from what is shared."""
        return {"statement": STATEMENT, "people": [_rounded(asdict(p)) for p in self.predictions]}

    @property
    def cautions(self) -> tuple[str, ...]:
        """What every match against the evaluated atlas has to say."""
        if self.p is not None and self.p > 0.05:
            return (
                f"this atlas does not tell its groups apart better than chance (accuracy {self.accuracy:.2f}, chance "
                f"{self.chance:.2f}, p = {self.p:.2f})",
            )
        return ()


def evaluate(
    table: FeatureTable,
    groups: Sequence[str],
    people: Sequence[str],
    *,
    coverage: float = COVERAGE,
    permutations: int = PERMUTATIONS,
    folds: int = FOLDS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Cross-validate a matcher on people `people` of `groups`, in the table's order.

    permutations : 0 for no p value
    progress : called with (permutations done, permutations)
    """
    names = tuple(sorted(set(groups)))
    labels = np.array([names.index(group) for group in groups])
    smallest = int(np.bincount(labels).min())
    folds = max(2, min(folds, smallest))
    fold = inner_folds(labels, np.ones(len(labels), bool), folds, seed + 1)
    single, owner = table.single()
    matchers = fit_matchers(table, labels, names, [fold != k for k in range(folds)], coverage, seed)

    held = [fold == k for k in range(folds)]
    best = np.zeros(len(labels), int)
    baseline = np.zeros(len(labels), int)
    hits = np.zeros(len(owner))
    made: dict[int, Prediction] = {}
    probabilities = np.zeros((len(labels), len(names)))
    for matcher, out in zip(matchers, held, strict=True):
        encoder = matcher.encoder
        z = encoder.scaler.z(table)
        cosines = encoder.cosines(z)
        best[out] = cosines[out].argmax(1)
        baseline[out] = _baseline(encoder.scaler, z, labels, out)
        rows = out[owner]
        hits[rows] = encoder.cosines(encoder.scaler.z(single))[rows].argmax(1) == labels[owner[rows]]
        for i in np.flatnonzero(out):
            present = [s for s, row in zip(table.stimuli, table.values[i], strict=False) if np.isfinite(row).any()]
            calibration = matcher.calibration(present)
            probabilities[i] = calibration.probabilities(cosines[i])
            inside = calibration.sets(probabilities[i])
            made[i] = Prediction(
                person=people[i],
                group=groups[i],
                best=names[best[i]],
                decision=names[best[i]] if decided(inside, best[i]) else INCONCLUSIVE,
                covered=bool(inside[labels[i]]),
                probabilities=dict(zip(names, map(float, probabilities[i]), strict=True)),
                single_share=float(hits[owner == i].mean()),
            )
    predictions = tuple(made[i] for i in range(len(labels)))
    right = best == labels
    balanced = _balanced(best, labels)
    shuffled = _permuted(table, labels, fold, len(names), permutations, seed, progress)
    given = np.array([p.decision != INCONCLUSIVE for p in predictions])
    decided_right = np.array([p.decision == p.group for p in predictions])
    single_share = np.array([p.single_share for p in predictions])
    truth = np.eye(len(names))[labels]
    return Evaluation(
        people=len(labels),
        folds=folds,
        accuracy=float(right.mean()),
        accuracy_interval=wilson(int(right.sum()), len(right)),
        balanced_accuracy=balanced,
        chance=float(np.bincount(labels).max() / len(labels)),
        p=float((1 + (shuffled >= balanced - 1e-9).sum()) / (1 + permutations)) if permutations else None,
        permutations=permutations,
        single_accuracy=float(single_share.mean()),
        single_interval=_bootstrap(single_share, seed),
        decided=float(given.mean()),
        right_of_decided=float(decided_right[given].mean()) if given.any() else None,
        coverage=coverage,
        covered=float(np.mean([p.covered for p in predictions])),
        confusion={
            a: {b: int(((labels == i) & (best == j)).sum()) for j, b in enumerate(names)} for i, a in enumerate(names)
        },
        sensitivity={a: float(right[labels == i].mean()) for i, a in enumerate(names)},
        brier=float(((probabilities - truth) ** 2).sum(1).mean()),
        baseline_accuracy=float((baseline == labels).mean()),
        baseline_interval=wilson(int((baseline == labels).sum()), len(labels)),
        predictions=predictions,
    )


def wilson(hits: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927)."""
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(0, centre - half)), float(min(1, centre + half))


def _balanced(best: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean([(best[labels == g] == g).mean() for g in np.unique(labels)]))


def _permuted(
    table: FeatureTable,
    labels: np.ndarray,
    fold: np.ndarray,
    groups: int,
    permutations: int,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """(permutations,) balanced accuracies with groups shuffled over people.

    Shuffled within folds, so that every fold keeps its numbers of each group and the scaling of a fold is reused.
    """
    rng = np.random.default_rng(seed + 2)
    folds = fold.max() + 1
    shuffles = []
    for _ in range(permutations):
        shuffled = labels.copy()
        for k in range(folds):
            members = np.flatnonzero(fold == k)
            shuffled[members] = labels[rng.permutation(members)]
        shuffles.append(shuffled)
    parts = [shuffles[start : start + PART] for start in range(0, permutations, PART)]
    told = (lambda done, _: progress(min(done * PART, permutations), permutations)) if progress else None
    jobs = [(table, part, fold, groups, seed) for part in parts]
    workers = 1 if permutations * len(table) < MANY else None  # processes take seconds to start
    return np.concatenate([np.zeros(0), *run_all(_accuracies, jobs, workers, told)])


def _accuracies(
    table: FeatureTable, shuffles: Sequence[np.ndarray], fold: np.ndarray, groups: int, seed: int
) -> np.ndarray:
    """Balanced accuracy of the whole cross-validation for every one of the groups' shuffles."""
    folds = fold.max() + 1
    fitted = fit_encoders(table, [Task(s, fold != k) for s in shuffles for k in range(folds)], groups, seed)
    inputs = []  # of the people held out of each fold, whose scaler all shuffles share
    for k in range(folds):
        scaler = fitted[k].scaler
        inputs.append(scaler.inputs(scaler.z(table))[fold == k])
    out = np.zeros(len(shuffles))
    for i, shuffled in enumerate(shuffles):
        best = np.zeros(len(shuffled), int)
        for k in range(folds):
            encoder = fitted[i * folds + k]
            best[fold == k] = (embed(inputs[k], encoder.weights) @ encoder.prototypes.T).argmax(1)
        out[i] = _balanced(best, shuffled)
    return out


def _baseline(scaler: Scaler, z: np.ndarray, labels: np.ndarray, out: np.ndarray) -> np.ndarray:
    """(people held out,) predictions of a ridge-penalised multinomial logistic regression on the same features."""
    features = 10 * scaler.unprojected(z)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=500)
    return model.fit(features[~out], labels[~out]).predict(features[out])


def _bootstrap(values: np.ndarray, seed: int, resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean over people."""
    rng = np.random.default_rng(seed + 3)
    low, high = np.quantile(values[rng.integers(0, len(values), (resamples, len(values)))].mean(1), [0.025, 0.975])
    return float(low), float(high)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
