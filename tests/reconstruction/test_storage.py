"""The container: the same content gives the same bytes, and what is damaged says so."""

import json

import numpy as np
import pytest
from safetensors import safe_open

from reconstruction.errors import InputError, InputWarning
from reconstruction.storage import read_arrays, take, write_arrays, write_atomically

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1, 2], np.uint8)}


def test_arrays_and_header_come_back(tmp_path):
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {"name": "é"})
    arrays, header = read_arrays(tmp_path / "x", "thing", 1)
    assert header == {"kind": "thing", "version": 1, "name": "é"}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_same_content_gives_same_bytes(tmp_path):
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {"p": 1, "q": [2]})
    write_arrays(tmp_path / "y", "thing", 1, dict(reversed(ARRAYS.items())), {"q": [2], "p": 1})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no readable safetensors file"), (b"hello, this is text", "no readable safetensors file")],
)
def test_damaged_files_are_named(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_arrays(tmp_path / "x", "thing", 1)


def test_truncated_file_is_refused(tmp_path):
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-3])
    with pytest.raises(InputError, match="write it anew"):
        read_arrays(tmp_path / "x", "thing", 1)


def test_missing_other_kind_newer_and_not_finite(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_arrays(tmp_path / "none", "thing", 1)
    write_arrays(tmp_path / "x", "thing", 2, ARRAYS, {})
    with pytest.raises(InputError, match="says it is thing"):
        read_arrays(tmp_path / "x", "other", 2)
    with pytest.raises(InputError, match="has version 2; update"):
        read_arrays(tmp_path / "x", "thing", 1)


def test_what_a_reader_would_refuse_is_not_written(tmp_path):
    with pytest.raises(InputError, match="a holds NaN or infinity; nothing was written"):
        write_arrays(tmp_path / "x", "thing", 1, {"a": np.array([np.nan])}, {})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {"rate": np.nan})
    assert not list(tmp_path.iterdir())


def test_every_element_says_its_encoding(tmp_path):
    header = {"name": "é", "count": 3, "share": 0.5, "yes": True, "list": [1], "table": {}, "none": None}
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, header, {"a": {"unit": "metres"}})
    with safe_open(tmp_path / "x", framework="numpy") as file:
        table = json.loads(file.metadata()["face_atlas"])["elements"]
    assert table["a"] == {"encoding": "array/float32", "version": 1, "unit": "metres"}
    assert table["b"]["encoding"] == "array/uint8"
    kinds = ("string", "integer", "number", "boolean", "array", "object", "null")
    assert [table[name]["encoding"] for name in header] == [f"json/{kind}" for kind in kinds]
    assert set(table) == {*ARRAYS, *header}


def test_what_a_later_version_adds_is_left_out_with_a_note(tmp_path):
    about = {"a": {"version": 2}}
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {"p": 1}, about)
    with pytest.warns(InputWarning, match=r"a in x is array/float32, version 2: newer than this software; it was left"):
        arrays, header = read_arrays(tmp_path / "x", "thing", 1)
    assert (set(arrays), header) == ({"b"}, {"kind": "thing", "version": 1, "p": 1})
    write_arrays(tmp_path / "y", "thing", 1, ARRAYS, {"p": 1}, {"b": {"encoding": "sparse/csr"}})
    with pytest.warns(InputWarning, match="b in y is sparse/csr"):
        assert set(read_arrays(tmp_path / "y", "thing", 1)[0]) == {"a"}


def test_files_with_the_same_header_are_still_checked_each_for_itself(tmp_path):
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {"list": [{"a": 1}]})
    arrays, header = read_arrays(tmp_path / "x", "thing", 1)
    arrays["a"][:] = 7
    header["list"][0]["a"] = 2
    arrays, header = read_arrays(tmp_path / "x", "thing", 1)
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert header["list"] == [{"a": 1}]
    content = (tmp_path / "x").read_bytes()
    start = content.index(ARRAYS["a"].tobytes())
    (tmp_path / "y").write_bytes(content[:start] + np.float32(np.nan).tobytes() + content[start + 4 :])
    with pytest.raises(InputError, match=r"a in .*y holds NaN"):
        read_arrays(tmp_path / "y", "thing", 1)
    for other in (content[:-1], content + b"0"):
        (tmp_path / "y").write_bytes(other)
        with pytest.raises(InputError, match="no readable safetensors file"):
            read_arrays(tmp_path / "y", "thing", 1)


def test_arrays_at_odd_places_are_read(tmp_path):
    write_arrays(tmp_path / "x", "thing", 1, ARRAYS, {})
    content = (tmp_path / "x").read_bytes()
    length = int.from_bytes(content[:8], "little")
    (tmp_path / "y").write_bytes(
        (length + 1).to_bytes(8, "little") + content[8 : 8 + length] + b" " + content[8 + length :]
    )
    arrays, _ = read_arrays(tmp_path / "y", "thing", 1)
    assert all(array.flags.aligned and array.flags.writeable for array in arrays.values())
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])


def test_take_names_what_is_wrong():
    assert take(ARRAYS, "a", (None, 3), "f") is ARRAYS["a"]
    with pytest.raises(InputError, match="'c' in f, but it is missing"):
        take(ARRAYS, "c", (1,), "f")
    with pytest.raises(InputError, match=r"shape \('any', 4\) in f, but it has \(2, 3\)"):
        take(ARRAYS, "a", (None, 4), "f")


def test_interrupted_write_leaves_the_old_file(tmp_path):
    write_atomically(tmp_path / "x", b"old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "x", "not bytes")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
