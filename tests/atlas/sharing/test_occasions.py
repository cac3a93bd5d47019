"""How two occasions are found, and which recordings leave under which name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.cohort import Cohort, Participant, Recording
from atlas.sharing.occasions import BOTH, GALLERY, HALVES, NEITHER, PROBE, SESSIONS, STIMULI, Rows, flat, occasions
from atlas.sharing.people import SharedPerson, choose_people
from atlas.sharing.reading import plan
from reconstruction.errors import InputError


def films(*told: tuple[str, str | None]) -> tuple[Recording, ...]:
    return tuple(Recording(Path(f"{stimulus}-{session}"), stimulus, session) for stimulus, session in told)


def people_with(*recordings: tuple[Recording, ...]) -> tuple[SharedPerson, ...]:
    people = tuple(Participant(f"sub-{i:03d}", "HC", None, None, r) for i, r in enumerate(recordings))
    return choose_people(Cohort(Path(), people), np.random.default_rng(0)).people


def test_first_and_second_session():
    three = films(("anger", "10"), ("anger", "2"), ("anger", "30"))
    parted = occasions(people_with(*[three] * 3, films(("anger", "2"))))
    assert parted.kind == SESSIONS
    assert [parted.sides[r.path] for r in three] == [PROBE, GALLERY, NEITHER]


def test_dates_come_before_names(tmp_path):
    recordings = films(("anger", "baseline"), ("anger", "after"))
    for i in range(12):
        (tmp_path / f"sub-{i:03d}").mkdir()
        told = f"ses-baseline\t2024-05-01\nses-after\t2024-0{5 + i % 2}-02\n"
        (tmp_path / f"sub-{i:03d}" / f"sub-{i:03d}_sessions.tsv").write_text(f"session_id\tacq_time\n{told}")
    dated = replace(cohort(recordings), folder=tmp_path)
    for of, first in ((dated, "baseline"), (cohort(recordings), "after")):
        chosen = choose_people(of, np.random.default_rng(0))
        session = {r.path.name: r.session for r in plan(chosen).recordings}
        assert session[f"anger-{first}"] == 1
        sides = {path.name: side for path, side in occasions(chosen.people).sides.items()}
        assert sides[f"anger-{first}"] == GALLERY


def test_stimuli_and_halves_where_there_is_one_session():
    three = films(("anger", None), ("fear", None), ("neutral", None))
    parted = occasions(people_with(*[three] * 4))
    assert parted.kind == STIMULI
    assert [parted.sides[r.path] for r in three] == [GALLERY, PROBE, GALLERY]
    assert "only one session" in parted.description
    alone = occasions(people_with(*[films(("anger", None))] * 4))
    assert alone.kind == HALVES
    assert set(alone.sides.values()) == {BOTH}


def test_cubes_and_what_an_attacker_compares():
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0], [7.0, 8.0]])
    rows = Rows(np.array([0, 0, 1, 0]), np.array([0, 0, 0, 1]), np.array([GALLERY, GALLERY, GALLERY, PROBE]), values)
    cube = rows.cube(2, 2, GALLERY)
    assert cube[0, 0].tolist() == [2, 2]
    assert cube[1, 0].tolist() == [5, 6]
    assert np.isnan(cube[:, 1]).all()
    assert flat(rows.cube(2, 2), SESSIONS).shape == (2, 4)
    assert flat(rows.cube(2, 2), STIMULI)[0].tolist() == [4.5, 5]


def cohort(recordings: tuple[Recording, ...]) -> Cohort:
    people = tuple(Participant(f"sub-{i:03d}", ("HC", "MDD")[i % 2], None, None, recordings) for i in range(12))
    return Cohort(Path(), people)


def test_names_tell_neither_dates_nor_rare_stimuli():
    usual = films(("anger", "20240517"), ("anger", "20230101"))
    of = cohort((*usual, replace(usual[0], path=Path("again"))))
    rare = (*of.people[0].recordings, *films(("birthday", "20240517"), ("day20240517", "20240517")))
    chosen = choose_people(
        replace(of, people=(replace(of.people[0], recordings=rare), *of.people[1:])), np.random.default_rng(0)
    )
    planned = plan(chosen)
    assert planned.stimuli == ("anger",)
    assert planned.left_out == 2
    name = chosen.people[0].pseudonym
    assert [r.place.as_posix() for r in planned.recordings if r.person == 0] == [
        f"{name}/ses-2/{name}_ses-2_task-anger_run-1_face.safetensors",
        f"{name}/ses-1/{name}_ses-1_task-anger_face.safetensors",
        f"{name}/ses-2/{name}_ses-2_task-anger_run-2_face.safetensors",
    ]


def test_stimuli_that_are_no_words():
    with pytest.raises(InputError, match="named by a word as in task-anger"):
        plan(choose_people(cohort(films(("20240517", None))), np.random.default_rng(0)))
