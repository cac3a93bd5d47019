"""Microaggregation: everybody's values are replaced by the means of people alike, so that none shows less than `k`.

Clusters are made by MDAV (maximum distance to average vector; Domingo-Ferrer and Mateo-Sanz, IEEE TKDE 2002; Domingo-
Ferrer and Torra, DMKD 2005) of people's joint records: all their values before all stimuli in all sessions at once.
Clusters of each session by themselves would meet in single people. What leaves of a person is therefore the same as of
`k` - 1 others at least: values, and which recordings there are.

Clusters know nothing of groups. Within groups they would keep the groups' means and shrink what lies between people, so
that tests find differences where there are none, and equal rows would tell a classifier everyone's group
(docs/sharing.md has the figures).
"""

import numpy as np

from atlas.sharing.occasions import Rows
from atlas.sharing.summary import CLIP

ABSENT = 2 * CLIP  # where who lacks a recording stands in each of its values: far off, so that they come together


def people_alike(records: np.ndarray, least: int) -> np.ndarray:
    """Clusters of at least `least` and less than twice as many rows of (N, D), as numbers (N,)."""
    left, cluster, number = np.arange(len(records)), np.zeros(len(records), int), 0
    while len(left) >= 2 * least:
        furthest = _distance(records[left], records[left].mean(0)).argmax()
        seeds = [records[left[furthest]]]
        if len(left) >= 3 * least:
            seeds.append(records[left[_distance(records[left], seeds[0]).argmax()]])
        for seed in seeds:
            near = np.argsort(_distance(records[left], seed), kind="stable")[:least]
            cluster[left[near]] = number
            left, number = np.delete(left, near), number + 1
    cluster[left] = number
    return cluster


def joint_records(rows: Rows, cells: np.ndarray, people: int) -> np.ndarray:
    """(N, D) of standardised rows (R, F), each of a person and of a cell (R,), a session's stimulus and run; a missing
    value is the mean, a missing recording `ABSENT`.
    """
    out = np.full((people, int(cells.max()) + 1, rows.values.shape[1]), ABSENT)
    out[rows.person, cells] = np.nan_to_num(rows.values)
    return out.reshape(people, -1)


def cluster_means(rows: Rows, cells: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """(R, F) the mean of every row's cell over its person's cluster. NaN where fewer than half of them have the value,
    and all of a recording that one of them lacks.
    """
    people = np.bincount(cluster)
    where = cluster[rows.person], cells
    known = np.isfinite(rows.values)
    shape = (len(people), int(cells.max()) + 1, rows.values.shape[1])
    total, count, recorded = np.zeros(shape), np.zeros(shape), np.zeros(shape[:2])
    np.add.at(total, where, np.where(known, rows.values, 0))
    np.add.at(count, where, known)
    np.add.at(recorded, where, 1)
    leaves = (recorded == people[:, None])[..., None] & (count > 0) & (2 * count >= people[:, None, None])
    return np.where(leaves, total / np.maximum(count, 1), np.nan)[where]


def _distance(rows: np.ndarray, point: np.ndarray) -> np.ndarray:
    return ((rows - point) ** 2).sum(1)
