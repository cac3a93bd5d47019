"""Means of people alike: nobody's joint record is shared by fewer than so many, and the attacks see just that."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.sharing.audit import Comparison
from atlas.sharing.blurring import MEANS, Measured
from atlas.sharing.field_sets import FieldSet, Search, choose_fields
from atlas.sharing.microaggregation import cluster_means, people_alike
from atlas.sharing.occasions import GALLERY, PROBE, SESSIONS, Rows
from atlas.sharing.summary import Scale

PEOPLE, STIMULI, SESSION_COUNT = 60, 2, 2
NAMES = tuple("abcdef")


def measured(lacking: tuple[tuple[int, int], ...] = (), within: float = 0.5, unknown: float = 0.0) -> Measured:
    """People before two stimuli on two days. lacking : (person, cell) without a recording; unknown : values missing"""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(PEOPLE, len(NAMES))) * 3 + 10
    told = [
        (p, q, s, own[p] + within * rng.normal(size=len(NAMES)))
        for p in range(PEOPLE)
        for s in range(SESSION_COUNT)
        for q in range(STIMULI)
        if (p, 2 * s + q) not in lacking
    ]
    person, stimulus, session = (np.array([row[i] for row in told]) for i in range(3))
    values = np.stack([row[3] for row in told])
    values[rng.random(values.shape) < unknown] = np.nan
    rows = Rows(person, stimulus, np.where(session == 0, GALLERY, PROBE), values)
    scale = Scale.of(rows.cube(PEOPLE, STIMULI))
    z = replace(rows, values=scale.z(values, stimulus))
    sides = (z.cube(PEOPLE, STIMULI, side) for side in (GALLERY, PROBE))
    comparison = Comparison(*sides, SESSIONS, np.ones((PEOPLE, PEOPLE), bool))
    cells = 2 * session + stimulus
    return Measured(rows, cells, rows, cells, scale, comparison)


def joint(of: Measured, values: np.ndarray, leaves: np.ndarray) -> list[bytes]:
    """Everything that leaves of everybody, of all sessions and stimuli, and whether it does."""
    out = np.full((PEOPLE, STIMULI * SESSION_COUNT, values.shape[1]), -1e9)
    rows = of.rows
    out[rows.person[leaves], of.cells[leaves]] = np.nan_to_num(values[leaves], nan=-1e6)
    return [record.tobytes() for record in out]


@pytest.mark.parametrize("least", [5, 7])
@pytest.mark.parametrize(
    "of",
    [
        measured(),
        measured(unknown=0.1),
        measured(lacking=((3, 0), (3, 1), (11, 3), (40, 3), (41, 2), (59, 0))),
        measured(lacking=tuple((p, 2 + q) for p in range(0, PEOPLE, 3) for q in range(2))),  # who did not come again
    ],
    ids=["all there", "values missing", "recordings missing", "sessions missing"],
)
def test_as_many_people_share_everything_that_leaves_of_one(of, least):
    made = of.averaged(range(len(NAMES)), of.alike(range(len(NAMES)), least))
    records = joint(of, made.values, made.leaves)
    assert min(records.count(record) for record in records) >= least
    assert len(set(records)) > 2
    assert made.least_alike == least


def test_sessions_by_themselves_would_meet_in_single_people():
    """What the joint record is for: the same means, but clusters of every session's own."""
    of = measured(within=2.0)
    cells = [of.cells == cell for cell in range(4)]
    values = np.empty_like(of.rows.values)
    for rows in cells:
        cluster = people_alike(of.z[rows], 5)
        means = np.stack([of.z[rows][cluster == n].mean(0) for n in range(cluster.max() + 1)])
        values[rows] = means[cluster]
    records = joint(of, values, np.ones(len(values), bool))
    assert min(records.count(record) for record in records) == 1


