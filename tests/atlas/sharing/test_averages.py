"""Averages of at least ten people, and what their differences would tell."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, RecordingSummary
from atlas.motion import rms_mm
from atlas.sharing import privacy
from atlas.sharing.averages import (
    FILE,
    Average,
    group_averages,
    load_averages,
    members_of,
    save_averages,
    told_apart,
)
from atlas.sharing.ledger import Ledger, differencing, load_ledger, read_release, save_ledger
from atlas.sharing.privacy import gaussian, private_average
from reconstruction.errors import InputError

LEAST = 10
NOWHERE = Path()  # nothing is taken out of archives


def people(
    n: int, group: str = "HC", stimuli=("anger", "fear"), seed: int = 0, space_size: int = 53, n_shape: int = 50
):
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        shape = rng.normal(size=n_shape)
        films = tuple(
            RecordingSummary(s, 100, 100, shape, 0.1 * rng.random(space_size), np.eye(space_size), np.zeros(1), "",
                             True, biomarkers=rng.normal(size=2))
            for s in stimuli
        )  # fmt: skip
        out.append(AggregatedFace(f"sub-{group}{i:03d}", group, films))
    return out


def without(person: AggregatedFace, stimulus: str) -> AggregatedFace:
    return replace(person, recordings=tuple(r for r in person.recordings if r.stimulus != stimulus))


def test_averages_are_means_of_people():
    members = people(12)
    averages, left = group_averages(members, LEAST)
    assert [(a.group, a.stimulus, len(a.members)) for a in averages] == [
        ("HC", None, 12), ("HC", "anger", 12), ("HC", "fear", 12),
    ]  # fmt: skip
    assert left == {}
    assert averages[0].shape == pytest.approx(np.mean([p.shape for p in members], 0))
    assert averages[1].motion_sd == pytest.approx(np.std([p.motion("anger") for p in members], 0, ddof=1))
    assert averages[0].biomarkers == pytest.approx(np.mean([r.biomarkers for p in members for r in p.recordings], 0))


def test_no_group_of_fewer_people_and_none_at_all():
    averages, left = group_averages([*people(12), *people(9, "MDD")], LEAST)
    assert {a.group for a in averages} == {"HC"}
    assert left == {"MDD": 9}
    with pytest.raises(InputError, match="at least 10 people in a group"):
        group_averages(people(9), LEAST)


def test_who_lacks_a_stimulus_does_not_show_in_the_difference():
    members = people(12)
    members[3] = without(members[3], "fear")
    averages, left = group_averages(members, LEAST)
    assert {len(a.members) for a in averages} == {11}
    assert left == {"HC": 1}
    many = [without(p, "fear") if i < 12 else p for i, p in enumerate(people(24))]
    sizes = {a.stimulus: len(a.members) for a in group_averages(many, LEAST)[0]}
    assert sizes == {None: 24, "anger": 24, "fear": 12}


@pytest.mark.parametrize(
    ("sets", "few"),
    [
        ([range(20), range(20)], 0),
        ([range(20), range(21)], 1),
        ([range(20), range(1, 21)], 2),
        ([range(20), range(30)], 0),
        ([range(20), range(29)], 9),
        ([range(20), range(20, 40)], 0),
        # neither two of the three differ by few, but the first less the others leaves one person
        ([range(41), range(20), range(20, 40)], 1),
    ],
)
def test_what_differences_tell(sets, few):
    assert told_apart([frozenset(map(str, one)) for one in sets], LEAST) == few


def average(members, stimulus=None) -> Average:
    return next(a for a in group_averages(members, LEAST)[0] if a.stimulus == stimulus)


def test_a_naive_second_release_gives_the_newcomer_away_and_ours_is_refused(template):
    members = people(21)
    before, after, newcomer = average(members[:20]), average(members), members[20]
    recovered = 21 * after.shape - 20 * before.shape
    off = template.shapedirs @ (recovered - newcomer.shape)
    assert 1000 * np.linalg.norm(off, axis=1).max() < 0.01  # mm: the naive tool tells all
    ledger = Ledger("salt").with_release(members_of([before]), "first", None)
    assert "an earlier release would tell of 1 person" in differencing([after], ledger, (), LEAST, NOWHERE)
    assert differencing([before], ledger, (), LEAST, NOWHERE) is None
    assert differencing([average(people(40)[:30])], ledger, (), LEAST, NOWHERE) is None
    assert differencing([average(people(10, "MDD"))], ledger, (), LEAST, NOWHERE) is None


def test_the_ledger_is_kept_and_names_nobody(tmp_path):
    path = tmp_path / "ledger.json"
    ledger = load_ledger(path)
    members = members_of([average(people(12))])
    made = ledger.with_release(members, "one", None).with_release(members, "two", 1.5)
    save_ledger(made, path)
    assert load_ledger(path) == made
    assert made.epsilon == 1.5
    assert "sub-" not in path.read_text()
    assert load_ledger(tmp_path / "other.json").salt != ledger.salt
    path.write_text('{"kind": "something"}')
    with pytest.raises(InputError, match="expected the ledger of earlier releases"):
        load_ledger(path)


def test_an_earlier_release_that_the_ledger_does_not_know(tmp_path, space):
    members = people(40)
    header = {"epsilon": None}
    first = save_averages(group_averages(members[:20], LEAST)[0], space, header, tmp_path / "first" / FILE).parent
    empty = Ledger("salt")
    for n, safe in ((20, True), (21, False), (19, False), (30, True)):
        found = differencing(group_averages(members[:n], LEAST)[0], empty, (first,), LEAST, tmp_path)
        assert (found is None) is safe, n
    same_number = differencing(group_averages(members[1:21], LEAST)[0], empty, (first,), LEAST, tmp_path)
    assert "HC has 20 people here and 20 in first" in same_number
    known = empty.with_release(
        members_of(group_averages(members[:20], LEAST)[0]), read_release(first, tmp_path)[1], None
    )
    assert "an earlier release" in differencing(
        group_averages(members[1:21], LEAST)[0], known, (first,), LEAST, tmp_path
    )
    packed = tmp_path / "share.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(first / FILE, FILE)
    assert read_release(packed, tmp_path)[1] == read_release(first, tmp_path)[1]
    with pytest.raises(InputError, match="holds no group-averages"):
        read_release(tmp_path / "ledger", tmp_path)


def test_averages_come_back_as_written(tmp_path, space):
    averages = group_averages(people(12), LEAST)[0]
    found, blurred = load_averages(save_averages(averages, space, {"epsilon": None}, tmp_path / FILE))
    assert [(a.group, a.stimulus, a.people) for a in found] == [("HC", s, 12) for s in (None, "anger", "fear")]
    assert found[0].shape == pytest.approx(averages[0].shape, abs=1e-6)
    assert not blurred
    assert "sub-" not in json.dumps(str((tmp_path / FILE).read_bytes()))


def test_differential_privacy_blurs_the_newcomer(template, space):
    members = people(61)
    own = {p.id: p for p in members}
    (before, noise), (after, _) = (private_average(average(members[:n]), own, template, space, 1.0) for n in (60, 61))
    assert not np.isfinite(before.shape_sd).any()
    assert not np.isfinite(before.biomarkers).any()
    off = template.shapedirs @ (61 * after.shape - 60 * before.shape - members[60].shape)
    assert 1000 * np.sqrt((off**2).sum(1).mean()) > 10 * noise.shape_mm > 10
    spread = (before.shape - np.mean([p.shape for p in members[:60]], 0)).std()
    assert spread == pytest.approx(noise.shape, rel=0.4)
    expected = np.sqrt((rms_mm(template.shapedirs, np.eye(50)).astype(float) ** 2).mean()) * noise.shape
    assert noise.shape_mm == pytest.approx(expected, rel=0.5)


def test_noise_follows_epsilon_and_clipping_bounds_a_person():
    mean = np.zeros(5)
    scales = [gaussian(mean, 0.1, epsilon, 1e-5)[1] for epsilon in (0.5, 1.0, 10.0)]
    assert scales == sorted(scales, reverse=True)
    # the classical bound for epsilon <= 1 (Dwork and Roth 2014, theorem A.1), which the exact accounting stays below
    assert scales[1] <= 0.1 * np.sqrt(2 * np.log(1.25 / 1e-5))
    assert scales[1] > 0.25 * 0.1 * np.sqrt(2 * np.log(1.25 / 1e-5))


def test_without_opendp(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "opendp.prelude", None)
    with pytest.raises(InputError, match=r"pip install 'digital-face-atlas\[share\]'"):
        privacy.gaussian(np.zeros(2), 1.0, 1.0, 1e-5)
