"""``face-atlas forget``: everything of a person is found, told, removed, and nothing of anybody else."""

import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from atlas.aggregation import digest_of
from atlas.cli.forget import forget as command
from atlas.cli.main import app
from atlas.custody import LOG, read_log, record, verify
from atlas.forgetting import forget, plan_removal
from reconstruction.errors import InputError
from reconstruction.sequence import BIDS_SUFFIX, load
from reconstruction.storage import write_arrays

PERSON = "sub-003"
STEPS = (0, 1, 2, 3, 4, 11, 18, 19, 20, 21, 22, 23, 27, 30)  # of 31 changes; from the 19th of the atlas


@pytest.fixture
def folder(cohort_folder: Path, tmp_path: Path) -> Path:
    """A copy of the simulated cohort with scores, true parameters, another session, and somebody called sub-0031."""
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    shutil.copytree(folder / PERSON, folder / "truth" / PERSON)
    shutil.copytree(folder / "sub-004", folder / "sub-0031")
    (folder / PERSON / f"{PERSON}_sessions.tsv").write_text("session_id\tbdi\nses-1\t3\n")
    with (folder / "participants.tsv").open("a") as table:
        table.write("sub-0031\tHC\t30\tF\tyes\n")
    (folder / "phenotype").mkdir()
    (folder / "phenotype/bdi.tsv").write_bytes(
        b"\xef\xbb\xbfParticipant_ID\tbdi\r\nsub-002\t1\r\n003\t2\r\nsub-0031\t3\r\n"
    )
    return folder


@pytest.fixture
def atlas(folder: Path, tmp_path: Path) -> Path:
    """What of an atlas's folder has to do with people: its digests, people.json, biomarkers.tsv and parameters."""
    atlas = tmp_path / "atlas"
    files = sorted(folder.glob(f"sub-00[1-6]/*{BIDS_SUFFIX}"))
    write_arrays(atlas / "atlas.safetensors", "face-atlas", 2, {}, {"digests": [digest_of(load(p)) for p in files]})
    people = [{"person": p, "group": "HC"} for p in ("sub-002", PERSON, "sub-0031")]
    notes = [f"{PERSON}_task-fear.mp4 was left out", "sub-0031_task-fear.mp4 was left out"]
    (atlas / "people.json").write_text(json.dumps({"simulated": True, "people": people, "notes": notes}))
    (atlas / "biomarkers.tsv").write_text(f"participant_id\tx\n{PERSON}\t1\nsub-0031\t2\n")
    shutil.copytree(folder / PERSON, atlas / "parameters" / PERSON)
    return atlas


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["forget", *map(str, arguments)])
    return done.exit_code, done.output


def test_everything_of_a_person_goes_and_everything_else_stays(folder: Path, atlas: Path) -> None:
    before = {place: bytes_of(place) for place in (folder, atlas)}
    removal = plan_removal("003", folder, [atlas])
    assert {place: bytes_of(place) for place in (folder, atlas)} == before  # planning changes nothing
    assert (removal.cohort.files, removal.cohort.recordings) == (13, 6)
    assert {p.name: n for p, n in removal.cohort.tables.items()} == {"participants.tsv": 1, "bdi.tsv": 1}
    assert removal.rebuild == (atlas,)
    forget(removal)
    for place in (folder, atlas):
        after = bytes_of(place)
        assert not [name for name, content in after.items() if PERSON.encode() in content.replace(b"sub-0031", b"")]
        assert not [name for name in after if PERSON in name.replace("sub-0031", "")]
        same = {name for name in after if "audit-log" not in name and before[place][name] == after[name]}
        changed = {name for name in after if "audit-log" not in name} - same
        assert changed == {
            folder: {"participants.tsv", "phenotype/bdi.tsv"}, atlas: {"people.json", "biomarkers.tsv"},
        }[place]  # fmt: skip
    assert (folder / "phenotype/bdi.tsv").read_bytes() == (
        b"\xef\xbb\xbfParticipant_ID\tbdi\r\nsub-002\t1\r\nsub-0031\t3\r\n"
    )
    people = json.loads((atlas / "people.json").read_text())
    assert [p["person"] for p in people["people"]] == ["sub-002", "sub-0031"]
    assert people["notes"] == ["sub-0031_task-fear.mp4 was left out"]


def test_the_audit_log_keeps_how_much_and_not_who(folder: Path, atlas: Path) -> None:
    record(folder, "share", level="summary")
    removal = plan_removal(PERSON, folder, [atlas])
    assert removal.shares == 1
    forget(removal)
    assert read_log(folder).entries[-1].facts == {
        "files": 13, "recordings": 6, "rows": 2, "entries": 0, "atlases_to_rebuild": 1, "shares_given_out": 1,
    }  # fmt: skip
    assert read_log(atlas).entries[-1].facts == {
        "files": 7, "recordings": 3, "rows": 1, "entries": 2, "rebuild": True,
    }  # fmt: skip
    for place in (folder, atlas):
        assert "003" not in (place / LOG).read_text().split('"previous"')[0]
        assert verify(place) == ()


