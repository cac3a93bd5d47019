"""What blurring statistics hides and costs, on a cohort's statistics: parts of ``measure_sharing.py``."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import ttest_ind
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier

from atlas.cohort import load_cohort
from atlas.evaluation import evaluate, fit_matchers, wilson
from atlas.features import FeatureTable
from atlas.sharing.blurring import Blurred, Measured
from atlas.sharing.field_sets import FieldSet, field_sets
from atlas.sharing.microaggregation import people_alike
from atlas.sharing.occasions import occasions
from atlas.sharing.people import choose_people
from atlas.sharing.reading import plan, read_recordings, summary_quantities
from atlas.sharing.summary import correlated_noise

NOISES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
ALIKE = (5, 8, 10, 12, 15, 20, 30)
SETS = ("core:1", "core:2", "core:3", "core:4", "core:6", "core:8", "core:12", "units", "all")
DRAWS, MANY = 6, 20  # of noise; columns from which on two do, which take long
LIMIT = 0.05
SHUFFLES = 200  # of groups


class Values:
    """Statistics of the cohort's recordings as measured, and what they can be made to."""

    def __init__(self, folder: Path, seed: int):
        self.chosen = choose_people(load_cohort(folder, least=0), np.random.default_rng(seed), columns=())
        self.planned = plan(self.chosen)
        parted = occasions(self.chosen.people)
        self.read = read_recordings(self.planned, self.chosen, parted, "summary", "atlas-head", folder, None)
        biomarkers, statistics = summary_quantities("atlas-head")
        self.biomarkers = [q.name for q in biomarkers]
        self.names = [*self.biomarkers, *(q.name for q in statistics)]
        self.sets = {s.name: s for s in field_sets(biomarkers, [q.name for q in statistics])}
        self.measured = Measured.of(self.read, len(self.planned.stimuli), parted, self.chosen)
        self.groups = np.array([person.group for person in self.chosen.people])

    @property
    def varying(self) -> int:
        """Biomarkers in which people differ at all."""
        return int((self.measured.scale.sd[:, : len(self.biomarkers)] > 0).any(0).sum())

    def columns(self, name: str) -> list[int]:
        return [self.names.index(field) for field in self.sets[name].fields]

    def trade_off(self, rng: np.random.Generator) -> list[dict]:
        """Top-1 and cost of every set with every noise, and as means of every number of people alike."""
        out = []
        for name in SETS:
            columns = self.columns(name)
            for sd in NOISES:
                draws = (DRAWS if len(columns) <= MANY else 2) if sd else 1
                made = [self.measured.noisy(columns, sd, rng) for _ in range(draws)]
                out.append({"set": name, "noise": sd, **_figures(made)})
            for least in ALIKE:
                made = [self.measured.averaged(columns, self.measured.alike(columns, least))]
                out.append({"set": name, "alike": least, **_figures(made)})
            print(name, [round(float(row["top1"]), 3) for row in out if row["set"] == name], flush=True)
        return out

    def at_the_limit(self, trade_off: list[dict], rng: np.random.Generator) -> list[dict]:
        """Every set blurred in either way as far as brings top-1 to the limit, and what the matcher makes of it."""
        out = []
        for name in SETS:
            fields, columns = self.sets[name], self.columns(name)
            rows = [row for row in trade_off if row["set"] == name]
            made = {"noise": self._least_noise(rows, columns, rng), "means": self._fewest_alike(rows, columns)}
            row: dict = {"set": name, "clean": self.matched(self.measured.noisy(columns, 0.0, rng), fields)}
            for way, blurred in made.items():
                if blurred is not None:
                    told = {"noise": blurred.noise_sd, "alike": blurred.least_alike, **_figures([blurred])}
                    row[way] = told | {"match": self.matched(blurred, fields)}
            out.append(row)
            print(row, flush=True)
        return out

    def _least_noise(self, rows: list[dict], columns: list[int], rng: np.random.Generator) -> Blurred | None:
        """With noise between the sizes tried; None where the largest was too little."""
        sds, top1 = np.array([(row["noise"], row["top1"]) for row in rows if "noise" in row]).T
        if top1[-1] > LIMIT:
            return None
        sd = 0.0 if top1[0] <= LIMIT else float(np.interp(LIMIT, np.maximum.accumulate(top1[::-1]), sds[::-1]))
        return self.measured.noisy(columns, sd, rng)

    def _fewest_alike(self, rows: list[dict], columns: list[int]) -> Blurred | None:
        """Of so few people that they and all larger numbers tried stay below the limit."""
        tried = {row["alike"]: row["top1"] for row in rows if "alike" in row}
        enough = [k for k in tried if all(top1 <= LIMIT for other, top1 in tried.items() if other >= k)]
        return self.measured.averaged(columns, self.measured.alike(columns, min(enough))) if enough else None

    def matched(self, made: Blurred, fields: FieldSet) -> float:
        """Accuracy of the matcher on people, or on clusters of people alike, that it has not seen."""
        cube = replace(self.measured.rows, values=made.values).cube(len(self.groups), len(self.planned.stimuli))
        unknown = np.full((len(self.groups), 1, len(fields.fields)), np.nan)
        table = FeatureTable(fields.fields, self.planned.stimuli, np.concatenate([cube, unknown], 1))
        return matching(table, list(self.groups), made.cluster)[0]

    def group_tests(self, rng: np.random.Generator) -> list[dict]:
        """What becomes of groups: the difference of AU12 between two of them; false alarms of t-tests, and a nearest
        neighbour's accuracy, where groups are drawn at random.
        """
        out = []
        for name, sd, least in (("core:3", 1.0, 15), ("core:12", 2.8, 20)):
            columns = self.columns(name)
            ways: dict[str, Callable[[np.ndarray], Blurred]] = {
                "as measured": lambda _, c=columns: self.measured.noisy(c, 0.0, rng),
                f"noise, {sd:g} SD": lambda _, c=columns, s=sd: self.measured.noisy(c, s, rng),
                f"means of {least}": lambda _, c=columns, k=least: self.measured.averaged(c, self.measured.alike(c, k)),
                f"means of {least} within groups": lambda of, c=columns, k=least: self.measured.averaged(
                    c, self.within(of, c, k)
                ),
            }
            for way, make in ways.items():
                differences = [self._difference(make(self.groups)) for _ in range(DRAWS)]
                alarms, hits = [], []
                for number in range(SHUFFLES):
                    shuffled = rng.permutation(self.groups)
                    own = self.people(make(shuffled))
                    first, second = (own[shuffled == group] for group in ("MDD", "HC"))
                    alarms.append((ttest_ind(first, second).pvalue < 0.05).mean())
                    if number < DRAWS:
                        hits.append(_neighbours(own, shuffled))
                row = {"set": name, "way": way, "d": float(np.mean(differences))}
                out.append({**row, "alarms": float(np.mean(alarms)), "neighbour": float(np.mean(hits))})
                print(out[-1], flush=True)
        return out

    def within(self, groups: np.ndarray, columns: Sequence[int], least: int) -> np.ndarray:
        """Clusters of people alike of one group, which the software does not make."""
        cluster, z = np.zeros(len(groups), int), np.nan_to_num(self.measured.own[:, :, list(columns)])
        for group in sorted(set(groups)):
            of = np.flatnonzero(groups == group)
            cluster[of] = people_alike(z[of].reshape(len(of), -1), least) + cluster.max() + 1
        return np.unique(cluster, return_inverse=True)[1]

    def people(self, made: Blurred) -> np.ndarray:
        """(N, F) means over recordings."""
        rows = self.measured.rows
        of = replace(rows, stimulus=np.zeros_like(rows.stimulus), values=made.values)
        return of.cube(len(self.groups), 1)[:, 0]

    def _difference(self, made: Blurred) -> float:
        first, second = (self.people(made)[self.groups == group, 0] for group in ("MDD", "HC"))
        return float((first.mean() - second.mean()) / np.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2))

    def draws_of_noise(self, rng: np.random.Generator) -> list[dict]:
        """Top-1 of three ways of drawing noise of the same standard deviation."""
        whole, out = self.measured.comparison, []
        for name in ("core:12", "units", "all"):
            columns = self.columns(name)
            own = self.measured.own[:, :, columns]
            people, stimuli, fields = own.shape
            for sd in (0.5, 1.0, 2.0):
                ways: dict[str, Callable[[], np.ndarray]] = {
                    "as values correlate": lambda own=own, sd=sd: correlated_noise(own, sd, rng),
                    "one draw a person and biomarker": lambda n=people, q=stimuli, f=fields, sd=sd: np.repeat(
                        rng.normal(0, sd, (n, 1, f)), q, 1
                    ),
                    "one draw a value": lambda shape=own.shape, sd=sd: rng.normal(0, sd, shape),
                }
                row: dict = {"set": name, "noise": sd}
                for way, draw in ways.items():
                    found = [whole.on(columns, whole.probe[:, :, columns] + draw()).attack()[0].top1 for _ in range(3)]
                    row[way] = float(np.mean(found))
                out.append(row)
        return out


