"""Cohorts to share: simulated people on two days, with everything about them that must not leave."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from atlas.cohort import load_cohort
from atlas.simulation import simulate
from reconstruction.sequence import load, save

PLANTED = {"MDD": {"AU12": -1.0}}
SECRETS = (
    "sub-0", "ses-20240517", "20240517", "2024-05-17", "/home/", "kmeier", "ward7-pc", "Dr. Miller", "clip_0815",
    "planted", "41.25", "site-Nordhaus",
)  # fmt: skip


@pytest.fixture(scope="session")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """22 simulated people of MDD and HC, two sessions, one stimulus; not to be changed.

    Files and table hold what people write into theirs: dates, names of machines, users and sites, notes.
    """
    folder = tmp_path_factory.mktemp("two-days") / "cohort"
    simulate(folder, 22, 2, PLANTED, False, 3, fps=8, stimuli=["happiness"], sessions=2)
    for path in sorted(folder.rglob("*_face.safetensors")):
        told = {"file": "/home/kmeier/clip_0815.mp4", "host": "ward7-pc", "date": "2024-05-17", "note": "planted"}
        sequence = load(path)
        provenance = {**sequence.provenance, **told}
        save(replace(sequence, time_s=sequence.time_s + 41.25, provenance=provenance), path)
    for day in sorted(folder.glob("sub-*/ses-1")):
        target = day.with_name("ses-20240517")
        day.rename(target)
        for path in sorted(target.iterdir()):
            path.rename(path.with_name(path.name.replace("ses-1", "ses-20240517")))
    for number, person in enumerate(sorted(folder.glob("sub-*"))):
        dates = f"ses-20240517\t2024-05-17T10:11:12\nses-2\t2024-05-0{2 + number % 2}T09:00:00\n"
        (person / f"{person.name}_sessions.tsv").write_text(f"session_id\tacq_time\n{dates}")
    table = folder / "participants.tsv"
    first, *rows = table.read_text().splitlines()
    groups = [row.split("\t")[1] for row in rows]
    first_of = {groups.index(group) for group in groups}  # the first of each group says no
    told = [
        f"{row}\t{'no' if i in first_of else 'yes'}\tsite-Nordhaus\tDr. Miller, 2024-05-17"
        for i, row in enumerate(rows)
    ]
    table.write_text("\n".join([f"{first}\tconsent_share\tsite\tnotes", *told]) + "\n")
    return folder


@pytest.fixture(scope="session")
def secrets() -> tuple[str, ...]:
    """What must not leave."""
    return SECRETS


@pytest.fixture
def cohort_of_two_days(two_days: Path, tmp_path: Path) -> Path:
    """The same to be changed."""
    return Path(shutil.copytree(two_days, tmp_path / "cohort"))


@pytest.fixture(scope="session")
def unpacked() -> Callable[[Path], dict[str, bytes]]:
    """``unpacked(archive)``: {name: content} of a .zip."""

    def read(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}

    return read


@pytest.fixture(scope="session")
def audit_of() -> Callable[[Path], dict]:
    return lambda folder: json.loads((folder / "audit.json").read_text())


@pytest.fixture(scope="session")
def people_of_two_days(two_days: Path):
    return load_cohort(two_days, least=0)
