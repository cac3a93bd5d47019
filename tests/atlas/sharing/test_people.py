"""Who leaves with a share, and what is told of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.cohort import Cohort, Participant
from atlas.sharing.people import age_band, choose_people
from reconstruction.errors import InputError


def cohort(n: int = 40, **columns) -> Cohort:
    """People of two groups, women and men, 20 to 59 years old; `columns` : functions of the number to a text."""
    people = tuple(
        Participant(
            f"sub-{i:03d}", ("HC", "MDD")[i % 2], float(20 + i % 40), "FM"[i // 2 % 2], (),
            {name: of(i) for name, of in columns.items() if of(i)},
        )
        for i in range(n)
    )  # fmt: skip
    return Cohort(Path(), people)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_pseudonyms_are_fresh_and_rows_are_shuffled():
    people = choose_people(cohort(), rng()).people
    names = [person.pseudonym for person in people]
    assert names == sorted(names)
    assert len(set(names)) == 40
    numbers = [int(person.source.id[4:]) for person in people]
    assert abs(np.corrcoef(numbers, np.arange(40))[0, 1]) < 0.5
    again = [p.pseudonym for p in choose_people(cohort(), rng()).people]
    other = [p.pseudonym for p in choose_people(cohort(), rng(1)).people]
    assert names == again
    assert not set(names) & set(other)


def test_who_says_no_leaves_at_no_level():
    of = cohort(consent_share=lambda i: ("no", "yes", "")[i % 3] if i else "perhaps")
    lenient = choose_people(of, rng())
    assert len(lenient.people) == 26
    assert lenient.left_out == {"said no": 13, "answer is neither yes nor no": 1}
    strict = choose_people(of, rng(), consent_needed=True)
    assert {person.source.extra["consent_share"] for person in strict.people} == {"yes"}
    assert strict.left_out == {"said no": 13, "did not say": 13, "answer is neither yes nor no": 1}


@pytest.mark.parametrize(("answer", "message"), [(None, "expected a column consent_share"), ("no", "nobody says yes")])
def test_consent_is_needed(answer, message):
    of = cohort() if answer is None else cohort(consent_share=lambda i: answer)
    with pytest.raises(InputError, match=message):
        choose_people(of, rng(), consent_needed=True)


def test_names_of_groups_hold_no_free_text():
    of = cohort()
    odd = replace(of, people=tuple(replace(p, group="seen by Dr. Miller") for p in of.people))
    with pytest.raises(InputError, match="at most 20 letters and digits, got 'seen by Dr"):
        choose_people(odd, rng())


def test_bands():
    edges = (40, 60)
    assert [age_band(age, edges) for age in (None, 20.0, 39.9, 40.0, 59.0, 60.0)] == [
        None, "under 40", "under 40", "40-59", "40-59", "60 or over",
    ]  # fmt: skip


def test_what_few_share_is_not_told():
    of = cohort()
    rare = tuple(replace(p, sex="M" if i < 2 else "F", age=25.0 if i < 36 else 75.0) for i, p in enumerate(of.people))
    chosen = choose_people(replace(of, people=rare), rng())
    told = {person.source.id: (person.sex, person.age) for person in chosen.people}
    assert told["sub-000"] == (None, None)
    assert told["sub-010"] == ("F", "20-29")
    assert told["sub-039"] == ("F", None)


def test_columns_get_coarser_until_they_single_out_few():
    fine = choose_people(cohort(400), rng())
    coarse = choose_people(cohort(400), rng(), most_told=0.011)
    none = choose_people(cohort(400), rng(), columns=(), most_told=0.011)
    assert len({p.age for p in fine.people}) > len({p.age for p in coarse.people})
    assert (1 / coarse.possible.sum(1)).mean() <= 0.011 < (1 / fine.possible.sum(1)).mean()
    assert coarse.columns == ("participant_id", "group", "sex", "age")
    assert none.columns == ("participant_id", "group")


def test_everybody_is_possible_for_themselves():
    chosen = choose_people(cohort(), rng())
    assert chosen.possible.diagonal().all()
    i, j = next((i, j) for i, a in enumerate(chosen.people) for j, b in enumerate(chosen.people)
                if a.sex and a.sex != b.source.sex)  # fmt: skip
    assert not chosen.possible[i, j]