def test_means_are_the_means():
    of = measured()
    columns = [1, 3]
    cluster = of.alike(columns, 6)
    made = of.averaged(columns, cluster)
    steps = of.scale.only(columns).steps
    row = next(i for i in range(len(made.values)) if of.rows.person[i] == 7)
    alike = (cluster[of.rows.person] == cluster[7]) & (of.cells == of.cells[row])
    assert made.values[row] == pytest.approx(of.rows.values[alike][:, columns].mean(0), abs=steps.max())
    assert made.values.mean(0) == pytest.approx(of.rows.values[:, columns].mean(0), abs=steps.max())
    assert made.values.std(0).max() < of.rows.values[:, columns].std(0).max()


def test_a_value_that_most_lack_and_a_recording_that_one_lacks_stay():
    rows = Rows(np.array([0, 0, 1, 1, 2]), np.zeros(5, int), np.zeros(5, int),
                np.array([[1, np.nan], [2, 5.0], [3, np.nan], [4, 7.0], [5, 9.0]]))  # fmt: skip
    made = cluster_means(rows, np.array([0, 1, 0, 1, 0]), np.zeros(3, int))  # the third has the first recording alone
    assert made[[0, 2, 4], 0].tolist() == [3, 3, 3]
    assert np.isnan(made[[0, 2, 4], 1]).all()
    assert np.isnan(made[[1, 3]]).all()


def test_equal_records_are_found_once_in_so_many():
    of = measured(within=0.01)
    for least in (5, 10):
        made = of.averaged(range(len(NAMES)), of.alike(range(len(NAMES)), least))
        assert of.noisy(range(len(NAMES)), 0.0, np.random.default_rng(0)).top1 == 1
        assert all(result.top1 <= 1 / least + 1e-9 for result in made.results)
        assert made.known_recordings <= 1 / least + 1e-9
        assert made.top1 > 0.5 / least  # and as often at least: the attacks look at what leaves


def test_clusters_know_no_groups():
    """Of groups that were drawn at random, means tell no more than the values do."""
    rng = np.random.default_rng(1)
    of = measured()
    made = of.averaged([0], of.alike([0], 5))
    first = of.cells == 0
    false = 0
    for _ in range(200):
        group = rng.permutation(PEOPLE) < PEOPLE // 2
        a, b = made.values[first, 0][group], made.values[first, 0][~group]
        t = (a.mean() - b.mean()) / np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        false += abs(t) > 2.0
    assert false / 200 < 0.1


def search(of: Measured, limit: float, unsafe=lambda cluster: None) -> Search:
    return Search(of, NAMES, limit, np.random.default_rng(3), unsafe)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("atlas.sharing.field_sets.DRAWS", 2)
    monkeypatch.setattr("atlas.sharing.field_sets.ROUNDS", 3)


def test_the_way_that_keeps_more_is_taken(quick):
    of, one = measured(), (FieldSet("three", NAMES[:3]),)
    choice = choose_fields(one, search(of, 0.1))
    means = choose_fields(one, search(of, 0.1), (MEANS,)).blurred
    assert choice.blurred.way == MEANS  # noise that hides so far leaves less
    assert choice.blurred.cost.correlation == means.cost.correlation
    assert choice.blurred.top1 <= 0.1
    assert choose_fields(one, search(of, 1.0)).blurred.noise_sd == 0  # nothing need be hidden: nothing is


def test_means_that_an_earlier_release_makes_unsafe_do_not_leave(quick):
    one = (FieldSet("three", NAMES[:3]),)
    choice = choose_fields(one, search(measured(), 0.1, lambda cluster: "it would tell of 1 person"))
    assert choice.blurred.cluster is None
    assert choice.refused == "it would tell of 1 person"


def test_recordings_that_would_stay_count_as_a_cost(quick):
    rng = np.random.default_rng(5)
    missing = tuple((p, c) for p in range(PEOPLE) for c in range(4) if rng.random() < 0.2)
    of = measured(lacking=missing)
    assert of.averaged([0], of.alike([0], 5)).leaves.mean() < 0.9
    assert search(of, 0.1).means(FieldSet("one", NAMES[:1]), 1.0) is None
