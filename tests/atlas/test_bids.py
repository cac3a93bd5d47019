"""A cohort's folder as a BIDS derivative: names, what a looser folder becomes, and what the BIDS validator says."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from atlas.bids import follows_bids, label, recording_path
from atlas.bids.tidy import tidy
from atlas.cli.main import app
from atlas.cohort import load_cohort
from atlas.custody import read_log
from reconstruction.errors import InputError
from reconstruction.sequence import BIDS_SUFFIX, load, stem_of


@pytest.fixture
def loose(cohort_folder: Path, tmp_path: Path) -> Path:
    """The simulated cohort as somebody might keep it: folders without sub-, stimuli as words, blanks in ids, a film."""
    folder = tmp_path / "loose"
    for path in sorted(cohort_folder.glob(f"sub-*/*{BIDS_SUFFIX}")):
        person, task = stem_of(path).removeprefix("sub-").split("_task-")
        name = f"{person} {task.upper()}.face.safetensors"
        target = (
            folder / ("flat" if person == "001" else f"P-{person}") / (name if person == "001" else f"{task}_{name}")
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (folder / "P-002" / "film.mp4").write_bytes(b"video")
    table = (cohort_folder / "participants.tsv").read_text().replace("sub-", "P-").replace("P-001", "001")
    (folder / "participants.tsv").write_text(table)
    return folder


def issues(folder: Path) -> list[tuple[str, str, str]]:
    """(severity, code, location) of what the BIDS validator says; it carries its schema and needs no network."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("needs bids-validator-deno, of requirements-dev.txt")
    done = subprocess.run([validator, "--format", "json", folder], capture_output=True, text=True, timeout=60)
    found = json.loads(done.stdout)["issues"]["issues"]
    assert (done.returncode == 0) == all(issue["severity"] != "error" for issue in found)
    return [(issue["severity"], issue["code"], issue.get("location", "")) for issue in found]


def test_recordings_are_named_after_bids() -> None:
    plain = recording_path("sub-01", None, "anger")
    whole = recording_path("sub-01", "1", "anger", 2)
    assert plain == Path("sub-01/sub-01_task-anger_face.safetensors")
    assert whole == Path("sub-01/ses-1/sub-01_ses-1_task-anger_run-2_face.safetensors")
    assert follows_bids(plain)
    assert follows_bids(whole)
    for odd in (
        "sub-02/sub-01_task-anger_face.safetensors",
        "sub-01/sub-01_ses-1_task-anger_face.safetensors",
        "sub-01/sub-01_task-anger.face.safetensors",
        "sub-01/sub-01_face.safetensors",
    ):
        assert not follows_bids(Path(odd))
    assert label("P-0 1ä_") == "P01"


def test_a_simulated_cohort_passes_the_validator(cohort_folder: Path, tmp_path: Path) -> None:
    """But for a hint that it names fewer than two authors; without .bidsignore, what is not in BIDS yet is an error."""
    assert issues(cohort_folder) == [("warning", "TOO_FEW_AUTHORS", "/dataset_description.json")]
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "bare"))
    (folder / ".bidsignore").unlink()
    errors = {(code, where) for severity, code, where in issues(folder) if severity == "error"}
    ours = {where for code, where in errors if code == "NOT_INCLUDED"}
    assert ours == {f"/{p.relative_to(folder).as_posix()}" for p in folder.rglob("*_face.*")} | {"/simulation.json"}
    assert {code for code, _ in errors} <= {"NOT_INCLUDED", "SIDECAR_WITHOUT_DATAFILE"}


