"""``face-atlas convert`` as a user runs it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from atlas.cli.main import app
from atlas.exchange.formats import find_sources
from reconstruction.errors import InputError
from reconstruction.sequence import NOT_GIVEN, FaceSequence, load, save
from reconstruction.template import Template


def run(*arguments: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["convert", *map(str, arguments)])
    assert done.exit_code == status, done.output
    return done.output


@pytest.fixture
def folder(sequence: FaceSequence, tmp_path: Path) -> Path:
    """A cohort of two people's parameters."""
    for person in ("sub-001", "sub-002"):
        save(sequence, tmp_path / "cohort" / person / f"{person}_task-anger.face.safetensors")
    (tmp_path / "cohort" / "participants.tsv").write_text("participant_id\tgroup\nsub-001\tHC\nsub-002\tHC\n")
    return tmp_path / "cohort"


def test_a_cohort_goes_out_and_comes_back(folder: Path, sequence: FaceSequence, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    said = run(folder, "--to", "parquet", "--out", tmp_path / "out")
    assert "sub-002_task-anger.parquet: simulated person, 5 of 6 frames, atlas-head" in said
    run(tmp_path / "out", "--to", "face", "--out", tmp_path / "back")
    name = "sub-001/sub-001_task-anger.face.safetensors"
    assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()


def test_what_is_lost_is_said_once(folder: Path, tmp_path: Path) -> None:
    said = run(folder, "--to", "openface", "--out", tmp_path / "out")
    assert said.count("no shape for AU23, AU25: NaN (2 recordings)") == 1
    assert (tmp_path / "out" / "sub-001" / "sub-001_task-anger.csv").is_file()
    again = run(tmp_path / "out", "--to", "face", "--out", tmp_path / "back")
    assert "the table tells no identity: the template's mean face (2 recordings)" in again
    back = load(tmp_path / "back" / "sub-001" / "sub-001_task-anger.face.safetensors")
    assert back.simulated
    assert str(tmp_path) not in json.dumps(back.provenance)


def test_parameters_of_flame_without_the_model(flame_sequence: FaceSequence, tmp_path: Path) -> None:
    stripped = replace(
        flame_sequence, template_sha256=NOT_GIVEN, provenance={"converted": {"camera": "none", "from": "x"}}
    )
    save(stripped, tmp_path / "a.face.safetensors")
    run(tmp_path / "a.face.safetensors", "--to", "emoface", "--out", tmp_path / "out")
    said = run(tmp_path / "out" / "a", "--to", "face", "--out", tmp_path / "back")
    assert "5 of 6 frames, flame" in said
    back = load(tmp_path / "back" / "a.face.safetensors")
    np.testing.assert_array_equal(back.expression, flame_sequence.expression[:, :50])
    assert "convert them again with --template FILE" in run(
        tmp_path / "back" / "a.face.safetensors", "--to", "face", "--onto", "atlas-head", "--out", tmp_path, status=2
    )


def test_recordings_side_by_side_are_no_frames(flame_sequence: FaceSequence, tmp_path: Path) -> None:
    """Two recordings' folders in one, which EMOCA would name frames."""
    for name in ("a", "b"):
        save(flame_sequence, tmp_path / "in" / f"{name}.face.safetensors")
    run(tmp_path / "in", "--to", "emoface", "--out", tmp_path / "out")
    assert [(s.format, s.name) for s in find_sources([tmp_path / "out"])] == [("emoface", "a"), ("emoface", "b")]
    run(tmp_path / "in", "--to", "emoca", "--out", tmp_path / "frames")
    assert [(s.format, s.name) for s in find_sources([tmp_path / "frames"])] == [("emoca", "a"), ("emoca", "b")]


def test_onto_another_template(folder: Path, sequence: FaceSequence, template: Template, tmp_path: Path) -> None:
    """The embedded template onto itself: the smallest transfer there is."""
    path = folder / "sub-001" / "sub-001_task-anger.face.safetensors"
    said = run(path, "--to", "face", "--onto", "atlas-head", "--out", tmp_path / "out")
    assert "transferred to atlas-head: neutral face 0.0" in said
    made = load(tmp_path / "out" / path.name)
    assert made.provenance["transferred"]["from"] == "atlas-head"
    smile = template.expression_names.index("mouthSmileLeft")
    np.testing.assert_allclose(made.expression[:, smile], sequence.expression[:, smile], atol=0.02)


def test_one_bad_recording_does_not_stop_the_others(folder: Path, tmp_path: Path) -> None:
    (folder / "sub-001" / "sub-001_task-anger.face.safetensors").write_bytes(b"damaged")
    said = run(folder, "--to", "openface", "--out", tmp_path / "out")
    assert "note: sub-001/sub-001_task-anger was left out: expected a face-sequence file" in said
    assert not (tmp_path / "out" / "sub-001").exists()
    (folder / "sub-002" / "sub-002_task-anger.face.safetensors").write_bytes(b"damaged")
    assert "there is none; the first: expected" in run(folder, "--to", "openface", "--out", tmp_path / "x", status=2)
    assert not (tmp_path / "x").exists()


def test_bad_input_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = folder / "sub-001" / "sub-001_task-anger.face.safetensors"
    for arguments, said in (
        ((path, "--to", "fex", "--out", out), "expected --to face, emoface"),
        ((path, "--to", "face", "--from", "x", "--out", out), "expected --from face, emoface"),
        ((path, "--to", "face", "--out", path.parent), "would be overwritten; name one"),
        ((path, "--to", "face", "--out", path), "expected a folder for --out, but"),
        ((tmp_path / "none", "--to", "face", "--out", out), "does not exist; check the path"),
        ((folder / "participants.tsv", "--to", "face", "--out", out), "expected --to parquet for the table"),
        ((path, "--to", "vhap", "--out", out), "expected parameters of a whole FLAME model"),
        ((path, "--to", "vhap", "--from", "vhap", "--out", out), "expected an .npz file, but"),
    ):
        assert said in run(*arguments, status=2), said
    assert not out.exists()


def test_a_later_version_s_addition_is_a_note(folder: Path, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = folder / "sub-001" / "sub-001_task-anger.face.safetensors"
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file({**arrays, "wrinkles": np.zeros(3, np.float32)}, path, file.metadata())
    said = run(path, "--to", "openface", "--out", tmp_path / "out")
    assert "note: wrinkles in sub-001_task-anger.face.safetensors is nothing that a face sequence has" in said


def test_what_looks_like_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty").mkdir()
    for name in ("notes.csv", "empty"):
        with pytest.raises(InputError, match=r"looks like none of them; name its format with --from"):
            find_sources([tmp_path / name])
    (tmp_path / "a.csv").write_text("confidence,success\n")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.csv").write_text("confidence,success\n")
    assert [s.name for s in find_sources([tmp_path])] == ["a", "b/a"]
    with pytest.raises(InputError, match="but a is there twice"):
        find_sources([tmp_path / "a.csv", tmp_path / "b" / "a.csv"])


def test_a_shell_s_star_names_sidecars_too(folder: Path, tmp_path: Path) -> None:
    person = folder / "sub-001"
    run(*sorted(person.iterdir()), "--to", "openface", "--out", tmp_path / "out")
    names = ["sub-001_task-anger.csv", "sub-001_task-anger.face-atlas.json"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names
    assert [s.name for s in find_sources(sorted((tmp_path / "out").iterdir()))] == ["sub-001_task-anger"]
    with pytest.raises(InputError, match="looks like none of them"):
        find_sources([person / "sub-001_task-anger.face.json"])
