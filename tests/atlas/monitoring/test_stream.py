"""Streams of matches: what is read, what is refused, what is remembered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atlas.monitoring import Entry, Stream, add_files, load_stream, save_stream
from reconstruction.errors import InputError

ATLAS, GROUPS = "ab" * 32, ("BD", "HC", "MDD")


def row(person: str | None, **changed: Any) -> dict[str, Any]:
    return {
        **({"person": person} if person else {}),
        "input": "x",
        "similarities": {"BD": 0.1, "HC": 0.3, "MDD": -0.2},
        "probabilities": {"BD": 0.3, "HC": 0.5, "MDD": 0.2},
        "prediction_set": ["HC"],
        "decision": "HC",
        "stimuli": ["anger"],
        "simulated": True,
        "inputs": {"features": {"AU12": 0.4}, "novelty": 1.0, "used": 0.9, "frame_rate": 25.0, "embedding": [0.6, 0.8]},
        **changed,
    }


def written(path: Path, matches: list[Any], people: list[Any], **changed: Any) -> Path:
    path.write_text(json.dumps({"atlas": ATLAS, "matches": matches, "people": people, **changed}))
    return path


def test_a_person_counts_once_by_all_recordings_together(tmp_path: Path) -> None:
    together = row("sub-1", stimuli=["anger", "joy"])
    path = written(tmp_path / "a.json", [row("sub-1"), row("sub-1"), row("sub-2"), row(None)], [together])
    stream, again = add_files(Stream(ATLAS, {}), [path], GROUPS)
    assert again == 0
    assert [(e.person, e.stimuli) for e in stream.matched] == [
        ("sub-2", ("anger",)), (None, ("anger",)), ("sub-1", ("anger", "joy"))
    ]  # fmt: skip
    assert stream.matched[0].similarity == 0.3


def test_the_latest_match_of_a_person_counts_and_files_count_once(tmp_path: Path) -> None:
    first = written(tmp_path / "a.json", [row("sub-1"), row("sub-2")], [])
    second = written(tmp_path / "b.json", [row("sub-1", decision="inconclusive", prediction_set=[])], [])
    stream, _ = add_files(Stream(ATLAS, {}), [first, second], GROUPS)
    assert [(e.person, e.inconclusive) for e in stream.people] == [("sub-2", False), ("sub-1", True)]
    save_stream(stream, tmp_path / "out" / "stream.json")
    first.unlink()  # what was read is remembered
    read = load_stream(tmp_path / "out" / "stream.json", ATLAS)
    assert read == stream
    more, again = add_files(read, [second], GROUPS)
    assert (again, more) == (1, stream)


def test_an_empty_folder_is_an_empty_stream(tmp_path: Path) -> None:
    assert load_stream(tmp_path / "stream.json", ATLAS) == Stream(ATLAS, {})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "expected JSON as `face-atlas match --out` writes it, but .* is none"),
        (b"[" * 100_000, "expected JSON as"),
        (b"[]", "has no list of matches"),
        (b'{"matches": 3}', "has no list of matches"),
        (b'{"matches": []}', "was written by an earlier version; match them anew"),
        (b'{"atlas": "cd", "matches": []}', "against the atlas abababababab, but .* was made with cd; monitor every"),
        (json.dumps({"atlas": ATLAS, "matches": [row("s", inputs={})]}).encode(), "'features' is missing or wrong"),
        (json.dumps({"atlas": ATLAS, "matches": [row("s", similarities={"BD": 1})]}).encode(), "'HC' is missing"),
        (json.dumps({"atlas": ATLAS, "matches": [row("s", inputs=row("s")["inputs"] | {"novelty": float("nan")})]})
         .encode(), "the number nan is missing or wrong"),
        (json.dumps({"atlas": ATLAS, "matches": ["x"]}).encode(), "is missing or wrong"),
    ],
)  # fmt: skip
def test_what_is_no_match_is_refused_in_one_sentence(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        add_files(Stream(ATLAS, {}), [path], GROUPS)


def test_missing_files_and_other_streams_are_refused(tmp_path: Path, make: Callable[..., list[Entry]]) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file or directory\); check the path"):
        add_files(Stream(ATLAS, {}), [tmp_path / "no.json"], GROUPS)
    path = tmp_path / "stream.json"
    save_stream(Stream("cd" * 32, {"x": tuple(make(2))}), path)
    with pytest.raises(InputError, match="but it is of cdcdcdcdcdcd; name another folder"):
        load_stream(path, ATLAS)
    document = json.loads(path.read_text())
    document["files"][0]["entries"][0]["more"] = 1
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="an entry is wrong; remove it"):
        load_stream(path, "cd" * 32)
