"""What a report counts: people and frames, characteristics, effects, group means."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from atlas.biomarkers import ReliabilityTable
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.cli.command_line import command_line
from atlas.cohort import Cohort, load_cohort
from atlas.motion import MotionSpace
from atlas.reading import read_cohort
from atlas.report.effects import APPENDIX, SHOWN, contrasted, level_tables, planted_effects, planted_rows
from atlas.report.group_means import agreement, mean_interval, means_tables
from atlas.report.methods import Citations
from atlas.report.people import TOO_FEW, participant_flow, table_one
from atlas.report.words import digits_for, listed, number, p_value, signed
from atlas.statistics import Effect
from reconstruction.sequence import FaceSequence, load, save
from reconstruction.template import Template

GROUPS = ("BD", "HC", "MDD")


def test_the_flow_counts_people_recordings_and_frames(
    cohort_folder: Path, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    victim = load_cohort(folder).people[0]
    half, few, unreadable = (r.path for r in victim.recordings[:3])
    sequence = load(half)
    valid = np.arange(len(sequence)) % 2 == 0
    blurred = {"reason": (~valid).astype(np.uint8), "reason_names": ("ok", "blurred")}
    save(FaceSequence(**{**vars(sequence), "valid": valid, **blurred}), half)
    nine = np.arange(len(sequence)) < 9
    left = {"valid": nine, "reason": (~nine).astype(np.uint8), "reason_names": ("ok", "blurred")}
    save(FaceSequence(**{**vars(load(few)), **left}), few)
    unreadable.write_bytes(b"no parameters")
    other = next(p for p in load_cohort(folder).people if p.group == victim.group and p.id != victim.id)
    shutil.rmtree(folder / other.id)
    with (folder / "participants.tsv").open("a", encoding="utf-8") as table:
        table.write("sub-nobody\tn/a\t30\tF\tyes\n")

    cohort = load_cohort(folder)
    flow = participant_flow(cohort, read_cohort(cohort, template, space))
    assert (flow.listed, flow.without_group) == (13, 1)
    changed = next(f for f in flow.groups if f.group == victim.group)
    assert (changed.listed, changed.recorded, changed.people) == (4, 3, 3)
    assert (changed.recordings, changed.recordings_used) == (8, 7)  # the unreadable one is none
    assert (changed.frames, changed.frames_used) == (8 * 60, 6 * 60 + 30)
    assert changed.left_out == {"blurred": 30 + 51, TOO_FEW: 9}
    assert changed.frames - changed.frames_used == sum(changed.left_out.values())
    whole = next(f for f in flow.groups if f.group != victim.group)
    assert (whole.listed, whole.people, whole.left_out) == (4, 4, {})


def test_table_one_tells_what_is_known_and_of_how_many_it_is_not(
    cohort_folder: Path, template: Template, space: MotionSpace
) -> None:
    people = read_cohort(load_cohort(cohort_folder), template, space).people
    extra = [{"site": "A" if i % 2 else "B", "phq9": str(i), "note": f"note {i}"} for i in range(len(people))]
    extra[0] |= {"site": "n/a"}
    told = [replace(p, age=40.0 if i else None, extra=e) for i, (p, e) in enumerate(zip(people, extra, strict=True))]
    found = {c.name: dict(c.rows) for c in table_one(told, GROUPS, ("phq9", "note"))}
    assert found["Age, years"]["mean (SD)"][-1] == "40.0 (0.0)"
    assert found["Age, years"]["not known"][-1] == "1"
    assert sum(int(cell.split()[0]) for cell in found["Sex"]["women"][:-1]) == int(found["Sex"]["women"][-1].split()[0])
    assert found["Site"]["A"][-1] == "6 (55\N{NO-BREAK SPACE}%)"
    assert found["Site"]["not known"][-1] == "1"
    assert found["Phq9"]["mean (SD)"][-1] == "5.5 (3.6)"
    assert found["Note"]["different values"][-1] == "12"  # no category: words may name somebody
    assert "note 1" not in str(found)
    assert found["People recorded"]["before anger"] == ("4", "4", "4", "12")
    assert "Site" not in {c.name for c in table_one(people, GROUPS)}


def effect(name: str = "AU12", contrast: str = "MDD-HC", d: float = 1.0, p: float = 0.01, **others: object) -> Effect:
    plain = {"level": "unit", "effect": d / 2, "unit": "mm", "low": d / 4, "high": d, "reliability": float("nan")}
    return Effect(name=name, contrast=contrast, n_a=4, n_b=5, d=d, p=p, p_fwe=p, q_fdr=p, **(plain | others))  # type: ignore[arg-type]


def test_levels_are_told_apart_and_the_largest_come_first() -> None:
    rows = [effect(f"AU{i:02d}", d=d, p=0.5) for i, d in enumerate(np.linspace(-1, 0.9, 60))]
    rows += [effect("nothing", d=float("nan"), p=float("nan")), effect("x", level="organ"), effect("y", level="new")]
    tables = level_tables(rows, GROUPS, ReliabilityTable())
    assert [t.level for t in tables] == ["unit", "organ", "new"]
    unit = tables[0]
    sizes = [abs(row.effect.d) for row in (*unit.first, *unit.rest)]
    assert sizes == sorted(sizes, reverse=True)
    assert (len(unit.first), len(unit.rest), unit.omitted) == (SHOWN, APPENDIX, 61 - SHOWN - APPENDIX)
    assert (unit.tests, unit.standing, unit.discoveries) == (61, 0, 0)
    standing = level_tables(
        [effect(f"n{i}", p=0.01 if i == 11 else 0.5) for i in range(30)], GROUPS, ReliabilityTable()
    )
    assert any(row.stands for row in standing[0].first)
    first = unit.first[0]
    assert first.point == pytest.approx(-0.5)
    assert (first.low, first.high) == pytest.approx((-0.25, -1.0))
    assert (first.contrast, first.people) == ("MDD minus HC", "4 : 5")
    slope = level_tables([effect(contrast="phq9")], GROUPS, ReliabilityTable())[0].first[0]
    assert (slope.contrast, slope.people, slope.point) == ("slope on phq9", "4", None)


def test_contrasts_are_read_whatever_signs_a_group_has_in_its_name() -> None:
    assert contrasted("a-b-c", ("a", "b-c", "c")) == ("a", "b-c")
    assert contrasted("a-b-c", ("a-b", "c", "x")) == ("a-b", "c")
    assert contrasted("BDI-II", GROUPS) is None


def test_what_was_planted_stands_beside_what_was_found(cohort_folder: Path, tmp_path: Path) -> None:
    cohort = load_cohort(cohort_folder)
    planted = planted_effects(cohort)
    assert planted["MDD"]["AU12"] == -1.8
    found = [
        effect("AU12", d=-1.5),
        effect("AU04", d=-1.0),
        effect("AU15", d=1.0, p=0.3),
        effect("AU26", d=1.0),
        effect("AU27", "MDD-BD"),
    ]
    rows, empty, stray = planted_rows({"MDD": planted["MDD"]}, found, GROUPS, "HC")
    told = {row.name: row for row in rows}
    assert told["AU12"].found
    assert not told["AU04"].found  # wrong direction
    assert not told["AU15"].found
    assert told["head_speed"].effect is None
    assert (empty, stray) == (1, 1)
    (tmp_path / "simulation.json").write_text('{"simulated": false, "effects": {"planted": {"MDD": {"AU12": 1}}}}')
    assert planted_effects(Cohort(tmp_path, ())) == {}
    (tmp_path / "simulation.json").write_text("[1")
    assert planted_effects(Cohort(tmp_path, ())) == {}


def test_group_means_have_students_interval() -> None:
    values = np.array([1.0, 2.0, 4.0, np.nan])
    made = mean_interval(values)
    known = stats.ttest_1samp(values[:3], 0).confidence_interval(0.95)
    assert (made.n, made.low, made.high) == (3, pytest.approx(known.low), pytest.approx(known.high))
    assert np.isnan(mean_interval(values[:1]).low)
    assert mean_interval(values[3:]).n == 0


def test_agreement_is_the_share_of_variance_that_is_the_persons() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], 200)
    person = rng.normal(size=(400, 1)) + 50 * (groups == "b")[:, None]  # the groups' difference is no agreement
    noisy = person + rng.normal(size=(400, 4)) + np.array([0, 3, -2, 9])  # nor is the stimulus's mean a disagreement
    made = agreement(noisy, groups)
    assert made is not None
    assert made.low < 0.5 < made.high
    assert made.icc == pytest.approx(0.5, abs=0.06)
    assert made.people == 400
    same = agreement(np.repeat(person, 4, 1), groups)
    assert same is not None
    assert same.icc == pytest.approx(1)
    missing = np.where(rng.uniform(size=noisy.shape) < 0.1, np.nan, noisy)
    fewer = agreement(missing, groups)
    assert fewer is not None
    assert fewer.people == np.isfinite(missing).all(1).sum()
    assert agreement(noisy[:, :1], groups) is None
    assert agreement(np.ones((400, 2)), groups) is None
    assert agreement(noisy[:2], np.array(["a", "b"])) is None


def test_agreement_equals_the_textbook_analysis_of_variance() -> None:
    values = np.random.default_rng(1).normal(size=(12, 3)) + np.arange(12)[:, None] / 4
    n, k = values.shape
    rows = k * ((values.mean(1) - values.mean()) ** 2).sum() / (n - 1)
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    made = agreement(values, np.repeat("a", n))
    assert made is not None
    assert made.icc == pytest.approx((rows - error) / (rows + (k - 1) * error))


def test_means_of_units_and_measures_stand_in_the_text() -> None:
    def quantity(name: str, level: str) -> Quantity:
        return Quantity(name, level, "%", name, "", "", name, name, level)

    quantities = (quantity("AU12", "unit"), quantity("AU12_presence", "unit"), quantity("organ_OLC", "organ"))
    table = BiomarkerTable(quantities, ("p", "q"), ("BD", "HC"), ("s",), np.ones((2, 1, 3)))
    made = means_tables(table, ("BD", "HC"))
    assert [(t.level, t.in_text, len(t.rows)) for t in made] == [
        ("unit", True, 1),
        ("unit", False, 1),
        ("organ", False, 1),
    ]
    assert [m.mean for m in made[0].rows[0].means] == [1, 1]


def test_only_what_is_cited_is_listed_by_author() -> None:
    cite = Citations()
    assert "Freedman and Lane 1983" in cite("freedman", "benjamini")
    assert [key for key, _ in cite.list] == ["benjamini", "freedman"]


def test_numbers_have_a_true_minus_and_no_false_precision() -> None:
    assert (number(-0.5), signed(0.5), signed(float("nan")), p_value(0.0002), p_value(0.04)) == (
        "−0.50",
        "+0.50",
        "–",
        "<0.001",
        "0.040",
    )
    assert [digits_for(v) for v in ([1234.5], [12.3, 0.1], [0.0312], [0.0], [float("nan")])] == [0, 1, 4, 2, 2]
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == ""


def test_a_command_is_told_without_paths() -> None:
    told = command_line(
        "build",
        "cohort",
        out=Path("/home/jane/x"),
        seed=3,
        quality="full",
        template="jane.safetensors",
        by=None,
        fast=True,
    )
    assert told == "face-atlas build COHORT --out OUT --seed 3 --quality full --template TEMPLATE --fast"
    assert "jane" not in command_line("x", files=["a/jane", "jane doe"], rate=0.5)
