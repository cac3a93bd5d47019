"""The attacks find who can be found, and nobody where nothing is told."""

import numpy as np
import pytest

from atlas.sharing.attack import reidentify

PEOPLE, VALUES = 80, 12


def occasions(seed: int, within: float, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) gallery and probe of people who differ by 1 and vary by `within` from one occasion to the other."""
    rng = np.random.default_rng(seed)
    person = rng.normal(size=(PEOPLE, VALUES))
    gallery, probe = (person + within * rng.normal(size=person.shape) for _ in range(2))
    return gallery, probe + noise * rng.normal(size=person.shape)


def test_people_who_stay_the_same_are_all_found():
    best = reidentify(*occasions(0, 0.05))[0]
    assert best.top1 == 1
    assert best.low > 0.95
    assert best.high == pytest.approx(1)
    assert (best.probes, best.candidates) == (PEOPLE, PEOPLE)


def test_people_who_are_strangers_to_themselves_are_found_by_chance():
    rng = np.random.default_rng(1)
    results = reidentify(*rng.normal(size=(2, PEOPLE, VALUES)))
    assert len(results) == 5
    assert all(r.low <= 1 / PEOPLE <= r.high for r in results)
    assert results[0].top1 < 0.08


def test_training_never_sees_the_person_attacked():
    """With few people and many values, an attack that had learnt from its own pairs would find them all."""
    rng = np.random.default_rng(2)
    results = reidentify(*rng.normal(size=(2, 40, 200)))
    assert results[0].top1 < 0.15


def test_noise_hides():
    found = [reidentify(*occasions(3, 0.3, noise))[0].top1 for noise in (0, 0.7, 2, 8)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.9
    assert found[-1] < 0.15


def test_the_linear_attack_finds_people_behind_what_varies_within_them():
    rng = np.random.default_rng(4)
    person = np.concatenate([rng.normal(size=(PEOPLE, 6)), np.zeros((PEOPLE, 6))], 1)
    loud = np.array([0.3] * 6 + [6.0] * 6)  # six values that say who, six that say only which day it was
    mixed = rng.normal(size=(12, 12))
    gallery, probe = ((person + loud * rng.normal(size=person.shape)) @ mixed for _ in range(2))
    found = {r.name: r.top1 for r in reidentify(gallery, probe)}
    assert found["linear discriminant, few components"] > found["nearest neighbour"] + 0.2


def test_known_columns_rule_people_out():
    rng = np.random.default_rng(5)
    gallery, probe = rng.normal(size=(2, PEOPLE, VALUES))
    cell = np.arange(PEOPLE) // 2
    assert reidentify(gallery, probe, cell[:, None] == cell)[0].top1 > 0.35
    alone = np.eye(PEOPLE, dtype=bool)
    assert reidentify(gallery, probe, alone)[0].top1 == 1


def test_ties_count_in_part():
    same = np.ones((10, 3))
    same[:, 0] = np.repeat([0, 1], 5)
    first = next(r for r in reidentify(same, same) if r.name == "nearest neighbour")
    assert first.top1 == pytest.approx(0.2)


def test_who_lacks_a_side_is_no_probe():
    gallery, probe = occasions(6, 0.05)
    probe[:10], gallery[10:15] = np.nan, np.nan
    best = reidentify(gallery, probe)[0]
    assert (best.probes, best.candidates) == (PEOPLE - 15, PEOPLE - 5)
    assert best.top1 > 0.95
