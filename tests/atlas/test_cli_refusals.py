"""Input that cannot be used: one sentence, exit status 2, nothing written."""

import pytest

from atlas.cli import main


@pytest.fixture(
    params=["text called .mp4", "empty file", "missing file", "folder that is missing", "video without a face"]
)
def unusable(request, tmp_path, shared_data):
    """A path that no command can use, and what the sentence must say."""
    path = tmp_path / "input" / "film.mp4"
    path.parent.mkdir()
    if request.param == "text called .mp4":
        path.write_text("this is no video\n" * 100)
        return path, "film.mp4 is none that can be decoded"
    if request.param == "empty file":
        path.touch()
        return path, "film.mp4 is empty (0 bytes)"
    if request.param == "video without a face":
        return shared_data("video/no_face.mp4"), "none of its 95 frames shows a trustworthy one (no face: 95)"
    if request.param == "folder that is missing":
        return tmp_path / "nowhere" / "films", "films does not exist"
    return path, "film.mp4 does not exist"


def refused(capfd, *arguments) -> str:
    """The one sentence that a command leaves on the process's stderr, native libraries' words included."""
    with pytest.raises(SystemExit) as left:
        main.run([str(a) for a in arguments])
    out, error = capfd.readouterr()
    assert left.value.code == 2
    assert out == ""
    (sentence,) = error.strip().splitlines()
    assert sentence.startswith("face-atlas: expected ")
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("overlay", [False, True])
def test_reconstruct(unusable, tmp_path, capfd, overlay):
    path, message = unusable
    before = sorted(tmp_path.rglob("*"))
    sentence = refused(capfd, "reconstruct", path, "--out", tmp_path / "out", *["--overlay"] * overlay)
    assert message in sentence
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fps", "fast"), "expected fps 'native' or a positive number, got 'fast'"),
        (("--fps", "0"), "got '0'"),
        (("--template", "flame"), "expected an embedded template"),
    ],
)
def test_options(face_video, tmp_path, capfd, options, message):
    assert message in refused(capfd, "reconstruct", face_video, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_out_is_a_file(face_video, tmp_path, capfd):
    (tmp_path / "out").write_text("mine")
    assert "is a file" in refused(capfd, "reconstruct", face_video, "--out", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_out_lies_in_a_file(cohort_folder, tmp_path, capfd):
    (tmp_path / "plain").touch()
    assert "plain is a file" in refused(capfd, "build", cohort_folder, "--out", tmp_path / "plain" / "atlas")
    sentence = refused(capfd, "simulate", "--people", "3", "--out", tmp_path / "plain" / "cohort")
    assert "plain, but the system says: File exists" in sentence
    assert list(tmp_path.iterdir()) == [tmp_path / "plain"]


def test_build_without_a_cohort(tmp_path, capfd):
    (tmp_path / "cohort").mkdir()
    assert "participants.tsv" in refused(capfd, "build", tmp_path / "cohort", "--out", tmp_path / "atlas")
    assert not (tmp_path / "atlas").exists()


def test_match_without_an_atlas(face_video, tmp_path, capfd):
    refused(capfd, "match", tmp_path / "none", face_video, "--out", tmp_path / "match.json")
    assert not list(tmp_path.iterdir())
