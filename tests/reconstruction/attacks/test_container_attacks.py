"""Files of our own kind that lie, contradict themselves or are too much: each is refused in one sentence."""

import json
import re
import struct

import numpy as np
import pytest

from reconstruction.errors import InputError, InputWarning
from reconstruction.sequence import load, save
from reconstruction.storage import LARGEST_HEADER, parse_json, read_arrays


def container(tensors: str, data: bytes, ours: str = '{"kind": "thing", "version": 1}') -> bytes:
    """A safetensors file by hand; `tensors` is the inside of its JSON object, after the metadata."""
    header = f'{{"__metadata__": {{"face_atlas": {json.dumps(ours)}}}{tensors}}}'.encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(name: str = "a", dtype: str = "F32", shape: str = "[2]", offsets: str = "[0, 8]") -> str:
    return f', "{name}": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}'


def elements(table: str) -> str:
    return f'{{"kind": "thing", "version": 1, "elements": {table}}}'


TWO = np.float32([1, 2]).tobytes()


@pytest.fixture
def refused(tmp_path):
    """``refused(content)``: the sentence with which a file of that content is refused."""

    def refuse(content: bytes) -> str:
        path = tmp_path / "x"
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            read_arrays(path, "thing", 1)
        message = str(error.value)
        assert "\n" not in message
        assert len(message) < 500 + len(str(path))
        return message

    return refuse


def test_the_one_by_hand_is_read(tmp_path):
    (tmp_path / "x").write_bytes(container(tensor(), TWO))
    np.testing.assert_array_equal(read_arrays(tmp_path / "x", "thing", 1)[0]["a"], [1, 2])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x01\x00\x00", "longer than the file"),
        (struct.pack("<Q", 2**63) + b"{}", "longer than the file, which has 10 bytes"),
        (struct.pack("<Q", 2) + b"\xff\xfe", "can't decode"),
        (struct.pack("<Q", 2) + b"[]", "none of ours"),
        (struct.pack("<Q", 21) + b'{"__metadata__":null}', "none of ours"),
        (struct.pack("<Q", 18) + b'{"__metadata__":1}', "readable"),
        (container(tensor(offsets="[-8, 0]"), TWO), "readable"),
        (container(tensor(offsets="[0, 16]"), TWO), "readable"),
        (container(tensor(offsets="[4, 12]"), TWO), "readable"),
        (container(tensor(offsets="[8, 0]"), TWO), "readable"),
        (container(tensor(shape="[-2]"), TWO), "readable"),
        (container(tensor(shape="[4611686018427387904, 4]"), TWO), "readable"),
        (container(tensor(dtype="F33"), TWO), "readable"),
        (container(tensor(dtype="O"), TWO), "readable"),
        (container(tensor() + tensor("b"), TWO), "readable"),
        (container(tensor() + tensor("b", offsets="[4, 12]"), TWO + TWO[:4]), "readable"),
        (container(tensor() + tensor(), TWO), "the name a is there twice"),
        (container(tensor(), TWO + b"more"), "readable"),
        (container(tensor(), np.float32([1, np.nan]).tobytes()), "a in .* holds NaN"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 1, "version": 1}'), "the name version is there twice"),
        (container(tensor(), TWO, '{"kind": "thing", "version": NaN}'), "NaN is no number"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 1, "x": 1e999}'), "1e999 is no number"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 1, "x": ' + "9" * 5000 + "}"), "readable"),
        (container(tensor(), TWO, '{"kind": "thing", "version": true}'), "has version True"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 0}'), "has version 0"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 1.0}'), "has version 1.0"),
        (container(tensor(), TWO, '{"kind": ["thing"], "version": 1}'), "says it is"),
        (container(tensor(), TWO, "[" * 100_000 + "]" * 100_000), "deeper than 64"),
        (container(tensor(), TWO, '{"kind": "thing", "version": 1, "x": ' + "[" * 70 + "]" * 70 + "}"), "deeper"),
        (container(tensor(), TWO, elements("[]")), "a table of elements"),
        (container(tensor(), TWO, elements('{"a": 3}')), "the encoding and the version"),
        (
            container(tensor(), TWO, elements('{"a": {"encoding": "array/int8", "version": 1}}')),
            "to be array/int8, as its header says, but it is float32",
        ),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value[:24],
)  # fmt: skip
def test_lies_are_refused(refused, content, said):
    assert re.search(said, refused(content))


def test_a_header_larger_than_any_is_not_read(refused, tmp_path, monkeypatch):
    monkeypatch.setattr("reconstruction.storage.LARGEST_HEADER", 100)
    assert "larger than 0 MiB" in refused(container(tensor(), TWO))
    assert LARGEST_HEADER < 2**31


