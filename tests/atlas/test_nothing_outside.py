"""No command calls anybody, or writes outside the folder it is told to write to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# where libraries write if they are told so; torch tells its own processes
PLACES = ("MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TORCHINDUCTOR_CACHE_DIR")


def watched(tmp_path: Path, *commands: list[str]) -> list[str]:
    """What the commands did that they should not: see `watched.py`. HOME and the temporary folder are empty ones."""
    for name in ("home", "temporary", "work"):
        (tmp_path / name).mkdir()
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-B", Path(__file__).with_name("watched.py"), tmp_path / "work", log],
        input="".join(json.dumps([*map(str, command)]) + "\n" for command in commands),
        env={
            **{k: v for k, v in os.environ.items() if k not in PLACES},
            "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(ROOT),
            "COVERAGE_PROCESS_START": "", "OMP_NUM_THREADS": "1",
        },
        cwd=tmp_path / "work", capture_output=True, text=True, timeout=550,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines()


def test_the_watch_sees_connections_programs_and_writes(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from watched import watch; watch(sys.argv[2], sys.argv[3])\n"
        "import os, socket, subprocess, pathlib\n"
        "pathlib.Path(sys.argv[2], 'fine').write_text('x'); pathlib.Path('outside').write_text('x')\n"
        "os.mkdir('folder'); subprocess.run(['true'])\n"
        "with socket.socket() as s: s.settimeout(0.1); s.connect_ex(('127.0.0.1', 9))\n"
    )
    (tmp_path / "in").mkdir()
    arguments = [sys.executable, "-B", "-c", program, Path(__file__).parent, tmp_path / "in", tmp_path / "log"]
    subprocess.run(arguments, cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "log").read_text().splitlines() == [
        f"write {tmp_path / 'outside'}", f"os.mkdir {tmp_path / 'folder'}", "program true",
        "socket.connect (('127.0.0.1', 9),)",
    ]  # fmt: skip


def test_simulating_checking_tidying_and_forgetting_stay_in_their_folder(tmp_path: Path) -> None:
    work = tmp_path / "work"
    seen = watched(
        tmp_path,
        ["simulate", "--out", work / "c", "--people", 6, "--seconds", 2, "--fps", 5, "--stimuli", "fear"],
        ["cohort", "check", work / "c"],
        ["cohort", "tidy", work / "c", "--out", work / "t"],
        ["forget", "001", "--cohort", work / "t", "--yes"],
        ["cohort", "log", work / "t", "--verify"],
    )
    assert [line for line in seen if line != "program lscpu"] == []  # joblib counts processors
    assert len(list((work / "t").glob("sub-*"))) == 5


@pytest.mark.slow
def test_sharing_stays_in_its_folder(tmp_path: Path) -> None:
    import pyrage

    work, key = tmp_path / "work", str(pyrage.x25519.Identity.generate().to_public())
    seen = watched(
        tmp_path,
        ["simulate", "--out", work / "c", "--people", 33, "--seconds", 6, "--fps", 5, "--stimuli", "fear"],
        ["share", work / "c", "--out", work / "s", "--max-reidentification", 1],
        ["share", work / "c", "--out", work / "m", "--level", "motion", "--recipient", key, "--archive", "tar"],
        ["share", work / "c", "--out", work / "g", "--level", "group"],
        ["share", work / "c", "--out", work / "h", "--level", "group", "--earlier", work / "g"],
        ["share", work / "c", "--out", work / "e", "--level", "group", "--epsilon", 1],
    )
    programs = {"program lscpu"}  # joblib counts processors
    assert [line for line in seen if line not in programs] == []
    assert {p.name for p in (work / "m").iterdir()} == {"audit.json", "share.tar.age"}
    assert {p.name for p in (work / "c").iterdir() if "releases" in p.name} == {".releases.json"}


@pytest.mark.slow
def test_building_and_matching_stay_in_their_folder(tmp_path: Path) -> None:
    """But for two libraries: matplotlib keeps a list of the installed fonts in the user's cache, and the temporary
    folder holds what the PDF is set from, group pictures, until it is set.
    """
    work = tmp_path / "work"
    recording = work / "c/sub-001/sub-001_task-fear_face.safetensors"
    seen = watched(
        tmp_path,
        ["simulate", "--out", work / "c", "--people", 6, "--seconds", 4, "--fps", 5, "--stimuli", "fear"],
        ["build", work / "c", "--out", work / "a", "--permutations", 0, "--tests", 99],
        ["match", work / "a", recording, "--out", work / "match.json"],
    )
    fonts, temporary = tmp_path / "home", tmp_path / "temporary"
    assert not [line for line in seen if line.startswith("socket")]
    left = [line.split(" ", 1)[1] for line in seen if not line.startswith("program")]
    programs = {Path(line.split(" ", 1)[1]).name for line in seen if line.startswith("program")}
    assert programs <= {
        "lscpu",
        "fc-list",
        "ld",
        "ldconfig",
        "gcc",
        "cc",
    }  # processors, fonts, libraries
    elsewhere = [path for path in map(Path, left) if not {fonts, temporary} & {path, *path.parents}]
    assert elsewhere == []
    assert {p.name.split("-")[0] for p in fonts.rglob("*") if p.is_file()} <= {"fontlist"}
    assert not [p for p in temporary.rglob("*") if p.is_file()]
    assert (work / "match.json").is_file()
