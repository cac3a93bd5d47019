"""``face-atlas template`` as its user meets it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from atlas.biomarkers import template_figures
from atlas.cli import main
from reconstruction.calibration import load_calibration, save_calibration
from reconstruction.detectors import BUNDLED
from reconstruction.template import load_template, save_template


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main.run([str(a) for a in arguments])
    return left.value.code


@pytest.fixture
def mine(template, tmp_path):
    """A template of one's own beside nothing else: the embedded one under another name."""
    path = tmp_path / "mine.template.safetensors"
    save_template(replace(template, name="mine", licence="CC0; nobody"), path)
    return path


@pytest.fixture
def calibrated(mine, template):
    """`mine` with a calibration: the embedded one's numbers."""
    head = load_template(mine)
    made = replace(load_calibration(template), template_sha256=head.sha256, provenance={"people": 3, "detector": "x"})
    save_calibration(made, mine.with_name("mine.calibration.safetensors"))
    return mine


def test_list(calibrated, tmp_path, capsys):
    save_template(replace(load_template(calibrated), bounded=False), tmp_path / "free.template.safetensors")
    assert run("template", "list", tmp_path) == 0
    rows = {line.split()[0].split("/")[-1]: line for line in capsys.readouterr().out.splitlines()}
    assert list(rows) == ["template", "atlas-head", "free.template.safetensors", "mine.template.safetensors"]
    assert rows["mine.template.safetensors"].split()[1:] == ["4,850", "50", "44", "yes", "CC0"]
    assert " no " in rows["free.template.safetensors"]


def test_info_and_picture(calibrated, tmp_path, capsys):
    assert run("template", "info", calibrated, "--picture", tmp_path / "head.png") == 0
    out = capsys.readouterr().out
    head = load_template(calibrated)
    for told in (
        "CC0; nobody",
        head.sha256,
        head.source_sha256,
        "474 of 478",
        "mine.calibration.safetensors (3",
    ):
        assert told in out
    picture = np.asarray(Image.open(tmp_path / "head.png"))
    plain, marked = np.split(picture.astype(int), 2, axis=1)
    changed = (plain != marked).any(2)
    assert 1500 < changed.sum() < 60_000
    assert (marked[changed] == (255, 214, 0)).all(1).any(), "the 68 are drawn"
    assert run("template", "info", "atlas-head", "--picture", tmp_path / "head.jpg") == 2
    assert "ends in .png" in capsys.readouterr().err


def test_info_tells_reliability(calibrated, tmp_path, capsys):
    assert run("template", "info", calibrated, "--reliability", tmp_path / "r.png") == 0
    out = capsys.readouterr().out
    assert "measured on films of" in out
    rows = {line.split("  ")[0]: line.split() for line in out.splitlines()}
    told = template_figures(load_template(calibrated)).figures
    assert rows["browDownLeft"][1:3] == [f"{told[stage]['browDownLeft']['r']:.2f}" for stage in ("fast", "full")]
    assert rows["AU04 brow lowerer"][3:5] == [f"{told[stage]['AU04']['r']:.2f}" for stage in ("fast", "full")]
    width, height = Image.open(tmp_path / "r.png").size
    assert width > 1000
    assert height > 1000
    assert run("template", "info", calibrated, "--reliability", tmp_path / "r.jpg") == 2
    assert "--reliability that ends in .png" in capsys.readouterr().err


def test_an_older_calibration_tells_of_landmarks_alone(calibrated, tmp_path, capsys):
    path = calibrated.with_name("mine.calibration.safetensors")
    older = replace(load_calibration(load_template(calibrated)), measured=None)
    save_calibration(older, path)
    assert run("template", "info", calibrated) == 0
    out = capsys.readouterr().out
    assert "landmarks alone, on single photographs" in out
    assert f"{older.reliability[0]:.3f}" in next(line for line in out.splitlines() if line.startswith("browDownLeft"))
    assert run("template", "info", calibrated, "--reliability", tmp_path / "r.png") == 2
    assert "calibrate the template anew" in capsys.readouterr().err
    path.unlink()
    assert run("template", "info", calibrated, "--reliability", tmp_path / "r.png") == 2
    assert "there is none; make it" in capsys.readouterr().err


