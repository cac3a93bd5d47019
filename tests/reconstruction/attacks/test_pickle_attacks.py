"""Pickles that try to do something: each is refused in one sentence that names what it tried, and nothing has happened.

Every attack, were it run, would leave a file ``owned`` in the working folder.
"""

import copyreg
import io
import operator
import os
import pickle
import struct
import subprocess

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.importers import read_head
from reconstruction.importers.unpickle import as_array, read_pickle

TOUCH = "touch owned"


class Calling:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """``refused(content)``: the sentence with which a file of that content is refused."""
    monkeypatch.chdir(tmp_path)

    def refuse(content: bytes) -> str:
        path = tmp_path / "model.pkl"
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            read_pickle(path)
        assert [p.name for p in tmp_path.iterdir()] == ["model.pkl"], "it has run"
        message = str(error.value)
        assert "\n" not in message
        return message

    return refuse


def text(value: str) -> bytes:
    """SHORT_BINUNICODE"""
    return b"\x8c" + bytes([len(value)]) + value.encode()


def calling(module: str, name: str, argument: str = TOUCH) -> bytes:
    """Protocol 0 by hand: GLOBAL, a tuple, REDUCE."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (Calling(os.system, TOUCH), "posix.system"),
        (Calling(eval, "open('owned', 'w')"), "eval"),
        (Calling(exec, "open('owned', 'w')"), "exec"),
        (Calling(open, "owned", "w"), "io.open"),
        (Calling(getattr, "owned", "encode"), "getattr"),
        (Calling(np.load, "owned.npy"), "numpy.load"),
        (Calling(np.save, "owned", 1), "numpy.save"),
        (Calling(subprocess.Popen, ("touch", "owned")), ".Popen"),
        (Calling(operator.methodcaller, "system", TOUCH), "operator.methodcaller"),
        (Calling(pickle.loads, b"cos\nsystem\n."), "pickle.loads"),
    ],
)
def test_calls_are_refused_by_name(refused, attack, named, protocol):
    assert named in refused(pickle.dumps({"v_template": attack}, protocol))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("numpy", "load"),
        ("numpy", "ndarray.tofile"),  # dots are walked by unpicklers of protocol 4
        ("numpy", "fromfile"),
        ("numpy.core.multiarray", "fromfile"),  # the module is known, the name is not
        ("numpy.testing._private.utils", "runstring"),
        ("numpy.f2py.diagnose", "run_command"),
        ("chumpy.ch", "eval"),
        ("chumpy", "Ch"),
        ("scipy.sparse", "csc_matrix"),
        ("copyreg", "add_extension"),
        ("_codecs", "lookup"),
    ],
)
def test_the_list_is_of_whole_names(refused, module, name):
    assert f"{module}.{name}," in refused(calling(module, name))
    stack_global = b"\x80\x04" + text(module) + text(name) + b"\x93" + text(TOUCH) + b"\x85R."
    assert f"{module}.{name}," in refused(stack_global)


def test_old_ways_to_make_an_instance(refused):
    assert "os.system" in refused(f"(S'{TOUCH}'\nios\nsystem\n.".encode())  # INST
    assert "os.system" in refused(b"(cos\nsystem\nU" + bytes([len(TOUCH)]) + TOUCH.encode() + b"o.")  # OBJ


def test_objects_outside_the_file(refused):
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ["deep", ("down", TOUCH)] if isinstance(obj, Calling) else None

    for protocol in (1, 2, 4):
        stream = io.BytesIO()
        Pickler(stream, protocol).dump({"a": [{"b": (1, Calling(os.system, TOUCH))}]})
        assert "an object outside the file" in refused(stream.getvalue())
    assert "an object outside the file" in refused(b"Pdeep\n.")


def test_registered_extensions_even_when_resolved_before(refused):
    copyreg.add_extension("os", "system", 240)
    try:
        assert pickle.loads(b"\x80\x02\x82\xf0.") is os.system, "now it is cached, and no unpickler would ask"
        for extension in (b"\x82\xf0", b"\x83\xf0\0", b"\x84\xf0\0\0\0"):
            argument = b"U" + bytes([len(TOUCH)]) + TOUCH.encode()
            assert "the registered extension 240" in refused(b"\x80\x02" + extension + argument + b"\x85R.")
    finally:
        copyreg.remove_extension("os", "system", 240)
        copyreg._extension_cache.clear()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",  # BINBYTES8
        b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",  # BYTEARRAY8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**63) + b"x.",  # BINUNICODE8
        b"T" + struct.pack("<i", 2**31 - 1) + b"x.",  # BINSTRING
        b"T" + struct.pack("<i", -1) + b"x.",
        b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",  # LONG4
        b"\x80\x04\x95" + struct.pack("<Q", 2**61) + b"N.",  # FRAME
        b"Nr" + struct.pack("<I", 2**32 - 1) + b".",  # LONG_BINPUT: memory for four billion memos
        b"Np4294967295\n.",
    ],
)
def test_sizes_that_are_not_there(refused, content):
    refused(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"this is text", b"\x80\x09N.", b"(" * 100_000, b"}", b"0.", b"\xff\xfe", b"N.", b"]q\0h\0a.", b"I1\n."],
)
def test_what_is_no_dict_of_arrays(refused, content):
    refused(content)


def test_states_for_what_has_none(refused):
    state = b"}U\x0c__setstate__U\x01xs"
    for target in (b"cnumpy\nndarray\n", b"c_codecs\nencode\n", b"cchumpy.ch\nCh\n"):
        refused(target + state + b"b.")  # a class is given a state
        refused(target + b"N" + state + b"\x86b.")  # and one for its slots: (None, {...})


def test_an_array_that_holds_objects(refused, tmp_path):
    for protocol in range(6):
        hidden = np.array([Calling(os.system, TOUCH)], object)
        assert "posix.system" in refused(pickle.dumps({"f": hidden}, protocol))
        plain = tmp_path / "plain.pkl"
        plain.write_bytes(pickle.dumps({"f": np.array([1, "a"], object)}, protocol))
        with pytest.raises(InputError, match="expected numbers as 'f'"):
            as_array(read_pickle(plain)["f"], "f")
        plain.unlink()


def lying_array(shape: bytes, dtype: bytes = b"f8", content: bytes = b"\0" * 8) -> bytes:
    """{'f': an array whose shape, type or content is not what it says}, protocol 2 as Python 2 writes it."""
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
    state = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
    kind = b"cnumpy\ndtype\nU" + bytes([len(dtype)]) + dtype + b"K\0K\x01\x87R" + state
    return b"\x80\x02}U\x01f" + made + b"(K\x01" + shape + kind + b"\x89U" + bytes([len(content)]) + content + b"tbs."


@pytest.mark.parametrize(
    "content",
    [
        lying_array(b"\x8a\x06\0\0\0\0\0\x01\x85"),  # 2**40 entries in 8 bytes
        lying_array(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\0\x85"),
        lying_array(b"J\xff\xff\xff\xff\x85"),  # -1 entries
        lying_array(b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86"),
        lying_array(b"K\x01\x85", b"O8"),
        lying_array(b"K\x01\x85", b"V8"),
        lying_array(b"K\x01\x85", b"f8" * 50),
        lying_array(b"K\x01\x85", b"M8"),
        lying_array(b"N"),
        lying_array(b"K\x01\x85", content=b"\0" * 7),
        lying_array(b"K\x01\x85", content=struct.pack("<d", float("nan"))),
    ],
)
def test_arrays_that_lie_about_their_size_or_type(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    found = read_pickle(path)["f"]
    with pytest.raises(InputError, match="as 'f'"):
        as_array(found, "f")


def test_the_honest_array_is_read(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(lying_array(b"K\x01\x85", content=struct.pack("<d", 2.5)))
    np.testing.assert_array_equal(as_array(read_pickle(path)["f"], "f"), [2.5])


def test_sparse_matrices_and_selections_that_point_outside(tmp_path, python2_pickle, chumpy):
    matrix = chumpy.csc_matrix(np.ones(2), np.array([0, 10**6]), np.array([0, 1, 2]), (2, 2))
    choice = chumpy.Select(a=np.ones(3), idxs=np.array([5]), preferred_shape=(1,))
    vast = chumpy.csc_matrix(np.ones(1), np.zeros(1, int), np.zeros(3, int), (2**40, 2))
    for value in (matrix, choice, vast):
        path = tmp_path / "model.pkl"
        path.write_bytes(python2_pickle({"f": value}))
        with pytest.raises(InputError, match="expected numbers as 'f'"):
            as_array(read_pickle(path)["f"], "f")


def test_objects_in_an_npz_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("model.npz", neutral=np.array([Calling(os.system, TOUCH)], object))
    with pytest.raises(InputError, match="missing"):
        read_head(tmp_path / "model.npz")
    names = ("polygons", "uv", "uv_polygons", "identity", "expression", "expression_names", "landmarks68")
    arrays = {name: np.zeros(1) for name in names}
    np.savez("model.npz", neutral=np.array([Calling(os.system, TOUCH)], object), **arrays)
    with pytest.raises(InputError, match="expected plain arrays"):
        read_head(tmp_path / "model.npz")
    assert not (tmp_path / "owned").exists()
