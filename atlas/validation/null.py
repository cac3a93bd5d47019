"""Could it be luck? The whole pipeline again, with the groups shuffled over people.

Groups change places within the parts that are held out together, folds or sites, so that every part keeps its numbers
of each group. Shuffle i is drawn from (seed, i) and its result is kept in a file, so that a run that was stopped goes
on, and more shuffles add to those there are. The file holds no person's data.

The matcher's encoders for many shuffles are trained as one batch, which is several times faster, where that gives the
very decisions that the classifier itself gave on the true groups; any other classifier is fitted one by one.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.base import ClassifierMixin, clone

from atlas.encoder import Task, fit_encoders
from atlas.parallel import run_all
from atlas.validation.held_out import HeldOut
from atlas.validation.splits import Samples, Split
from reconstruction import __version__
from reconstruction.storage import write_atomically

FILE = "permutations-{kind}.json"
PART = 8  # shuffles in one go
SAME = 0.98  # share of decisions that the batch has to give as the classifier does
MANY = 10_000  # rows times shuffles from which processes share the work


def permuted_accuracies(
    classifier: ClassifierMixin,
    samples: Samples,
    split: Split,
    true: HeldOut,
    permutations: int,
    *,
    seed: int = 0,
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """(permutations,) balanced accuracies of the first repeat's folds with the groups shuffled over people.

    true : the classifier's answers with the true groups
    folder : where results are kept in `FILE` and found again
    """
    split = Split(split.kind, split.repeats[:1])
    key = _key(classifier, samples, split, seed)
    file = folder / FILE.format(kind=split.kind) if folder is not None else None
    known = _read(file, key)[:permutations]
    shuffles = [_shuffled(samples, split, seed, i) for i in range(len(known), permutations)]
    parts = [shuffles[start : start + PART] for start in range(0, len(shuffles), PART)]
    if not parts:
        return np.array(known)
    random_state = _batch_seed(classifier, samples, split, true)
    workers = 1 if len(shuffles) * len(samples) < MANY else None
    per_round = 1 if workers == 1 else 4  # what is stopped loses a round at most
    for start in range(0, len(parts), per_round):
        now = parts[start : start + per_round]
        jobs = [(classifier, samples, split, part, random_state) for part in now]
        known += [float(value) for found in run_all(_accuracies, jobs, workers) for value in found]
        if file is not None:
            document = {"key": key, "balanced_accuracy": [round(value, 6) for value in known]}
            write_atomically(file, (json.dumps(document) + "\n").encode())
        if progress:
            progress(len(known), permutations)
    return np.array(known).round(6)


def _batch_seed(classifier: ClassifierMixin, samples: Samples, split: Split, true: HeldOut) -> int | None:
    """The seed with which a batch of encoders decides as the classifier does; None where it does not."""
    seed = getattr(classifier, "random_state", None)
    if not hasattr(classifier, "similarities") or not isinstance(seed, int):
        return None
    decided = _batched(samples, split, [samples.labels], seed)[1][0]
    return seed if (decided == true.best[0]).mean() >= SAME else None


def balanced(best: np.ndarray, labels: np.ndarray) -> float:
    """Mean over groups of the share named rightly."""
    return float(np.mean([(best[labels == g] == g).mean() for g in np.unique(labels)]))


def _shuffled(samples: Samples, split: Split, seed: int, number: int) -> np.ndarray:
    """(N,) labels with the groups shuffled over people within every part that is held out together."""
    rng = np.random.default_rng([seed, 7, number])
    people, first, row = np.unique(samples.owner, return_index=True, return_inverse=True)
    labels = samples.labels[first].copy()
    done = np.zeros(len(people), bool)
    for fold in split.folds:
        members = np.flatnonzero(fold.test[first] & ~done)
        labels[members] = labels[rng.permutation(members)]
        done[members] = True
    return labels[row]


def _accuracies(
    classifier: ClassifierMixin, samples: Samples, split: Split, shuffles: list[np.ndarray], random_state: int | None
) -> list[float]:
    if random_state is not None:
        return _batched(samples, split, shuffles, random_state)[0]
    x, names = samples.table.matrix(), np.array(samples.groups)
    out = []
    for labels in shuffles:
        best = np.zeros(len(labels), int)
        for fold in split.folds:
            fitted = clone(classifier).fit(x[fold.train], names[labels[fold.train]])
            best[fold.test] = np.searchsorted(names, fitted.predict(x[fold.test]))
        out.append(balanced(best, labels))
    return out


def _batched(
    samples: Samples, split: Split, shuffles: list[np.ndarray], seed: int
) -> tuple[list[float], list[np.ndarray]]:
    """Balanced accuracies and decisions (N,) of encoders fitted together, one for every fold and shuffle."""
    tasks = [Task(labels, fold.train) for labels in shuffles for fold in split.folds]
    fitted = fit_encoders(samples.table, tasks, len(samples.groups), seed)
    # all shuffles share a fold's scaler
    scaled = [fitted[k].scaler.z(samples.table)[fold.test] for k, fold in enumerate(split.folds)]
    decisions = []
    for i, labels in enumerate(shuffles):
        best = np.zeros(len(labels), int)
        for k, fold in enumerate(split.folds):
            best[fold.test] = fitted[i * len(split.folds) + k].cosines(scaled[k]).argmax(1)
        decisions.append(best)
    return [balanced(best, labels) for best, labels in zip(decisions, shuffles, strict=True)], decisions


def _key(classifier: ClassifierMixin, samples: Samples, split: Split, seed: int) -> str:
    """Of everything the shuffles' results depend on."""
    told = hashlib.sha256(samples.table.values.tobytes())
    for array in (samples.labels, samples.owner, *(fold.test for fold in split.folds)):
        told.update(np.ascontiguousarray(array).tobytes())
    settings = {key: str(value) for key, value in sorted(classifier.get_params().items())}
    told.update(json.dumps([type(classifier).__name__, settings, samples.groups, seed, __version__]).encode())
    return told.hexdigest()


def _read(file: Path | None, key: str) -> list[float]:
    """What an earlier run of the same key kept; nothing where there is none or it cannot be read."""
    try:
        document = json.loads(file.read_text()) if file else {}
        if document.get("key") == key:
            return [float(value) for value in document["balanced_accuracy"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return []
