"""Monitoring as a whole: the result, its files, the command."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from atlas.atlas import Atlas
from atlas.atlas_file import atlas_digest, save_atlas
from atlas.cli.match import match
from atlas.cli.monitor import monitor as command
from atlas.monitoring import Entry, Stream, monitor, read_known, read_outcomes, write_monitoring, write_page
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence, save

ATLAS = "ab" * 32
Make = Callable[..., list[Entry]]


def stream(entries: list[Entry]) -> Stream:
    return Stream(ATLAS, {"first": tuple(entries)})


def test_everything_is_told_and_nobody_named(followed: Any, make: Make, tmp_path: Path) -> None:
    entries = make(60, shift=1.5)
    outcomes = {str(e.person): max(e.probabilities, key=e.probabilities.__getitem__) for e in entries}
    known = {"sex": {str(e.person): "FM"[i % 2] for i, e in enumerate(entries)}}
    found = monitor(followed, stream(entries), outcomes=outcomes, known=known, draws=50)
    names = [a.name for a in found.alarms]
    assert names == ["features", "frame rate", "novelty", "embeddings", "calibration", "coverage", "subgroups"]
    assert all(a.false_alarms and a.power and not a.silent for a in found.alarms)
    write_monitoring(tmp_path, found)
    page = write_page(tmp_path, found).read_text("utf-8")
    document = json.loads((tmp_path / "monitor.json").read_text())
    assert "features" in document["alarms_on"]
    assert document["statement"] == STATEMENT
    assert document["simulated"] is True
    assert document["people_with_outcome"] == 60
    assert len(document["input_drift"]["novelty_cusum"]["up"]) == 60
    for alarm in document["alarms"]:
        assert {"share", "low", "high", "draws"} == set(alarm["false_alarms"])
        assert alarm["name"] in page
    assert STATEMENT.capitalize() in page
    assert "Simulated." in page
    for text in (page, (tmp_path / "monitor.json").read_text()):
        assert not re.search(r"sub-\d", text)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    again = monitor(followed, stream(entries), outcomes=outcomes, known=known, draws=50)
    assert again.as_json() == found.as_json()


def test_what_is_not_known_is_said(followed: Any, make: Make, tmp_path: Path) -> None:
    found = monitor(followed, stream(make(5)), draws=50)
    silent = {a.name: a.silent for a in found.alarms}
    assert all(silent.values())
    assert silent["calibration"] == "no outcomes were given (--outcomes)"
    assert found.fired == ()
    page = write_page(tmp_path, found).read_text("utf-8")
    assert "Too few to tell." in page
    assert "No alarm." not in page
    assert "not asked" in page
    with pytest.raises(InputError, match="at least one match to monitor"):
        monitor(followed, Stream(ATLAS, {}))
    followed.inputs, kept = (), followed.inputs
    try:
        with pytest.raises(InputError, match="an atlas that knows what its people put into a match"):
            monitor(followed, stream(make(5)))
    finally:
        followed.inputs = kept


def test_tables_of_outcomes_and_people(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("participant_id\tgroup\nsub-1\tMDD\n2\tn/a\nsub-3\tHC\n")
    assert read_outcomes(table) == {"sub-1": "MDD", "sub-3": "HC"}
    table.write_text("participant_id\tage\tsex\tsite\nsub-1\t44\tfemale\tnorth\nsub-2\told\tn/a\tn/a\n")
    known, warnings = read_known(table)
    assert known == {"sex": {"sub-1": "F"}, "age": {"sub-1": "30 to 44"}, "site": {"sub-1": "north"}}
    assert warnings == ["sub-2 has the age 'old', which is no number of years; it counts as missing"]
    with pytest.raises(InputError, match=r"expected a tab-separated table, but .* is no file"):
        read_outcomes(tmp_path / "no.tsv")


def test_the_command_follows_what_match_wrote(
    known_atlas: Atlas,
    new_person: Callable[..., FaceSequence],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_atlas(known_atlas, tmp_path / "atlas" / "atlas.safetensors")
    inputs = [save(new_person("anger"), tmp_path / f"sub-{i}" / "x_task-anger.face.safetensors") for i in range(2)]
    for i, path in enumerate(inputs):
        match(tmp_path / "atlas", [path], out=tmp_path / f"m{i}.json")
    document = json.loads((tmp_path / "m0.json").read_text())
    assert document["atlas"] == atlas_digest(tmp_path / "atlas")
    assert set(document["matches"][0]["inputs"]) == {"features", "novelty", "used", "frame_rate", "embedding"}
    out = tmp_path / "out"
    command(tmp_path / "atlas", [tmp_path / "m0.json"], out, draws=50)
    (tmp_path / "m0.json").unlink()
    command(tmp_path / "atlas", [tmp_path / "m1.json"], out, draws=50)
    assert json.loads((out / "monitor.json").read_text())["people"] == 2
    shown = capsys.readouterr()
    assert "not asked: 2 people, fewer than 20" in shown.out
    assert STATEMENT in shown.err
    command(tmp_path / "atlas", [tmp_path / "m1.json"], out, fresh=True, draws=50)
    assert json.loads((out / "monitor.json").read_text())["people"] == 1
    other = tmp_path / "other.json"
    other.write_text((tmp_path / "m1.json").read_text().replace(document["atlas"], "ef" * 32))
    with pytest.raises(InputError, match="monitor every atlas by itself"):
        command(tmp_path / "atlas", [other], out)


def test_an_alarm_can_fail_the_command(
    known_atlas: Atlas, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, followed: Any
) -> None:
    save_atlas(known_atlas, tmp_path / "atlas.safetensors")
    matches = tmp_path / "m.json"
    matches.write_text(json.dumps({"atlas": atlas_digest(tmp_path), "matches": []}))
    loud = monitor(followed, stream(make(40, shift=3.0)), draws=50)
    assert loud.fired
    monkeypatch.setattr("atlas.monitoring.monitor", lambda *_, **__: loud)
    command(tmp_path, [matches], tmp_path / "out")
    with pytest.raises(typer.Exit) as left:
        command(tmp_path, [matches], tmp_path / "out", fail_on_alarm=True)
    assert left.value.exit_code == 3
