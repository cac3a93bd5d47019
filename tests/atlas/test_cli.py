"""The command line as its user meets it: output, one-sentence errors, exit status."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from atlas.cli import main
from reconstruction import __version__
from reconstruction.errors import InputError
from reconstruction.sequence import load, save


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main.run([str(a) for a in arguments])
    return left.value.code


def test_version_and_help(capsys):
    assert run("--version") == 0
    assert __version__ in capsys.readouterr().out
    assert run("--help") == 0
    assert "not a diagnosis" in " ".join(capsys.readouterr().out.split())


def test_help_imports_nothing_heavy():
    code = (
        "import sys, atlas.cli.main; print([m for m in ('torch', 'mediapipe', 'open3d', 'pandas') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_wrong_usage_is_status_2(capsys):
    assert run("export") == 2
    assert run("reconstruct", "a.mp4") == 2
    assert run("nonsense") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_interruption_is_status_130(monkeypatch, capsys, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("reconstruction.sequence.load", interrupted)
    assert run("export", "a", "--out", tmp_path / "a.npz") == 130
    assert "interrupted" in capsys.readouterr().err


def test_export(sequence, tmp_path, capsys):
    path = save(sequence, tmp_path / "a.face.safetensors")
    assert run("export", path, "--out", tmp_path / "a.ply") == 0
    assert "simulated person" in capsys.readouterr().out
    assert (tmp_path / "a.ply").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("none.face.safetensors", "a.npz"), "does not exist"), (("none.face.safetensors", "a.doc"), "got a.doc")],
)
def test_export_errors(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("export", arguments[0], "--out", arguments[1]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def fitted(monkeypatch, sequence):
    """`reconstruction.pipeline.reconstruct` replaced by one that looks at the recording but fits nothing."""
    import reconstruction.pipeline

    calls = []

    def reconstruct(video, *, simulated=False, progress=None, **_):
        calls.append(video.name)
        if video.stem == "noface":
            raise InputError("expected a face in noface.mp4, but none of its frames shows one; turn round.")
        progress("detecting", 6, 6)
        return replace(sequence, simulated=simulated)

    monkeypatch.setattr(reconstruction.pipeline, "reconstruct", reconstruct)
    return calls


def test_reconstruct_finishes_the_good_and_names_the_bad(fitted, face_video, tmp_path, capsys):
    films = tmp_path / "films"
    films.mkdir()
    for name in ("good.mp4", "noface.mp4"):
        (films / name).write_bytes(face_video.read_bytes())
    (films / "text.mp4").write_text("no video")
    status = run("reconstruct", films, films / "missing.mp4", "--out", tmp_path / "out", "--overlay")
    out, error = capsys.readouterr()
    assert status == 2
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "good.face.safetensors", "good.face.json", "good.overlay.webm", "good.quality.png",
    }  # fmt: skip
    for sentence in (
        "missing.mp4 does not exist",
        "text.mp4 is none that can be decoded",
        "expected a face in noface.mp4",
    ):
        assert sentence in error
    assert "1 blurred" in out
    assert not load(tmp_path / "out/good.face.safetensors").simulated


def test_reconstruct_passes_on_what_it_is_told(monkeypatch, sequence, face_video, tmp_path, capsys):
    import reconstruction.pipeline

    told = {}

    def reconstruct(video, **options):
        told.update(options)
        return replace(sequence, provenance={"face": 2, "frames_with_several_faces": 4})

    monkeypatch.setattr(reconstruction.pipeline, "reconstruct", reconstruct)
    assert run("reconstruct", face_video, "--out", tmp_path, "--face", 2, "--focal-px", 900) == 0
    assert (told["face"], told["focal_px"], told["fov_deg"]) == (2, 900.0, None)
    out = " ".join(capsys.readouterr().out.split())
    assert "shows several faces in 4 frames; followed: number 2 from the left" in out
    assert "is not usable: blurred (17 %): focus on the face and hold the camera still only 0.5 s to go by: film" in out
    sidecar = json.loads((tmp_path / f"{face_video.stem}.face.json").read_text())
    assert sidecar["verdict"]["verdict"] == "not usable"


def test_reconstruct_refuses_another_detectors_calibration(face_video, tmp_path, capsys, shared_data):
    task = shared_data("mediapipe/face_landmarker.task")
    assert run("reconstruct", face_video, "--out", tmp_path / "out", "--detector", task) == 2
    error = capsys.readouterr().err
    assert "face-atlas template calibrate atlas-head --detector" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_results_are_no_recordings(tmp_path):
    from atlas.cli.reconstruct import find_recordings

    for name in ("a.mp4", "a.overlay.webm", "a.quality.png", "a.detail.png", "b.png"):
        (tmp_path / name).touch()
    assert [path.name for path in find_recordings([tmp_path])] == ["a.mp4", "b.png"]


def test_reconstruct_skips_what_is_done_unless_forced(fitted, face_video, tmp_path, capsys):
    arguments = ("reconstruct", face_video, "--out", tmp_path)
    assert run(*arguments) == 0
    assert run(*arguments) == 0
    assert "already done" in capsys.readouterr().out
    assert len(fitted) == 1
    assert run(*arguments, "--force") == 0
    assert len(fitted) == 2


def test_reconstruct_believes_participants_tsv(fitted, face_video, tmp_path):
    person = tmp_path / "cohort" / "sub-001"
    person.mkdir(parents=True)
    (person / "a.mp4").write_bytes(face_video.read_bytes())
    (tmp_path / "cohort/participants.tsv").write_text("participant_id\tgroup\tsimulated\nsub-001\tHC\tyes\n")
    assert run("reconstruct", tmp_path / "cohort", "--out", tmp_path / "out") == 0
    assert load(tmp_path / "out/sub-001/a.face.safetensors").simulated


def test_reconstruct_refuses_clashing_names_and_empty_folders(face_video, tmp_path, capsys):
    for folder in ("a", "b", "empty"):
        (tmp_path / folder).mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / "x.mp4").write_bytes(face_video.read_bytes())
    assert run("reconstruct", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out") == 2
    assert "would both become" in capsys.readouterr().err
    assert run("reconstruct", tmp_path / "empty", "--out", tmp_path / "out") == 2
    assert "there are none" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_detail_is_written_beside_the_parameters_and_exported(fitted, face_video, sequence, template, tmp_path, capsys):
    assert run("reconstruct", face_video, "--out", tmp_path) == 0
    parameters = tmp_path / f"{face_video.stem}.face.safetensors"
    assert not list(tmp_path.glob("*.detail.*")), "off unless asked for"
    assert run("export", parameters, "--out", tmp_path / "a.ply", "--detail") == 2
    error = capsys.readouterr().err
    assert "reconstruct --detail" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "a.ply").exists()
    assert run("reconstruct", face_video, "--out", tmp_path, "--detail") == 0
    assert "the face is too small to show wrinkles" in " ".join(capsys.readouterr().out.split())
    endings = {path.name.removeprefix(face_video.stem) for path in tmp_path.glob("*.detail.*")}
    assert endings == {".detail.safetensors", ".detail.json", ".detail.png"}
    assert run("export", parameters, "--out", tmp_path / "a.ply", "--detail") == 0
    assert run("export", parameters, "--out", tmp_path / "a.npz", "--detail") == 0
    with np.load(tmp_path / "a.npz") as file:
        assert file["displacement"].shape == (256, 256)
        assert len(file["detailed_neutral"]) > 4 * len(template.v_template)
        assert file["detailed_faces"].max() < len(file["detailed_neutral"])
        assert f"element vertex {len(file['detailed_neutral'])}\n".encode() in (tmp_path / "a.ply").read_bytes()[:2000]
