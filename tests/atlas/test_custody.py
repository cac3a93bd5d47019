"""The audit log: a chain that shows edits, removals, moves and what was cut off."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from atlas.cli.main import app
from atlas.custody import HEAD, LOG, read_log, record, verify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a log of four entries."""
    for number in range(1, 5):
        record(tmp_path / "out", "build", people=number, groups={"MDD": number})
    return tmp_path / "out"


def lines(folder: Path) -> list[str]:
    return (folder / LOG).read_text().splitlines()


def write(folder: Path, found: list[str]) -> None:
    (folder / LOG).write_text("\n".join(found) + "\n")


def test_entries_are_read_back_in_order_and_the_chain_holds(folder: Path) -> None:
    log = read_log(folder)
    assert [(e.number, e.action, e.facts["people"]) for e in log.entries] == [(n, "build", n) for n in (1, 2, 3, 4)]
    assert log.findings == ()
    assert log.head == json.loads((folder / HEAD).read_text())["sha256"]
    assert verify(folder / "none") == ()


def test_a_log_is_only_appended_to_and_is_the_same_twice(folder: Path, tmp_path: Path) -> None:
    before = (folder / LOG).read_bytes()
    record(folder, "share", level="summary")
    assert (folder / LOG).read_bytes().startswith(before)
    for number in range(1, 5):
        record(tmp_path / "again", "build", people=number, groups={"MDD": number})
    assert (tmp_path / "again" / LOG).read_bytes() == before


def test_an_edited_entry_breaks_the_chain(folder: Path) -> None:
    found = lines(folder)
    found[1] = found[1].replace('"people": 2', '"people": 9')
    write(folder, found)
    assert verify(folder) == ("entry 3 does not follow entry 2: one of the two was changed, or a line between",)


def test_an_edited_last_entry_is_found_by_the_head(folder: Path) -> None:
    found = lines(folder)
    found[3] = found[3].replace('"people": 4', '"people": 9')
    write(folder, found)
    assert verify(folder) == (f"entry 4 is not the one that {HEAD} knows: it was changed",)


@pytest.mark.parametrize("order", [(0, 2, 3), (0, 2, 1, 3), (1, 2, 3), (0, 1, 1, 2, 3)])
def test_entries_taken_out_moved_or_doubled_are_found(folder: Path, order: tuple[int, ...]) -> None:
    found = lines(folder)
    write(folder, [found[i] for i in order])
    said = " ".join(verify(folder))
    assert "taken out, put in or moved" in said
    assert "does not follow" in said


def test_entries_cut_off_at_the_end_are_found_by_the_head(folder: Path) -> None:
    write(folder, lines(folder)[:2])
    assert verify(folder) == (f"{HEAD} counts 4 entries, but the log has 2: entries were cut off at the end",)
    (folder / HEAD).unlink()
    assert verify(folder) == (f"{HEAD} is missing: entries cut off at the end would not be seen",)
    (folder / HEAD).write_text("[]")
    assert "cannot be read" in verify(folder)[0]


def test_a_log_without_its_lines_is_found(folder: Path) -> None:
    (folder / LOG).unlink()
    assert "cut off" in verify(folder)[0]


def test_an_interruption_between_log_and_head_is_no_finding(folder: Path) -> None:
    head = (folder / HEAD).read_bytes()
    record(folder, "share")
    (folder / HEAD).write_bytes(head)
    assert verify(folder) == ()


def test_a_torn_line_stays_as_a_finding_and_the_next_entry_is_whole(folder: Path) -> None:
    with (folder / LOG).open("ab") as stream:
        stream.write(b'{"action": "sha')
    record(folder, "forget", recordings=3)
    assert verify(folder) == ("entry 5 cannot be read: it was changed, or cut short by an interruption",)
    assert read_log(folder).entries[-1].facts == {"recordings": 3}


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00", b"[]", b'{"number": "1"}', b"null", b"[" * 99999])
def test_a_hostile_log_is_a_finding_and_no_crash(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / LOG).write_bytes(junk + b"\n")
    assert "entry 1 cannot be read" in verify(tmp_path)[0]


def test_the_command_shows_the_log_and_says_whether_it_holds(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["cohort", "log", str(folder), "--verify"])
    assert done.exit_code == 0
    assert '2  build: groups {"MDD": 2}, people 2' in done.output
    assert read_log(folder).head in done.output
    assert "The chain holds." in done.output
    write(folder, lines(folder)[1:])
    assert CliRunner().invoke(app, ["cohort", "log", str(folder)]).exit_code == 0
    done = CliRunner().invoke(app, ["cohort", "log", str(folder), "--verify"])
    assert done.exit_code == 2
    assert "The log is not as it was written." in done.output
    done = CliRunner().invoke(app, ["cohort", "log", str(tmp_path)])
    assert done.exit_code == 2
    assert "nothing was recorded there" in done.output


def test_what_is_no_plain_json_is_refused_and_nothing_is_appended(folder: Path) -> None:
    before = (folder / LOG).read_bytes()
    with pytest.raises(TypeError):
        record(folder, "build", out=Path("x"))
    with pytest.raises(ValueError, match="JSON compliant"):
        record(folder, "build", loss=float("nan"))
    assert (folder / LOG).read_bytes() == before
