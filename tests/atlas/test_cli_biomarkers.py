"""``face-atlas biomarkers``: tables of people, recordings and stimuli, what describes them, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from atlas.biomarkers.biomarker_file import write_biomarkers
from atlas.biomarkers.quantity_reliability import quantity_reliability
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.biomarkers.sources import find_sources, measure_sources
from atlas.biomarkers.table import biomarker_table, reactivity_columns, side_by_side, stimulus_columns
from atlas.cli.main import app
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.sequence import load, save
from reconstruction.template import Template


@pytest.fixture(scope="module")
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


@pytest.fixture(scope="module")
def reliability(template: Template, parts: FaceParts) -> dict[str, dict[str, float]]:
    return {stage: quantity_reliability(template, stage, parts) for stage in ("fast", "full")}


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["biomarkers", *map(str, arguments)])
    return result.exit_code, result.output


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", na_values="n/a", keep_default_na=False)


def test_a_cohort_becomes_a_row_a_person(cohort_folder: Path, parts: FaceParts, tmp_path: Path) -> None:
    out = tmp_path / "new" / "biomarkers.tsv"
    status, said = run(cohort_folder, "--out", out, "--reactivity", "--stimulus-columns")
    assert status == 0, said
    assert "12 simulated people" in said
    assert "not a diagnosis" in said
    table = read(out)
    assert list(table.columns[:2]) == ["participant_id", "group"]
    assert list(table["participant_id"]) == [f"sub-{i:03d}" for i in range(1, 13)]
    assert len(table.columns) == 2 + (1 + 3 + 2) * len(parts.names)
    person = table.iloc[4]
    files = sorted((cohort_folder / person["participant_id"]).glob("*face.safetensors"))
    own = {f.name.split("task-")[1].split("_")[0].split(".")[0]: recording_biomarkers(load(f), parts) for f in files}
    for name in ("AU12", "organ_OLC_share", "emoface16_06_speed", "head_velocity"):
        i = parts.names.index(name)
        assert person[name] == pytest.approx(np.mean([vector[i] for vector in own.values()]), rel=1e-5)
        assert person[f"{name}_in_anger"] == pytest.approx(own["anger"][i], rel=1e-5)
        assert person[f"{name}_anger_less_neutral"] == pytest.approx(
            own["anger"][i] - own["neutral"][i], rel=1e-4, abs=1e-5
        )
    about = json.loads(out.with_suffix(".json").read_text())
    assert set(table.columns) < set(about)
    assert about["Simulated"] is True
    assert about["Statement"] == "research use; not a diagnosis"
    assert about["AU12"]["Units"] == "intensity 0 to 5"
    assert about["AU12"]["Reliability"] is None, "of simulated parameters nothing was recovered from pictures"
    again = tmp_path / "again.tsv"
    run(cohort_folder, "--out", again, "--reactivity", "--stimulus-columns")
    assert again.read_bytes() == out.read_bytes()


def test_loose_files_are_a_row_each_with_the_reliability_of_their_stage(
    cohort_folder: Path, reliability: dict[str, dict[str, float]], tmp_path: Path
) -> None:
    files = sorted(cohort_folder.glob("sub-001/*face.safetensors"))[:2]
    made = [
        save(
            replace(load(f), simulated=False, provenance={"quality": quality}), tmp_path / f"{quality}.face.safetensors"
        )
        for f, quality in zip(files, ("full", "fast"), strict=True)
    ]
    out = tmp_path / "biomarkers.tsv"
    status, said = run(*made, "--out", out)
    assert status == 0, said
    table = read(out)
    assert list(table["participant_id"]) == ["fast", "full"]
    assert table["group"].isna().all()
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["AU12"]["Reliability"] == pytest.approx(reliability["fast"]["AU12"], abs=1e-3), (
        "the worst quality counts"
    )
    assert about["head_velocity"]["Reliability"] is None
    status, said = run(*made, "--out", out, "--per-recording", "--onset", 3)
    assert status == 0, said
    assert list(read(out).columns[:5]) == ["participant_id", "group", "task", "recording", "AU01_reactivity"]


def test_reliability_is_measured_for_what_the_films_show(
    template: Template, parts: FaceParts, reliability: dict[str, dict[str, float]]
) -> None:
    full, fast = reliability["full"], reliability["fast"]
    speeds = [name for name in parts.names if name.startswith("emoface16") and name.endswith("speed")]
    assert all(0.5 < full[name] <= 1 for name in speeds)
    assert np.mean([full[name] for name in speeds]) > np.mean([fast[name] for name in speeds])
    assert full["AU12"] > 0.7
    for name in ("head_velocity", "gaze_speed", "blink_rate", "tremor_jaw"):
        assert np.isnan(full[name])
    for nothing in (
        quantity_reliability(template, "simulated", parts),
        quantity_reliability(replace(template, name="nobody"), "full", parts),
    ):
        assert set(nothing) == set(parts.names)
        assert np.isnan(list(nothing.values())).all()


def test_tables_of_other_tools(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    out = tmp_path / "b.tsv"
    clips = [shared_data(f"behaviour/news_{clip}.csv") for clip in ("001", "011")]
    status, said = run(*clips, "--out", out, "--fps", 30)
    assert status == 0, said
    table = read(out)
    assert list(table["participant_id"]) == ["news_001", "news_011"]
    assert table["AU12_probability"][0] > table["AU12_probability"][1] + 0.3
    status, said = run(clips[0], shared_data("behaviour/OpenFace_Test.csv"), "--out", out)
    assert status == 2
    assert "tables of one tool, got OpenFace and Py-Feat" in said


def test_a_cohort_of_tables_and_a_broken_one_among_them(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    rows = "timestamp,confidence,success,AU12_r\n" + "".join(f"{t / 10},1,1,{t % 3}\n" for t in range(30))
    for person in ("sub-1", "sub-2", "sub-3"):
        (folder / person).mkdir(parents=True)
        (folder / person / f"{person}_task-neutral.csv").write_text(rows if person != "sub-3" else "a,b\n")
    (folder / "participants.tsv").write_text("participant_id\tgroup\n" + "".join(f"sub-{i}\tA\n" for i in (1, 2, 3, 4)))
    status, said = run(folder, "--out", tmp_path / "b.tsv")
    assert status == 0, said
    assert "sub-3_task-neutral.csv was left out" in said
    assert "sub-4 has no parameter file or table" in said
    table = read(tmp_path / "b.tsv")
    assert list(table["AU12"]) == [1.0, 1.0]
    assert list(table["AU12_presence"]) == pytest.approx([66.6667] * 2)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("{cohort}", "--out", "{tmp}/b.csv"), "ending in .tsv"),
        (("{tmp}/none.face.safetensors", "--out", "{tmp}/b.tsv"), "does not exist"),
        (("{tmp}/film.mp4", "--out", "{tmp}/b.tsv"), "reconstruct videos first"),
        (("{tmp}", "--out", "{tmp}/b.tsv"), "participants.tsv"),
        (("{file}", "{file}", "--out", "{tmp}/b.tsv"), "given twice"),
        (("{file}", "{tmp}/x.csv", "--out", "{tmp}/b.tsv"), "do not compare"),
        (("{tmp}/x.csv", "--onset", "1", "--out", "{tmp}/b.tsv"), "leave --onset out"),
        (("{file}", "--onset", "99", "--out", "{tmp}/b.tsv"), "at least 1 s"),
        (("{file}", "--reactivity", "--out", "{tmp}/b.tsv"), "neutral"),
        (("{file}", "--organ-sides", "left", "--out", "{tmp}/b.tsv"), "subject or image"),
        (("{file}", "--per-recording", "--reactivity", "--out", "{tmp}/b.tsv"), "leave one out"),
    ],
)
def test_mistakes_are_answered_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, cohort_folder: Path, tmp_path: Path
) -> None:
    file = next(cohort_folder.glob("sub-001/*task-anger*face.safetensors"))
    status, said = run(*(a.format(cohort=cohort_folder, tmp=tmp_path, file=file) for a in arguments))
    assert status == 2
    assert sentence in said
    assert said.count("expected") == 1
    assert not list(tmp_path.glob("b.*"))


def test_what_a_table_leaves_unknown(cohort_folder: Path, tmp_path: Path) -> None:
    sources, _ = find_sources([cohort_folder])
    measured = measure_sources([s for s in sources if not (s.person == "sub-002" and s.stimulus == "neutral")][:8])
    table = biomarker_table(measured.people, measured.quantities)
    assert table.stimuli == ("anger", "happiness", "neutral")
    wide = side_by_side([table, stimulus_columns(table), reactivity_columns(table)])
    assert len(set(wide.names)) == len(wide.names)
    lacking = wide.people.index("sub-002")
    assert np.isnan(wide.column("AU12_in_neutral")[lacking])
    assert np.isnan(wide.column("AU12_anger_less_neutral")[lacking])
    assert np.isfinite(wide.column("AU12")).all()
    path = write_biomarkers(wide, tmp_path / "b.tsv")
    cells = dict(
        zip(*(line.split("\t") for line in (path.read_text().splitlines()[i] for i in (0, 1 + lacking))), strict=True)
    )
    assert cells["AU12_in_neutral"] == "n/a"
    with pytest.raises(InputError, match="neutral"):
        reactivity_columns(replace(table, stimuli=("anger", "happiness", "fear")))