def test_a_looser_folder_becomes_a_derivative_without_any_finding(loose: Path, tmp_path: Path) -> None:
    (loose / "phenotype").mkdir()
    (loose / "phenotype/bdi.tsv").write_text("participant_id\tbdi\nP-002\t17\n001\t\n")
    (loose / "phenotype/hamd.tsv").write_text("participant_id\tsession_id\thamd\nP-003\t1\t17\nP-003\tses-2\t12\n")
    out = tmp_path / "out"
    made = tidy(loose, out, name="Faces", authors=["A", "B"])
    assert (made.people, made.recordings) == (12, 36)
    assert "P-002 is called sub-P002" not in made.notes
    assert "sub-P-002 is called sub-P002" in made.notes
    assert "1 videos were not copied" in made.notes
    assert issues(out) == []
    assert all(follows_bids(path.relative_to(out)) for path in out.rglob("*.safetensors"))
    assert not list(out.rglob("*.mp4"))
    cohort = load_cohort(out)
    assert cohort.warnings == ()
    assert cohort.stimuli == ("anger", "happiness", "neutral")
    extra = {person.id: person.extra for person in cohort.people}
    assert extra["sub-P002"]["bdi"] == "17"
    assert extra["sub-P003"]["hamd"] == "14.5"
    assert (out / "sub-P003/sub-P003_sessions.tsv").read_text() == "session_id\thamd\nses-1\t17\nses-2\t12\n"
    assert read_log(out).entries[0].facts == {"people": 12, "recordings": 36}


def test_parameters_are_copied_byte_for_byte_with_a_sidecar(loose: Path, cohort_folder: Path, tmp_path: Path) -> None:
    tidy(loose, tmp_path / "out")
    source = cohort_folder / "sub-002" / f"sub-002_task-anger{BIDS_SUFFIX}"
    copy = tmp_path / "out/sub-P002/sub-P002_task-anger_face.safetensors"
    assert copy.read_bytes() == source.read_bytes()
    assert json.loads(copy.with_suffix(".json").read_text()) == load(source).summary()


def test_several_recordings_of_a_stimulus_are_runs_and_strangers_are_left_out(loose: Path, tmp_path: Path) -> None:
    source = next((loose / "P-002").glob("anger*"))
    shutil.copyfile(source, source.with_name("anger_again.face.safetensors"))
    shutil.copyfile(source, source.with_name("task-tea.face.safetensors"))
    shutil.copyfile(source, source.with_name("holiday.face.safetensors"))
    shutil.copyfile(source, loose / "stranger.face.safetensors")
    made = tidy(loose, tmp_path / "out")
    names = sorted(p.name for p in (tmp_path / "out/sub-P002").glob("*.safetensors"))
    assert names == [
        f"sub-P002_task-{name}_face.safetensors"
        for name in ("anger_run-1", "anger_run-2", "happiness", "neutral", "tea", "unknown")
    ]
    assert "stranger.face.safetensors is nobody's in participants.tsv and was left out" in made.notes
    assert any("holiday.face.safetensors names no stimulus" in note for note in made.notes)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "participants.tsv").unlink(), "expected a cohort folder with participants.tsv"),
        (lambda f: next((f / "P-003").glob("*")).write_bytes(b"junk"), "no readable safetensors file"),
        (
            lambda f: (f / "participants.tsv").write_text("participant_id\tgroup\na-1\tHC\na1\tHC\n"),
            "sub-a-1 and sub-a1 would become sub-a1",
        ),
        (lambda f: (f / "participants.tsv").write_text("participant_id\tgroup\nz\tHC\n"), "none that is anybody's"),
    ],
)
def test_what_cannot_be_tidied_is_refused_and_nothing_is_written(
    loose: Path, tmp_path: Path, spoil: object, said: str
) -> None:
    spoil(loose)  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        tidy(loose, tmp_path / "new" / "out")
    assert not list((tmp_path / "new").glob("*") if (tmp_path / "new").exists() else [])


def test_links_to_folders_and_hidden_folders_are_not_entered(loose: Path, tmp_path: Path) -> None:
    shutil.copytree(loose / "P-003", loose / ".git" / "P-003")
    shutil.move(loose / "P-002", tmp_path / "P-002")
    (loose / "P-002").symlink_to(tmp_path / "P-002")
    made = tidy(loose, tmp_path / "out")
    assert (made.people, made.recordings) == (11, 33)
    assert "P-002 is a link to a folder and was not followed" in made.notes


def test_a_folder_is_not_tidied_into_itself_or_into_an_occupied_one(loose: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder outside"):
        tidy(loose, loose / "out")
    with pytest.raises(InputError, match="expected a new or empty folder"):
        tidy(loose, tmp_path)


def test_the_command_tells_what_it_did(loose: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["cohort", "tidy", str(loose), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "36 recordings of 12 people" in done.output
    assert "sub-P-002 is called sub-P002" in done.output