def test_many_equal_names_do_not_hang():
    text = "{" + ",".join(f'"{i}":0' for i in range(100_000)) + ',"99999":1}'
    with pytest.raises(ValueError, match="99999 is there twice"):
        parse_json(text)


@pytest.fixture
def changed(sequence, tmp_path):
    """``changed(header={...}, arrays={...})``: a face sequence's file with these put in, None taking one out."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    def change(header=(), arrays=()):
        path = save(sequence, tmp_path / "a.face.safetensors")
        with safe_open(path, framework="numpy") as file:
            ours = json.loads(file.metadata()["face_atlas"])
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for whole, parts in ((ours, dict(header)), (held, dict(arrays))):
            for name, value in parts.items():
                ours["elements"].pop(name, None)
                whole.pop(name, None) if value is None else whole.update({name: value})
        save_file({n: np.ascontiguousarray(a) for n, a in held.items()}, path, {"face_atlas": json.dumps(ours)})
        return path

    return change


@pytest.mark.parametrize(
    ("header", "arrays", "said"),
    [
        ({"expression_names": 44}, {}, "expected different names as 'expression_names'"),
        ({"expression_names": ["a"] * 44}, {}, "expected different names as 'expression_names'"),
        ({"joint_names": ["x"]}, {}, "'pose' of shape"),
        ({"frame_rate": 0}, {}, "frames per second above 0"),
        ({"frame_rate": True}, {}, "frames per second above 0"),
        ({"frame_rate": "25"}, {}, "frames per second above 0"),
        ({"image_size": [0, 4]}, {}, "a width and a height"),
        ({"image_size": [4.5, 4]}, {}, "a width and a height"),
        ({"simulated": "no"}, {}, "true or false"),
        ({"simulated": None}, {}, "expected 'simulated' in the header"),
        ({"provenance": []}, {}, "an object"),
        ({"template": ""}, {}, "a template's name"),
        ({}, {"valid": np.full(6, 2, np.uint8)}, "expected 0 or 1 as 'valid'"),
        ({}, {"reason": np.full(6, 200, np.uint8)}, "'reason' to name one of 'reason_names'"),
        ({}, {"quality": np.full(6, -1, np.float32)}, "a 'quality' of 0 to 1"),
        ({}, {"time_s": np.arange(6)[::-1] / 10}, "'time_s' that does not fall"),
        ({}, {"time_s": np.array(3.0)}, "of shape"),
        ({}, {"shape": np.full(50, 1e200)}, "some are too large"),
        ({}, {"shape": np.zeros(50, np.int32)}, "'shape' in .* as float32, but it is int32"),
        ({}, {"pose": None}, "expected an array 'pose'"),
        ({}, {"expression": np.zeros((6, 43), np.float32)}, "'expression' of shape"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value[:20],
)
def test_a_sequence_that_is_none_is_refused(changed, header, arrays, said):
    with pytest.raises(InputError, match=said) as error:
        load(changed(header, arrays))
    assert "\n" not in str(error.value)


def test_what_may_be_absent_has_its_stated_default(changed, sequence):
    absent = dict.fromkeys(("shape_sd", "expression_sd", "quality", "reason"))
    back = load(changed({"reason_names": None, "provenance": None}, absent))
    assert (back.shape_sd == 1).all()
    assert (back.expression_sd == 1).all()
    np.testing.assert_array_equal(back.quality, sequence.valid)
    assert [back.reason_names[i] for i in back.reason] == ["ok", "ok", "ok", "unknown", "ok", "ok"]
    assert back.provenance == {}


def test_more_than_is_known_is_read_with_a_note(changed, sequence):
    path = changed({"weather": "fine"}, {"teeth": np.zeros(3, np.float32), "shape": sequence.shape.astype(np.float64)})
    with pytest.warns(InputWarning, match=r"teeth, weather in a.face.safetensors is nothing that a face sequence has"):
        back = load(path)
    np.testing.assert_array_equal(back.shape, sequence.shape)
    assert back.shape.dtype == np.float32


def test_cut_and_garbled_files_are_refused_or_read_but_never_worse(sequence, tmp_path):
    whole = save(sequence, tmp_path / "a.face.safetensors").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "b.face.safetensors"
    refused = 0
    for i in range(150):
        content = bytearray(whole)
        if i % 3 == 0:
            del content[int(rng.integers(len(content))) :]
        else:
            for place in rng.integers(0, len(content) if i % 3 == 1 else 3000, 4):
                content[place] = rng.integers(256)
        path.write_bytes(content)
        try:
            load(path)
        except InputError:
            refused += 1
    assert refused > 75
