"""Identifiers and circumstances that could tell a group without a face, and how strongly each goes with the groups.

Numbers are divided into parts of equal size, categories stay; the association with the groups is Cramér's V with
Bergsma's (2013) correction for bias, 0 none to 1 the groups are told outright. p is by permutation of the groups over
people, corrected by Holm's (1979) method for all that was tested.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.participants import MISSING
from atlas.validation.traits import NUMBERS, PROCESSING

PERMUTATIONS = 4999
PARTS, PEOPLE_A_PART = 8, 8  # a number is divided into at most so many parts, of at least so many people
MOST_VALUES = 20  # a category with more says little that can be tested
# words in names of columns that are about how someone was recorded, and those that make a column clinical
TECHNICAL = {
    "site", "center", "centre", "hospital", "camera", "device", "lens", "room", "session", "wave", "batch", "date",
    "operator", "rater", "interviewer", "recruitment", "source", "dataset", "lighting",
}  # fmt: skip
CLINICAL = {"birth", "onset", "diagnosis", "illness", "symptom"}


@dataclass(frozen=True)
class Nuisance:
    """values : (P,) float64, NaN where unknown; a category as a number that stands for it where not `ordered`
    confounder : the face shows it, and may (age, sex): to be told, not refused
    """

    name: str
    values: np.ndarray
    ordered: bool
    confounder: bool = False


@dataclass(frozen=True)
class Association:
    """strength : Cramér's V, bias corrected, 0..1; p : corrected by Holm for all that was tested; people : known of."""

    name: str
    strength: float
    p: float
    people: int
    confounder: bool


def nuisances_of(
    people: Sequence[AggregatedFace], order: Sequence[str] = (), columns: Sequence[str] = ()
) -> tuple[Nuisance, ...]:
    """What can be tested of people; what is the same for everyone is left out.

    order : ids as participants.tsv lists them; columns : further columns of it to test
    """
    ids = [person.id.removeprefix("sub-") for person in people]
    number = [int(found[-1]) if (found := re.findall(r"\d+", one)) else np.nan for one in ids]
    place = {one: i for i, one in enumerate(order)}
    out = [
        _ordered("participant number", number),
        _category("last digit of the participant number", [None if n != n else n % 10 for n in number]),
        _category("letters of the participant id", [re.sub(r"\d", "", one) for one in ids]),
        _ordered("order in participants.tsv", [place.get(person.id, np.nan) for person in people]),
        _ordered("number of recordings", [len(person.recordings) for person in people]),
        _category("stimuli recorded", [" ".join(person.stimuli) for person in people]),
        _category("stage of the reconstruction", [" ".join(sorted({r.stage for r in p.recordings})) for p in people]),
        _category("simulated or not", [person.simulated for person in people]),
    ]
    if all(len(r.biomarkers) > len(NUMBERS) for person in people for r in person.recordings):
        rows = [np.array([r.biomarkers[: len(NUMBERS) + 1] for r in person.recordings]) for person in people]
        means = np.array([row[:, : len(NUMBERS)].mean(0) for row in rows])
        out += [_ordered(name, means[:, i]) for i, name in enumerate(NUMBERS)]
        out.append(_category(PROCESSING, [tuple(sorted(set(row[:, -1]))) for row in rows]))
    known = dict.fromkeys(name for person in people for name in person.extra)
    for name in known:
        words = set(re.findall(r"[a-z]+", name))
        if name in columns or (words & TECHNICAL and not words & CLINICAL):
            out.append(_column(name, [person.extra.get(name, "") for person in people]))
    out.append(_ordered("age", [np.nan if p.age is None else p.age for p in people], confounder=True))
    out.append(_category("sex", [person.sex for person in people], confounder=True))
    return tuple(one for one in out if len(set(one.values[np.isfinite(one.values)].tolist())) > 1)


