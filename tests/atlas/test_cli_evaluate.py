"""`face-atlas evaluate` as its user meets it."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from atlas.cli import main
from atlas.figures.evaluation import cumulative_figure, recovery_figure


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as left:
        main.run([str(a) for a in arguments])
    return left.value.code


def test_now_prints_the_benchmarks_table_beside_published_rows(now_folder, now_predictions, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("evaluate", "now", now_folder, "--predictions", now_predictions, "--out", out) == 0
    printed = capsys.readouterr().out
    lines = {line.split("  ")[0]: line.split() for line in printed.splitlines()}
    assert float(lines["all"][2]) < 0.01
    assert lines["published: DECA"][-3:] == ["1.090", "1.380", "1.180"]
    assert "1 of 3 pictures have no prediction" in printed
    written = json.loads((out / "now.json").read_text())
    assert written["without_prediction"] == {"FaMoS_b/multiview_neutral/IMG_3.jpg": "no file"}
    assert set(written["rows"]) == {"all", "all, mean face where missing", "multiview_neutral", "selfie"}
    assert written["rows"]["all"]["mean_face_median_mm"] > 0.5
    assert "not measured here" in written["published_on"]
    assert Image.open(out / "now.png").width > 500
    assert sorted(p.name for p in out.iterdir()) == ["now.json", "now.png"]


def test_now_reconstructs_the_pictures_where_no_predictions_are_given(now_folder, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("evaluate", "now", now_folder, "--quality", "fast", "--out", out) == 0
    capsys.readouterr()
    written = json.loads((out / "now.json").read_text())
    assert written["predictions"]["quality"] == "fast"
    assert "no face" in written["without_prediction"]["FaMoS_b/multiview_neutral/IMG_3.jpg"]
    assert (out / "now-predictions/FaMoS_a/selfie/IMG_2.ply").is_file()


def test_renders(render_folder, tmp_path, capsys):
    out, folder = tmp_path / "out", tmp_path / "renders"
    folder.mkdir()
    for suffix in (".mp4", ".npz"):
        shutil.copy(render_folder / f"sub-00{suffix}", folder)
    assert run("evaluate", "renders", folder, "--quality", "fast", "--out", out) == 0
    printed = capsys.readouterr().out
    for words in ("share of the mean face's", "motion R²", "jitter of a still face", "mouthSmile", "AU26 jaw drop"):
        assert words in printed
    written = json.loads((out / "renders.json").read_text())
    assert written["simulated"]
    assert written["people"] == 1
    assert written["frames_used"] == written["by_person"][0]["frames_used"] == 5
    assert 0.2 < written["measures"]["share_of_mean_face"]["value"] < 1.5
    assert written["measures"]["motion_r2"]["value"] > 0.3
    assert written["expressions"]["mouthSmile"]["left"] > 0.8
    assert written["action_units"]["AU12 lip corner puller"]["r"] > 0.8
    assert Image.open(out / "renders.png").width > 900


def test_identity(face_video, tmp_path, capsys):
    other = tmp_path / "other.mp4"
    other.write_bytes(face_video.read_bytes())
    assert run("evaluate", "identity", face_video, other, "--quality", "fast", "--out", tmp_path / "out") == 0
    assert "median distance between people / between halves: " in capsys.readouterr().out
    written = json.loads((tmp_path / "out/identity.json").read_text())
    halves = written["halves_mm"]
    assert halves[0] == halves[1] > 0, "the same clip twice"
    assert written["people_mm"][0][1] == pytest.approx(halves[0] / 2, rel=0.01), "two of the four pairs are the same"
    assert written["ratio"] == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("kind", ["now", "renders", "identity"])
def test_what_cannot_be_used_is_one_sentence_and_nothing_is_written(kind, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    assert run("evaluate", kind, tmp_path / "folder", "--out", tmp_path / "out") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("face-atlas: expected ")
    assert run("evaluate", kind, tmp_path / "folder", "--quality", "best", "--out", tmp_path / "out") == 2
    assert "expected quality full or fast, got 'best'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_figures_show_more_where_more_is_recovered():
    def dark(r):
        rows = {"mouthSmile": {"r": r, "low": r - 0.1, "high": r + 0.1, "left": r, "right": None}}
        picture = Image.open(io.BytesIO(recovery_figure("t", "c", rows, {"AU12 x": {"r": r, "low": r, "high": r}})))
        rgb = np.asarray(picture.convert("RGB")).astype(int)
        return (rgb[..., 2] > rgb[..., 0] + 40).sum()

    assert dark(0.9) > 2 * dark(0.3) > 0
    at = np.linspace(0, 7, 50)
    first, second = (cumulative_figure("t", "c", {"a": (at, k * at), "b": (at, at)}) for k in (5, 5))
    assert first == second
