"""Covariates: what is adjusted for, who is left out, and what is refused."""

import numpy as np
import pytest

from atlas.statistics.design import Covariates, choose_covariates, make_design
from atlas.statistics.people import People, with_scores
from reconstruction.errors import InputError

GROUP = np.repeat([1.0, 0.0], 6)
AGE = ("20", "31", "45", "28", "60", "33", "41", "22", "39", "50", "27", "n/a")


def people(**columns: tuple[str, ...]) -> People:
    return People(tuple(f"sub-{i:02d}" for i in range(12)), ("A",) * 6 + ("B",) * 6, columns)


def test_numbers_are_centred_and_texts_become_columns() -> None:
    there = people(age=(*AGE[:11], "30"), site=("x", "y", "z") * 2 + ("x", "x", "y") * 2)
    design = make_design(there, GROUP, Covariates(("age", "C(age)"), False), "A-B")
    assert design.names == ("1",)  # eleven columns for twelve people are too many
    design = make_design(there, GROUP, Covariates(("age",), True), "A-B")
    assert design.names == ("1", "age")
    assert design.nuisance[:, 1].mean() == pytest.approx(0)
    three = people(site=("x", "y", "x", "x", "y", "x") * 2)
    design = make_design(three, GROUP, Covariates(("site",), True), "A-B")
    assert design.names == ("1", "site y")
    np.testing.assert_array_equal(design.nuisance[:, 1], [0, 1, 0, 0, 1, 0] * 2)


def test_a_person_without_a_covariate_is_left_out_and_that_is_said() -> None:
    design = make_design(people(age=AGE), GROUP, Covariates(("age",), False), "A-B")
    assert design.kept.tolist() == list(range(11))
    assert design.warnings == ("A-B: 1 person without age left out",)


def test_a_covariate_that_many_lack_is_dropped_and_that_is_said() -> None:
    few = people(age=AGE[:9] + ("n/a",) * 3, sex=("F", "M") * 6)
    chosen, warnings = choose_covariates(few, None)
    assert chosen.names == ("sex",)
    assert warnings == ("age is known for 9 of 12 people only: not adjusted for",)


def test_usual_covariates_that_cannot_be_told_from_the_groups_are_dropped_and_others_refused() -> None:
    there = people(sex=("F",) * 6 + ("M",) * 6)
    design = make_design(there, GROUP, Covariates(("sex",), False), "A-B")
    assert design.names == ("1",)
    assert "A-B: not adjusted for sex (expected covariates that differ" in design.warnings[0]
    with pytest.raises(InputError, match="expected covariates that differ from what is tested, but sex M tell A-B"):
        make_design(there, GROUP, Covariates(("sex",), True), "A-B")


def test_too_many_and_collinear_covariates_are_refused() -> None:
    rng = np.random.default_rng(0)
    columns = {name: tuple(f"{x:.3f}" for x in rng.normal(size=12)) for name in "abc"}
    with pytest.raises(
        InputError, match="at least 5 people for every column of covariates, but A-B has 12 people and 3"
    ):
        make_design(people(**columns), GROUP, Covariates(("a", "b", "c"), True), "A-B")
    columns["twice"] = tuple(f"{2 * float(x):.3f}" for x in columns["a"])
    with pytest.raises(InputError, match="in A-B the others tell twice already"):
        make_design(people(**columns), GROUP, Covariates(("a", "twice"), True), "A-B")


def test_a_constant_covariate_is_dropped_and_that_is_said() -> None:
    design = make_design(people(sex=("F",) * 12), GROUP, Covariates(("sex",), True), "A-B")
    assert design.names == ("1",)
    assert design.warnings == ("A-B: sex is the same for everyone, so not adjusted for",)


def test_within_a_site_people_change_places_there_and_it_is_adjusted_for() -> None:
    design = make_design(people(site=("1", "2") * 6), GROUP, Covariates((), True), "A-B", "site")
    assert design.names == ("1", "site 2")
    np.testing.assert_array_equal(design.blocks, [0, 1] * 6)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected a column of participants.tsv \(group, age\), got 'height'"):
        choose_covariates(people(age=AGE), ("height",))


def test_scores_lie_in_phenotype_files(tmp_path) -> None:
    folder = tmp_path / "phenotype"
    folder.mkdir()
    (folder / "bdi.tsv").write_text("participant_id\tBDI_II\nsub-00\t12\n01\t3\nsub-99\t1\n")
    there, said = with_scores(people(), tmp_path)
    assert there.columns["bdi_ii"][:3] == ("12", "3", "")
    assert said == ()
    (folder / "again.tsv").write_text("participant_id\tbdi_ii\nsub-00\t13\n")
    (folder / "phq.tsv").write_text("participant_id\tphq\nsub-00\t12\nsub-00\t13\n")
    there, said = with_scores(people(), tmp_path)
    assert (there.columns["bdi_bdi_ii"][0], there.columns["again_bdi_ii"][0]) == ("12", "13")
    assert "phq" not in there.columns
    assert len(said) == 1
    assert said[0].startswith("phq.tsv was left out: expected every person and session once")