def test_the_calibration_beside_a_file_is_its_own(calibrated, template):
    assert load_calibration(load_template(calibrated)).provenance["people"] == 3
    assert load_calibration(template).provenance["people"] > 3


def test_calibrate(mine, template, monkeypatch, capsys):
    import reconstruction.training

    asked = []

    def learn(head, people, frames, seed, jobs, progress, detector, films):
        asked.append((people, frames, seed, jobs, detector, films))
        for stage in ("photograph", "skin", "trial"):
            progress(stage, people, people)
        made = load_calibration(template)
        return replace(made, template_sha256=head.sha256, provenance={"frames_found": 7, "people": people})

    monkeypatch.setattr(reconstruction.training, "calibrate", learn)
    out = mine.with_name("mine.calibration.safetensors")
    assert run("template", "calibrate", mine, "--out", out, "--people", 30, "--frames", 5, "--seed", 4) == 0
    assert asked == [(30, 5, 4, 2, BUNDLED, 60)]
    text = capsys.readouterr().out
    assert "7 frames of 30 people" in text
    assert "on films of" in text
    assert "--calibration" not in text
    assert load_calibration(load_template(mine)).provenance["people"] == 30
    elsewhere = mine.parent / "sub" / "other.calibration.safetensors"
    assert run("template", "calibrate", mine, "--out", elsewhere, "--people", 30, "--frames", 5) == 0
    assert f"--calibration {elsewhere}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("calibrate", "atlas-head", "--out", "a.calibration.safetensors", "--people", "19"), "at least 20 people"),
        (
            ("calibrate", "atlas-head", "--out", "a.calibration.safetensors", "--people", "30", "--frames", "2"),
            "at least 100 people of 2 frames for the 50 motion parameters of atlas-head, got 30",
        ),
        (("calibrate", "atlas-head", "--out", "a.safetensors"), "ends in .calibration.safetensors"),
        (("calibrate", "nobody", "--out", "a.calibration.safetensors"), "expected an embedded template"),
        (("info", "nobody"), "expected an embedded template"),
        (("list", "nobody.template.safetensors"), "expected an embedded template"),
        (("import", "a.pkl", "--out", "a.safetensors"), "ends in .template.safetensors"),
        (("import", "a.pkl", "--out", "a.template.safetensors"), "a.pkl does not exist"),
    ],
)
def test_refusals(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert run("template", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_hostile_model_is_refused_by_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    class Hostile:
        def __reduce__(self):
            return eval, ("open('owned', 'w')",)

    (tmp_path / "flame.pkl").write_bytes(pickle.dumps({"v_template": Hostile()}))
    assert run("template", "import", "flame.pkl", "--out", "a.template.safetensors") == 2
    assert "asks for builtins.eval" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["flame.pkl"]


def test_reconstruct_takes_the_calibration_named(mine, elsewhere, face_video, tmp_path, capsys):
    """A template of one's own cannot be used without its calibration, and is with it."""
    arguments = ("reconstruct", face_video, "--out", tmp_path / "out", "--template", mine, "--quality", "fast")
    assert run(*arguments) == 2
    assert "make it: face-atlas template calibrate" in capsys.readouterr().err
    assert run(*arguments, "--calibration", elsewhere) == 0
    assert (tmp_path / "out" / f"{face_video.stem}.face.safetensors").is_file()

    assert run("reconstruct", face_video, "--out", tmp_path / "out2", "--calibration", elsewhere) == 2
    assert "calibrate this template anew" in capsys.readouterr().err


@pytest.fixture
def elsewhere(mine, template, tmp_path):
    """A calibration of `mine` that lies elsewhere."""
    path = tmp_path / "elsewhere" / "c.calibration.safetensors"
    save_calibration(replace(load_calibration(template), template_sha256=load_template(mine).sha256), path)
    return path
