"""What a classifier says of people when they are held out: nested cross-validation of the matcher and its comparators.

The classifier learns everything inside `fit`, from a fold's training people alone: scaling, stopping, temperature,
threshold, by folds of its own within.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import ClassifierMixin, clone

from atlas.parallel import run_all
from atlas.validation.splits import Fold, Samples, Split

MANY = 1000  # rows times folds from which processes share the work: they take seconds to start
Answer = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class HeldOut:
    """R repeats, N rows, G groups.

    best : (R, N) number of the group named
    probabilities : (R, N, G) as the classifier gives them: as if groups were equally common
    common : (R, N, G) the groups' shares among the people learnt from
    sets : (R, N, G) bool prediction sets, None where the classifier has none
    strange : (R, N) bool too unlike the people learnt from to be matched, None where the classifier does not tell
    """

    best: np.ndarray
    probabilities: np.ndarray
    common: np.ndarray
    sets: np.ndarray | None
    strange: np.ndarray | None = None

    @property
    def adjusted(self) -> np.ndarray:
        """(N, G) mean over repeats of the probabilities at the cohort's own group sizes, by Bayes' rule."""
        weighed = self.probabilities * self.common
        return (weighed / weighed.sum(-1, keepdims=True)).mean(0)


def hold_out(
    classifiers: Mapping[str, tuple[ClassifierMixin, Samples]],
    split: Split,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, HeldOut]:
    """Fit clones of every classifier to every fold's training rows of its samples and ask about the rows held out.

    classifiers : {name: (classifier, samples)}, the samples alike but for their features
    progress : called with (fits done, fits)
    """
    jobs = []
    for classifier, samples in classifiers.values():
        x, y = samples.table.matrix(), samples.names
        jobs += [(classifier, x, y, samples.groups, fold) for fold in split.folds]
    rows = max(len(samples) for _, samples in classifiers.values())
    answers = run_all(_answer, jobs, 1 if rows * len(split.folds) < MANY else workers, progress)
    size, out = len(split.folds), {}
    for number, (name, (_, samples)) in enumerate(classifiers.items()):
        out[name] = _gathered(samples, split, answers[number * size : (number + 1) * size])
    return out


def _gathered(samples: Samples, split: Split, answers: Sequence[Answer]) -> HeldOut:
    shape = (len(split.repeats), len(samples), len(samples.groups))
    best, probabilities, common = np.zeros(shape[:2], int), np.zeros(shape), np.zeros(shape)
    sets, strange = np.zeros(shape, bool), np.zeros(shape[:2], bool)
    for (at, fold), (named, given, kept, far) in zip(_numbered(split), answers, strict=True):
        best[at, fold.test], probabilities[at, fold.test] = named, given
        common[at, fold.test] = np.bincount(samples.labels[fold.train], minlength=shape[2]) / fold.train.sum()
        if kept is not None and far is not None:
            sets[at, fold.test], strange[at, fold.test] = kept, far
    plain = any(kept is None for *_, kept, _ in answers)
    return HeldOut(best, probabilities, common, None if plain else sets, None if plain else strange)


def _numbered(split: Split) -> list[tuple[int, Fold]]:
    return [(number, fold) for number, repeat in enumerate(split.repeats) for fold in repeat]


def _answer(classifier: ClassifierMixin, x: np.ndarray, y: np.ndarray, groups: tuple[str, ...], fold: Fold) -> Answer:
    """Of the rows held out: (n,) groups' numbers, (n, G) probabilities; of a `FaceMatcher` (n, G) prediction sets and
    (n,) whether it would refuse them.
    """
    fitted = clone(classifier).fit(x[fold.train], y[fold.train])
    place = [groups.index(str(name)) for name in fitted.classes_]
    asked = x[fold.test]
    probabilities = np.zeros((len(asked), len(groups)))
    probabilities[:, place] = fitted.predict_proba(asked)
    best = np.array([groups.index(str(name)) for name in fitted.predict(asked)])
    if not hasattr(fitted, "prediction_sets"):
        return best, probabilities, None, None
    sets = np.zeros(probabilities.shape, bool)
    sets[:, place] = fitted.prediction_sets(asked)
    return best, probabilities, sets, fitted.refused(asked)
