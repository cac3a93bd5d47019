"""Archives: the same bytes for the same files, and nothing readable for others than their recipients."""

import os
import tarfile
import zipfile
from pathlib import Path

import pyrage
import pytest

from atlas.sharing.archive import read_recipients, write_archive
from reconstruction.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name, content in (("b/two.tsv", "2\n" * 500), ("one.json", "{}"), ("a.md", "secret words")):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "files"


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_same_bytes_whatever_the_clock_and_the_user_say(folder, tmp_path, suffix):
    first = write_archive(folder, tmp_path / f"1.{suffix}").read_bytes()
    for path in folder.rglob("*"):
        os.utime(path, (10**9, 10**9))
        path.chmod(0o700)
    second = write_archive(folder, tmp_path / f"2.{suffix}")
    assert second.read_bytes() == first
    if suffix == "tar":
        with tarfile.open(second) as archive:
            members = archive.getmembers()
            assert {(m.mtime, m.uid, m.uname, m.gname) for m in members} == {(0, 0, "", "")}
            names = [m.name for m in members]
    else:
        with zipfile.ZipFile(second) as archive:
            assert {i.date_time for i in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            names = archive.namelist()
            assert archive.read("a.md") == b"secret words"
    assert names == ["a.md", "b/two.tsv", "one.json"]


def test_recipients_alone_can_read(folder, tmp_path):
    mine, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    made = write_archive(folder, tmp_path / "share.zip", read_recipients([str(mine.to_public())]))
    assert made.name == "share.zip.age"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["files", "share.zip.age"]
    sealed = made.read_bytes()
    assert b"secret words" not in sealed
    plain = tmp_path / "plain.zip"
    plain.write_bytes(pyrage.decrypt(sealed, [mine]))
    assert plain.read_bytes() == write_archive(folder, tmp_path / "again.zip").read_bytes()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [other])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("age1nonsense", "expected a public key of age"),
        ("ssh-rsa nonsense", "or SSH"),
        (str(pyrage.x25519.Identity.generate()), "got a secret one"),
    ],
    ids=["nonsense", "ssh", "secret"],
)
def test_keys_that_are_none(key, message):
    with pytest.raises(InputError, match=message) as refused:
        read_recipients([key])
    assert len(key) < 20 or key[14:] not in str(refused.value)


def test_nothing_is_left_where_packing_fails(folder, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("atlas.sharing.archive._pack", fail)
    with pytest.raises(OSError, match="disk full"):
        write_archive(folder, tmp_path / "share.zip")
    assert [p.name for p in Path(tmp_path).iterdir()] == ["files"]