def matching(
    table: FeatureTable, groups: Sequence[str], cluster: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Cross-validated accuracy of the matcher, with its interval; people of a cluster are held out together."""
    if cluster is None:
        made = evaluate(table, groups, [str(i) for i in range(len(table))], permutations=0)
        return made.accuracy, *made.accuracy_interval
    names, labels = np.unique(groups, return_inverse=True)
    folds = StratifiedGroupKFold(min(5, cluster.max() + 1), shuffle=True, random_state=0)
    held = [np.isin(np.arange(len(labels)), out) for _, out in folds.split(labels, labels, cluster)]
    matchers = fit_matchers(table, labels, tuple(names), [~out for out in held], 0.9, 0)
    hits = 0
    for matcher, out in zip(matchers, held, strict=True):
        encoder = matcher.encoder
        hits += int((encoder.cosines(encoder.scaler.z(table))[out].argmax(1) == labels[out]).sum())
    return hits / len(labels), *wilson(hits, len(labels))


def _figures(made: Sequence[Blurred]) -> dict[str, float]:
    """Means over draws; what an attacker with the very recordings finds, of the first."""
    figures = np.mean([(m.top1, m.cost.error, m.cost.correlation) for m in made], 0)
    return {**dict(zip(("top1", "error", "r"), map(float, figures), strict=True)), "very": made[0].known_recordings}


def _neighbours(own: np.ndarray, groups: np.ndarray) -> float:
    """How often somebody's nearest neighbour among four fifths of the others is of the same group."""
    order = np.arange(len(own)) % 5
    hits = [
        (
            KNeighborsClassifier(1).fit(own[order != k], groups[order != k]).predict(own[order == k])
            == groups[order == k]
        )
        for k in range(5)
    ]
    return float(np.concatenate(hits).mean())