def test_an_atlas_built_without_the_person_is_not_to_be_rebuilt(folder: Path, atlas: Path) -> None:
    write_arrays(atlas / "atlas.safetensors", "face-atlas", 2, {}, {"digests": ["0" * 16]})
    (atlas / "people.json").unlink()
    assert plan_removal(PERSON, folder, [atlas]).rebuild == ()
    assert plan_removal("sub-004", folder, [atlas]).rebuild == ()


def test_an_interrupted_removal_is_finished_by_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", stop)
        with pytest.raises(InputError, match=r"cannot be changed \(Permission denied\); change its permissions"):
            forget(plan_removal(PERSON, folder))
    assert PERSON not in (folder / "participants.tsv").read_text().split()
    assert (folder / PERSON).is_dir()
    forget(plan_removal(PERSON, folder))
    assert not (folder / PERSON).exists()
    assert len(read_log(folder).entries) == 2
    with pytest.raises(InputError, match="there is nothing of sub-003 in it; check the id, or take it as done"):
        plan_removal(PERSON, folder)


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_removal_is_finished_by_another(folder: Path, atlas: Path, step: int) -> None:
    """Killed with SIGKILL before its `step`th change of a folder: nothing of others is lost, another call does the rest
    and still names the atlas to be built again, the logs hold.
    """
    before = {place: bytes_of(place) for place in (folder, atlas)}
    process = multiprocessing.get_context("fork").Process(target=forget_and_die, args=(folder, atlas, step))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    removal = plan_removal(PERSON, folder, [atlas])
    assert removal.rebuild == (atlas,)
    forget(removal)
    with pytest.raises(InputError, match=f"{atlas} is still to be built again after a removal"):
        plan_removal(PERSON, folder, [atlas])
    for place in (folder, atlas):
        assert verify(place) == ()
        after = bytes_of(place)
        of_others = {name for name in before[place] if PERSON not in name.replace("sub-0031", "")}
        assert {name for name in after if not name.startswith("audit-log")} == of_others
        assert not [name for name, content in after.items() if PERSON.encode() in content.replace(b"sub-0031", b"")]


def forget_and_die(folder: Path, atlas: Path, step: int) -> None:
    left = iter(range(step))

    def dying(change: Callable[..., object]) -> Callable[..., object]:
        def changed(*arguments: object, **options: object) -> object:
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **options)

        return changed

    removal = plan_removal(PERSON, folder, [atlas])
    for name in ("replace", "unlink", "rmdir", "fsync"):
        setattr(os, name, dying(getattr(os, name)))
    forget(removal)


def test_links_are_removed_and_what_they_point_to_is_not(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    shutil.move(folder / PERSON, outside)
    (folder / PERSON).symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    kept = bytes_of(outside)
    removal = plan_removal(PERSON, folder)
    assert f"{PERSON} is a link: it is removed, what it points to is not" in removal.notes
    forget(removal)
    assert not os.path.lexists(folder / PERSON)
    assert bytes_of(outside) == kept
    assert (folder / "loop").is_symlink()


def test_texts_that_still_name_them_are_told(folder: Path) -> None:
    (folder / "notes.txt").write_text(f"{PERSON} asked to be taken out")
    (folder / "other.txt").write_text("sub-0031 did not")
    notes = plan_removal(PERSON, folder).notes
    assert [note for note in notes if "names them" in note] == [
        f"{folder / 'notes.txt'} names them, and is left as it is"
    ]


@pytest.mark.parametrize("person", ["", "sub-", "../x", "sub-*", "a/b", "sub-1\t2"])
def test_an_id_that_is_no_folder_is_refused(folder: Path, person: str) -> None:
    with pytest.raises(InputError, match="expected a participant such as sub-001"):
        plan_removal(person, folder)


def test_a_stranger_a_wrong_folder_and_what_is_no_atlas_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing of sub-77"):
        plan_removal("77", folder)
    with pytest.raises(InputError, match="expected the folder of a cohort"):
        plan_removal(PERSON, tmp_path / "none")
    with pytest.raises(InputError, match="expected the folder of an atlas"):
        plan_removal(PERSON, folder, [folder])


def test_on_a_terminal_it_asks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for answer, there in ((False, True), (True, False)):
        monkeypatch.setattr("typer.confirm", lambda *_, answer=answer, **__: answer)
        command(PERSON, folder)
        assert (folder / PERSON).exists() == there


def test_nothing_is_removed_without_yes(folder: Path, atlas: Path) -> None:
    before = bytes_of(folder)
    status, said = run(PERSON, "--cohort", folder, "--atlas", atlas)
    assert status == 2
    assert "13 files (6 with parameters); 1 row of participants.tsv, 1 row of bdi.tsv" in said
    assert f"to be built again: {atlas}" in said
    assert "cannot be recalled" in said
    assert "expected --yes" in said
    assert bytes_of(folder) == before
    status, said = run(PERSON, "--cohort", folder, "--yes")
    assert status == 0
    assert "atlases built from this cohort were not looked at" in said
    assert not (folder / PERSON).exists()