def associations(
    nuisances: Sequence[Nuisance], labels: np.ndarray, *, permutations: int | None = None, seed: int = 0
) -> tuple[Association, ...]:
    """How strongly each goes with the groups (P,), strongest first; `PERMUTATIONS` unless told otherwise."""
    permutations = PERMUTATIONS if permutations is None else permutations
    rng = np.random.default_rng([seed, 11])
    groups = int(labels.max()) + 1
    found = []
    for nuisance in nuisances:
        known = np.isfinite(nuisance.values)
        cells, own = _cells(nuisance, known), labels[known]
        if len(own) < 2 * groups or cells.shape[1] < 2:
            continue
        shuffled = own[np.argsort(rng.random((permutations, len(own))), axis=1)]
        chi = _chi(own[None], cells, groups)[0]
        p = (1 + (_chi(shuffled, cells, groups) >= chi - 1e-9).sum()) / (1 + permutations)
        found.append(Association(nuisance.name, _cramer(chi, cells, own), float(p), len(own), nuisance.confounder))
    smallest_first = sorted(range(len(found)), key=lambda i: found[i].p)
    corrected, running = dict.fromkeys(range(len(found)), 1.0), 0.0
    for rank, i in enumerate(smallest_first):
        running = max(running, min(1.0, found[i].p * (len(found) - rank)))
        corrected[i] = running
    out = [Association(a.name, a.strength, corrected[i], a.people, a.confounder) for i, a in enumerate(found)]
    return tuple(sorted(out, key=lambda a: (-a.strength, a.name)))


def _cells(nuisance: Nuisance, known: np.ndarray) -> np.ndarray:
    """(n, C) one-hot membership of categories, or of parts of equal size of a number."""
    values = nuisance.values[known]
    parts = min(PARTS, max(2, len(values) // PEOPLE_A_PART))
    if nuisance.ordered and len(set(values.tolist())) > parts:
        bounds = np.unique(np.quantile(values, np.arange(1, parts) / parts))
        values = np.searchsorted(bounds, values, side="left")
    return (values[:, None] == np.unique(values)).astype(float)


def _chi(labels: np.ndarray, cells: np.ndarray, groups: int) -> np.ndarray:
    """(B,) chi squared of groups (B, n) against cells (n, C)."""
    total = cells.sum(0)
    chi = np.zeros(len(labels))
    for group in range(groups):
        member = (labels == group).astype(float)
        expected = member.sum(1)[:1, None] * total / len(cells)
        chi += ((member @ cells - expected) ** 2 / np.maximum(expected, 1e-12)).sum(1)
    return chi


def _cramer(chi: float, cells: np.ndarray, labels: np.ndarray) -> float:
    n, rows, columns = len(labels), len(np.unique(labels)), cells.shape[1]
    excess = max(0.0, chi / n - (rows - 1) * (columns - 1) / (n - 1))
    rows_left = rows - (rows - 1) ** 2 / (n - 1)
    columns_left = columns - (columns - 1) ** 2 / (n - 1)
    return float(min(1.0, np.sqrt(excess / max(1e-9, min(rows_left, columns_left) - 1))))


def _ordered(name: str, values: Sequence[float] | np.ndarray, confounder: bool = False) -> Nuisance:
    return Nuisance(name, np.asarray(values, float), True, confounder)


def _category(name: str, values: Sequence[object], confounder: bool = False) -> Nuisance:
    """Values that one person has alone count as one, 'other'."""
    counts = Counter(value for value in values if value is not None)
    kept = sorted((v for v, n in counts.items() if n > 1), key=str)
    number = {value: i for i, value in enumerate(kept)} if len(kept) <= MOST_VALUES else {}
    return Nuisance(
        name, np.array([np.nan if v is None else number.get(v, -1) for v in values], float), False, confounder
    )


def _column(name: str, texts: Sequence[str]) -> Nuisance:
    """A column of participants.tsv: numbers and dates as they are ordered, other texts as categories."""
    known = [None if text.strip().lower() in MISSING else text.strip() for text in texts]
    readers: Mapping[str, Callable[[str], float]] = {
        "number": float, "date": lambda text: datetime.fromisoformat(text).replace(tzinfo=None).toordinal()
    }  # fmt: skip
    for read in readers.values():
        try:
            return _ordered(name, [np.nan if text is None else read(text) for text in known])
        except ValueError:
            continue
    return _category(name, known)
