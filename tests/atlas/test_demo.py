"""The demonstration, small, with the reconstruction replaced by the truth and noise where it would take long."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.cli import demo as command
from atlas.custody import HEAD, LOG
from atlas.demo import DemoFolder, Settings, planted_effects, read_timings, recovery, simulate_videos
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.sequence import BIDS_SUFFIX, FaceSequence, load, save, stem_of
from reconstruction.template import Template

SMALL = Settings(people=6, held_out=3, seconds=2.0, fps=5.0, stimuli=("happiness", "neutral"), permutations=0)


def from_truth(video: Path, target: Path, seed: int) -> None:
    """Stands in for the reconstruction of a simulated video."""
    cohort = video.parents[1]
    truth = load(cohort / "truth" / video.parent.name / f"{stem_of(target)}{BIDS_SUFFIX}")
    save(replace(truth, expression=np.clip(truth.expression * 0.9, 0, 1)), target)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "reconstruct_one", from_truth)
    monkeypatch.setattr(command, "_is_current", lambda target: target.is_file())


@pytest.mark.usefixtures("quick", "few_figures")
def test_the_demonstration_runs_goes_on_and_gives_the_same_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    report = command.run_demo(out, SMALL, workers=1)
    assert report == out / "report.html"
    said = capsys.readouterr().err
    assert f"report: {report}" in said
    assert f"face-atlas match {out / 'atlas'} VIDEO.mp4" in said
    assert "simulated" in said
    text = report.read_text("utf-8")
    for words in ("These people are simulated", "Against the known truth", "How long it took", "simulate videos"):
        assert words in text
    timings = read_timings(DemoFolder(out))
    assert list(timings) == ["simulate videos", "reconstruct", "build the atlas", "match", "report"]

    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    next((out / "atlas" / "parameters").glob("sub-*/*.face.safetensors")).unlink()  # as if it had been stopped
    command.run_demo(out, SMALL, workers=1)
    after = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert after.keys() == before.keys()
    changed = {p.relative_to(out).as_posix() for p in after if after[p] != before[p]}
    times = {"timings.json", "report.html", "report.pdf"}
    assert changed <= {*times, f"atlas/{LOG}", f"atlas/{HEAD}"}  # the log has one more build
    strip = r"<td class=\"n\">[0-9.]+ (s|min [0-9]+ s)</td>"
    assert re.sub(strip, "", report.read_text("utf-8")) == re.sub(strip, "", text)
    assert read_timings(DemoFolder(out))["simulate videos"] == timings["simulate videos"]


def test_the_people_kept_out_are_other_people(template: Template) -> None:
    settings = Settings()
    inside = simulate_people(settings.people, planted_effects(), settings.seed, template)
    outside = simulate_people(settings.held_out, planted_effects(), settings.seed + 1, template)
    assert not {p.seed for p in inside} & {p.seed for p in outside}
    assert {p.group for p in outside} == {"MDD", "BD", "HC"}


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "simulation.json").write_text('{"settings": {"people": 3}}')
    with pytest.raises(InputError, match="it holds others; remove"):
        simulate_videos(tmp_path / "cohort", 6, SMALL, 0)
    (tmp_path / "cohort" / "simulation.json").unlink()
    (tmp_path / "cohort" / "holiday.jpg").write_text("x")
    with pytest.raises(InputError, match="holds something"):
        simulate_videos(tmp_path / "cohort", 6, SMALL, 0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        command.run_demo(tmp_path / "file", SMALL)
    assert (tmp_path / "cohort" / "holiday.jpg").read_text() == "x"


def test_recovery_is_one_for_the_truth_and_less_for_noise(template: Template) -> None:
    rng = np.random.default_rng(0)

    def noisy(truth: FaceSequence) -> FaceSequence:
        return replace(truth, expression=rng.uniform(0, 1, truth.expression.shape).astype(np.float32))

    people = simulate_people(6, planted_effects(), 0, template)
    truth = [[simulate_recording(p, "happiness", 8, 10, 0, template)] for p in people]
    exact = {row.name: row for row in recovery([[(a, a) for a in person] for person in truth])}
    noise = {row.name: row for row in recovery([[(a, noisy(a)) for a in person] for person in truth])}
    assert exact["AU12"].within == pytest.approx(1)
    assert exact["AU12"].between == pytest.approx(1)
    assert exact["blink_rate"].within is None  # a rate has no course
    assert exact["blink_rate"].steady == 6
    assert noise["AU12"].within == pytest.approx(0, abs=0.2)
    assert noise["AU12"].within_low <= noise["AU12"].within <= noise["AU12"].within_high
    assert noise["head_speed"].between == pytest.approx(1)


def test_frames_that_were_left_out_take_no_part_in_the_recovery(template: Template) -> None:
    person = simulate_people(3, planted_effects(), 0, template)[0]
    truth = simulate_recording(person, "happiness", 8, 10, 0, template)
    valid = np.arange(len(truth)) < 50
    zeroed = replace(truth, valid=valid, expression=truth.expression * valid[:, None])
    row = next(r for r in recovery([[(truth, zeroed)]]) if r.name == "AU12")
    assert row.within == pytest.approx(1)
    assert row.between is None  # one person has no correlation over people


def test_only_parameters_of_the_demonstrations_own_quality_are_kept(
    sequence: FaceSequence, template: Template, tmp_path: Path
) -> None:
    calibration = load_calibration(template).provenance
    for quality in ("full", "fast"):
        made = replace(sequence, provenance={"calibration": calibration, "quality": quality})
        assert command._is_current(save(made, tmp_path / "a.face.safetensors")) == (quality == "full")


def test_damaged_timings_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "timings.json").write_text('{"stages": [1]}')
    assert read_timings(DemoFolder(tmp_path)) == {}
    assert read_timings(DemoFolder(tmp_path / "nowhere")) == {}


def test_as_many_processes_as_one_likes_give_the_same_videos(tmp_path: Path) -> None:
    few = replace(SMALL, stimuli=("neutral",))
    for name, workers in (("one", 1), ("two", 2)):
        assert simulate_videos(tmp_path / name, 3, few, 0, workers)
    assert not simulate_videos(tmp_path / "one", 3, few, 0)
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "two")
    )
    assert one == two
    assert len([path for path in one if path.suffix == ".mp4"]) == 3
