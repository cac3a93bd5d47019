"""How long after their first session people's others were, without a date."""

from pathlib import Path

import numpy as np
import pytest

from atlas.cohort import Cohort, Participant, Recording
from atlas.sharing.intervals import days_between
from atlas.sharing.people import choose_people


def person(name: str, *sessions: str, group: str = "MDD") -> Participant:
    recordings = tuple(Recording(Path(name, f"ses-{s}", "x_face.safetensors"), "anger", s) for s in sessions)
    return Participant(name, group, None, None, recordings)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def dated(folder: Path, days: list[int]) -> Cohort:
    """People whose second session was so many days after 1 March."""
    for i, n in enumerate(days):
        second = str(np.datetime64("2024-03-01") + n)
        write(
            folder / f"sub-{i}" / f"sub-{i}_sessions.tsv",
            "session_id\tacq_time",
            "ses-a\t2024-03-01",
            f"ses-b\t{second}",
        )
    return Cohort(folder, tuple(person(f"sub-{i}", "a", "b") for i in range(len(days))))


def test_dates_are_found_where_bids_has_them(tmp_path: Path) -> None:
    assert days_between(tmp_path, person("sub-1", "20240517", "20240602")) == {"20240517": 0, "20240602": 16}
    write(tmp_path / "sub-1/sub-1_sessions.tsv", "session_id\tacq_time", "ses-b\t2024-05-17T23:59:00Z", "ses-c\tn/a")
    scans = "filename\tacq_time", "ses-a/x_face.safetensors\t1890-03-01T08:00:00", "ses-a/y.mp4\t1890-02-28T08:00:00"
    write(tmp_path / "sub-1/ses-a/sub-1_ses-a_scans.tsv", *scans)
    assert days_between(tmp_path, person("sub-1", "a", "c")) == {}  # one date is no interval
    found = days_between(tmp_path, person("sub-1", "a", "b", "c"))
    assert found["a"] == 0
    assert found["b"] == (np.datetime64("2024-05-17") - np.datetime64("1890-02-28")).astype(int)
    assert days_between(tmp_path, person("sub-2", "1", "2")) == {}


@pytest.mark.parametrize(
    ("days", "step", "told"),
    [
        ([13, 14, 15, 14, 12], 7, {14}),
        ([13, 14, 15, 14, 12, 400], 7, {14}),  # who stands alone is not told
        ([20, 25, 30, 35, 40], 30, {30}),
        ([1, 50, 300, 700, 1500], 7, set()),
    ],
)
def test_intervals_are_as_coarse_as_hides_people(tmp_path: Path, days: list[int], step: int, told: set[int]) -> None:
    chosen = choose_people(dated(tmp_path, days), np.random.default_rng(0), columns=("interval",))
    assert chosen.step == step
    assert {person.days["b"] for person in chosen.people if person.days} == told
    assert chosen.dated == bool(told)
    assert chosen.possible.all() == (len(days) == 5)  # an attacker who knows the dates rules people out
    assert not choose_people(dated(tmp_path, days), np.random.default_rng(0)).dated


def test_a_limit_takes_intervals_out_first(tmp_path: Path) -> None:
    cohort = dated(tmp_path, [14] * 5 + [60] * 5)
    columns = ("sex", "age", "interval")
    assert choose_people(cohort, np.random.default_rng(0), columns=columns, most_told=0.2).dated
    assert not choose_people(cohort, np.random.default_rng(0), columns=columns, most_told=0.15).dated
