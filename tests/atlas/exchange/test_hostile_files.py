"""Files of other tools that are damaged or mean harm: one sentence, and nothing of them has run."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from atlas.exchange.arrays import read_archive, read_npy
from atlas.exchange.formats import Source, find_sources, read
from reconstruction.errors import InputError


class Calling:
    """Pickled as a call."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch owned",)


def npy(header: str, content: bytes = b"") -> bytes:
    """A .npy file whose header says what it likes."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def zipped(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "in NumPy's format"),
        (b"PK\x03\x04", "in NumPy's format"),
        (pickle.dumps({"a": Calling()}), "is a Python pickle, which may run code"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}", pickle.dumps(Calling())), "is a Python pickle"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}", b"1234"), "but 4 bytes are there"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", b"1234"), "but 4 bytes are there"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9999999999999999999)}"), "but there are none"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", b"1234"), "expected numbers"),
        (npy("{'descr': '<U4', 'fortran_order': False, 'shape': (1,)}", b"1" * 16), "expected numbers"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", b"\x00\x00\xc0\x7f"), "NaN or infinite"),
        (npy("__import__('os').system('touch owned')"), "in NumPy's format"),
        (npy("(" * 3000), "in NumPy's format"),
    ],
    ids=range(12),
)
def test_npy(content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_npy(tmp_path / "a.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["a.npy"], "it has run"


def test_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    for content, said in (
        (b"hello", "expected an .npz file"),
        (pickle.dumps({"shape": 1}), "a.npz is a Python pickle"),
        (
            zipped(shape=npy("{'descr': '|O', 'fortran_order': False, 'shape': ()}", pickle.dumps(1))),
            "shape is a Python",
        ),
        (zipped(shape=npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,)}")), "as its header says"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read_archive(path, ("shape",))
    np.save(tmp_path / "b.npy", {"shape": np.zeros(3)}, allow_pickle=True)
    path.write_bytes((tmp_path / "b.npy").read_bytes())
    with pytest.raises(InputError, match=r"a.npz is a Python pickle"):
        read_archive(path, ("shape",))
    monkeypatch.setattr("atlas.exchange.arrays.LARGEST", 10_000)
    path.write_bytes(zipped(shape=bytes(10**6)))
    with pytest.raises(InputError, match="unpacks to more"):
        read_archive(path, ("shape",))


def test_mat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"shape": np.array(["words"]), "exp": np.zeros((1, 50))})
    with pytest.raises(InputError, match="expected numbers as shape of"):
        read_archive(path, ("shape", "exp"))
    scipy.io.savemat(path, {"shape": {"a": 1}})
    with pytest.raises(InputError, match=r"expected numbers as shape of .* it holds struct"):
        read_archive(path, ("shape",))
    scipy.io.savemat(path, {"shape": np.zeros((1, 10**4))}, do_compression=True)
    monkeypatch.setattr("atlas.exchange.arrays.LARGEST", 10_000)
    with pytest.raises(InputError, match="unpacks to more"):
        read_archive(path, ("shape",))


def test_a_dict_saved_with_pickle_is_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "codes.npy", {"shape": np.zeros((1, 100))}, allow_pickle=True)
    with pytest.raises(InputError, match=r"codes.npy is a Python pickle.*save the arrays one by one"):
        find_sources([tmp_path / "codes.npy"])
    (tmp_path / "codes.pkl").write_bytes(pickle.dumps({"shape": 1}))
    with pytest.raises(InputError, match=r"codes.pkl is a Python pickle"):
        read(*[Source(one.path, one.format, one.name) for one in find_sources([tmp_path / "codes.pkl"])], None, 25)


@pytest.mark.parametrize("name", ["vhap.npz", "deca.npz", "deca.mat", "face.parquet", "openface.csv"])
def test_cut_and_garbled_files_are_refused_or_read_but_never_worse(
    name: str, tmp_path: Path, sequence, flame_sequence, flame, template
) -> None:
    from atlas.exchange.formats import write

    kind = name.split(".")[0]
    if name == "deca.mat":
        rng = np.random.default_rng(0)
        sizes = {"shape": 100, "exp": 50, "pose": 6, "cam": 3}
        scipy.io.savemat(tmp_path / name, {k: 1 + rng.random((2, n)) for k, n in sizes.items()}, do_compression=True)
    elif kind in ("face", "openface"):
        kind = "parquet" if kind == "face" else kind
        if kind == "parquet":
            pytest.importorskip("pyarrow")
        write(sequence, kind, tmp_path / name.split(".")[0], template)
    else:
        write(flame_sequence, kind, tmp_path / kind, flame)
    whole = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(1)
    path = tmp_path / f"x{Path(name).suffix}"
    refused = 0
    for i in range(30):
        content = bytearray(whole)
        if i % 3 == 0:
            del content[int(rng.integers(len(content))) :]
        else:
            for place in rng.integers(0, len(content), 1 + i // 2):
                content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            made, _ = read(Source(path, kind, "x"), template if kind == "openface" else None, 25)
            assert np.isfinite(made.expression).all()
        except InputError:
            refused += 1
    assert refused >= 10
