"""Simulated people: what is planted is found, and nothing but what is planted depends on the group."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from atlas.biomarkers import mean_action_units, measures
from atlas.cli.simulate import simulate as simulate_command
from atlas.simulation import STIMULI, load_effects, simulate, simulate_people, simulate_recording
from atlas.simulation.effects import QUANTITIES
from atlas.simulation.people import DAY_TO_DAY
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, load
from reconstruction.template import load_template

SHORT = {"seconds": 10.0, "fps": 15.0}


def person_levels(people, stimuli=("happiness", "sadness"), **how):
    """{quantity: (people,)}: each person's mean over their recordings."""
    template = load_template()
    rows = []
    for person in people:
        found = [simulate_recording(person, stimulus, template=template, **{**SHORT, **how}) for stimulus in stimuli]
        values = [{**mean_action_units(s), **measures(s)} for s in found]
        rows.append({name: np.mean([v[name] for v in values]) for name in values[0]})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def bytes_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def crowd():
    """The same 60 people without and with planted effects, and what is measured of them."""
    effects = {"MDD": {"AU12": -1.0, "head_speed": -1.0}, "BD": {"AU04": 1.0, "blink_rate": 1.0}}
    without, planted = simulate_people(60, "none", seed=5), simulate_people(60, effects, seed=5)
    return effects, without, planted, person_levels(without), person_levels(planted)


def test_planted_effects_are_found_in_person_level_standard_deviations(crowd):
    effects, without, _, before, after = crowd
    groups = np.array([p.group for p in without])
    for group, wanted in effects.items():
        for name, d in wanted.items():
            shift = (after[name] - before[name])[groups == group].mean() / before[name].std(ddof=1)
            # the same people with and without: what is left is the standard deviation's own error, 9 % for 60 people
            assert shift == pytest.approx(d, abs=0.25), (group, name)


def test_effects_touch_only_what_they_name(crowd):
    effects, without, _, before, after = crowd
    groups = np.array([p.group for p in without])
    for name in ("AU12", "AU04", "AU15", "head_speed", "blink_rate", "gaze_dispersion"):
        for group in ("MDD", "BD", "HC"):
            if name not in effects.get(group, {}):
                np.testing.assert_allclose(after[name][groups == group], before[name][groups == group], rtol=1e-6)


def test_nothing_else_about_a_person_depends_on_the_effects(crowd):
    _, without, planted, _, _ = crowd
    for a, b in zip(without, planted, strict=True):
        assert (a.id, a.group, a.age, a.sex, a.seed, a.asymmetry) == (b.id, b.group, b.age, b.sex, b.seed, b.asymmetry)
        np.testing.assert_array_equal(a.shape, b.shape)


def test_latent_levels_are_standard_and_share_expressivity():
    people = simulate_people(600, "none", seed=2)
    levels = np.array([[p.levels[q] for q in QUANTITIES] for p in people])
    assert np.abs(levels.mean(0)).max() < 0.2
    assert np.abs(levels.std(0) - 1).max() < 0.15
    correlation = np.corrcoef(levels[:, :10].T)[np.triu_indices(10, 1)]
    assert correlation.mean() == pytest.approx(0.3, abs=0.08)


def test_groups_are_balanced_and_in_an_order_that_carries_no_group():
    people = simulate_people(90, "none", seed=1)
    groups = [p.group for p in people]
    assert {g: groups.count(g) for g in set(groups)} == {"MDD": 30, "BD": 30, "HC": 30}
    assert max(groups[:30].count(g) for g in set(groups)) < 20
    assert [p.id for p in people][:2] == ["sub-001", "sub-002"]
    sizes = sorted([p.group for p in simulate_people(8, "none")].count(g) for g in set(groups))
    assert sizes == [2, 3, 3]


def test_with_nothing_planted_the_groups_are_exchangeable():
    """Group means of 300 people differ no more than chance allows in anything about them."""
    people = simulate_people(300, "none", seed=4)
    groups = np.array([p.group for p in people])
    table = np.array([[p.age, p.sex == "F", *p.shape[:10], *[p.levels[q] for q in QUANTITIES]] for p in people], float)
    z = []
    for group in ("MDD", "BD"):
        a, b = table[groups == group], table[groups == "HC"]
        z.append((a.mean(0) - b.mean(0)) / np.sqrt(a.var(0) / len(a) + b.var(0) / len(b)))
    assert np.sqrt(np.mean(np.square(z))) < 1.35


def test_people_of_another_seed_are_others_and_the_same_seed_gives_the_same():
    a, b, c = simulate_people(6, seed=1), simulate_people(6, seed=1), simulate_people(6, seed=2)
    np.testing.assert_array_equal(a[0].shape, b[0].shape)
    assert a[0].levels == b[0].levels
    assert not np.allclose(a[0].shape, c[0].shape)


def test_a_recording_says_it_is_simulated_and_belongs_to_the_template():
    template = load_template()
    sequence = simulate_recording(simulate_people(3)[0], "fear", seconds=4, fps=25)
    sequence.check_template(template)
    assert sequence.simulated
    assert len(sequence) == 100
    assert sequence.valid.all()
    assert sequence.expression.min() >= 0
    assert sequence.expression.max() <= 1
    assert np.isfinite(sequence.camera_from_head).all()


def test_the_face_is_in_the_picture():
    template = load_template()
    for person in simulate_people(6, seed=9):
        sequence = simulate_recording(person, "fear", seconds=4, fps=5)
        for vertices, pose in zip(sequence.vertices(template), sequence.camera_from_head, strict=True):
            points = template.landmarks68(vertices) @ pose[:3, :3].T + pose[:3, 3]
            pixels = (points / points[:, 2:] @ sequence.camera_matrix.T)[:, :2]
            assert pixels.min() > 20
            assert pixels.max() < sequence.image_size[0] - 20
            assert 60 < np.linalg.norm(pixels[36] - pixels[45]) < 250


@pytest.mark.parametrize(
    ("stimulus", "unit"), [("happiness", "AU12"), ("anger", "AU04"), ("sadness", "AU15"), ("fear", "AU05")]
)
def test_each_stimulus_shows_its_expression(stimulus, unit):
    people = simulate_people(6, "none")
    shown = person_levels(people, [stimulus])[unit]
    assert (shown > 2 * person_levels(people, ["neutral"])[unit]).all()


def test_expressions_come_and_go():
    """A smile has an onset, an apex and an offset: it is low at first, high at its apex, and changes smoothly."""
    sequence = simulate_recording(simulate_people(3, "none")[1], "happiness", seconds=12, fps=25)
    smile = sequence.expression[:, sequence.expression_names.index("mouthSmileLeft")]
    assert smile.max() > 0.4
    assert np.median(np.sort(smile)[: len(smile) // 3]) < 0.3 * smile.max()
    assert np.abs(np.diff(smile)).max() < 0.25


def test_recordings_differ_by_seed_and_stimulus_but_not_from_run_to_run():
    person = simulate_people(3)[0]
    a, b = (simulate_recording(person, "neutral", **SHORT) for _ in range(2))
    np.testing.assert_array_equal(a.expression, b.expression)
    for other in (
        simulate_recording(person, "neutral", seed=1, **SHORT),
        simulate_recording(person, "fear", **SHORT),
    ):
        assert not np.allclose(a.pose, other.pose)


def test_levels_do_not_depend_on_the_frame_rate():
    people = simulate_people(3, "none")
    slow, fast = (person_levels(people, ["happiness"], fps=fps, seconds=20.0) for fps in (10.0, 30.0))
    for name in ("AU12", "head_speed", "blink_rate", "gaze_dispersion"):
        np.testing.assert_allclose(slow[name], fast[name], rtol=0.06, err_msg=name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MDD: {AU4: 1}", "two digits"),
        ("MDD: {AU12: big}", "MDD.AU12"),
        ("MDD: {AU12: 9}", "between -2 and 2"),
        ("MDD: {AU12: .nan}", "between -2 and 2"),
        ("HC: {AU12: 1}\nMDD: {}", "no effects for HC"),
        ("- a\n- b", "group: {name: d}"),
        ("", "group: {name: d}"),
        ("HC: {}", "at least one group"),
        ("a/b: {AU12: 1}", "without slashes"),
        ("MDD: {AU12: [", "cannot be parsed"),
    ],
)
def test_bad_effects_are_refused_in_one_sentence(tmp_path, text, said):
    path = tmp_path / "effects.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_effects(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_effects_of_a_file_name_the_groups(tmp_path):
    path = tmp_path / "effects.yaml"
    path.write_text("tired: {AU12: -1}\nawake:\n")
    assert load_effects(path) == {"tired": {"AU12": -1.0}, "awake": {}}
    assert {p.group for p in simulate_people(6, path)} == {"tired", "awake", "HC"}
    assert set(load_effects("default")) == set(load_effects("none")) == {"MDD", "BD"}
    assert not any(load_effects("none").values())
    with pytest.raises(InputError, match="no file"):
        load_effects(tmp_path / "missing.yaml")


def test_a_cohort_of_parameters_is_readable_and_the_same_twice(tmp_path):
    for name in ("a", "b"):
        simulate(tmp_path / name, people=3, seconds=2, fps=10, stimuli=["fear", "neutral"], seed=7)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    lines = (tmp_path / "a/participants.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["participant_id", "group", "age", "sex", "simulated"]
    assert all(line.endswith("\tyes") for line in lines[1:])
    paths = sorted(p.name for p in (tmp_path / "a").rglob("*face.safetensors"))
    assert paths == [f"sub-00{i}_task-{s}_face.safetensors" for i in (1, 2, 3) for s in ("fear", "neutral")]
    assert all(load(p).simulated for p in (tmp_path / "a").rglob("*face.safetensors"))
    for name in ("README.md", "participants.json", "dataset_description.json", "simulation.json"):
        assert "simulated" in (tmp_path / "a" / name).read_text().lower()
    assert json.loads((tmp_path / "a/simulation.json").read_text())["statement"] == STATEMENT
    assert "MDD" not in "".join(p.read_text() for p in (tmp_path / "a").glob("sub-*/*.json"))


def test_a_cohort_of_videos_keeps_its_parameters_apart(tmp_path):
    cv2 = pytest.importorskip("cv2")
    steps = []
    folder = simulate(
        tmp_path / "films",
        people=3,
        seconds=2,
        fps=5,
        stimuli=["happiness"],
        video=True,
        progress=lambda *step: steps.append(step),
    )
    assert steps == [("simulating", i, 3) for i in (1, 2, 3)]
    assert not list(folder.glob("sub-*/*.safetensors"))
    assert len(list(folder.glob("truth/sub-*/*face.safetensors"))) == 3
    film = cv2.VideoCapture(str(folder / "sub-001/sub-001_task-happiness.mp4"))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 10
    assert film.get(cv2.CAP_PROP_FPS) == 5
    frame = film.read()[1]
    film.release()
    assert frame.shape == (512, 512, 3)
    face, wall = frame[200:300, 220:290].reshape(-1, 3), frame[:40, :40].reshape(-1, 3)
    assert np.abs(face.mean(0) - wall.mean(0)).max() > 8
    assert np.ptp(frame[490:, :90].astype(int)) > 150  # the caption


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"people": 2}, "at least one person for each"),
        ({"seconds": 0.5}, "between 2 and 3600 seconds"),
        ({"fps": 1}, "frames a second"),
        ({"stimuli": ["joy"]}, "'joy'"),
        ({"stimuli": []}, "at least one stimulus"),
        ({"seed": -1}, "seed of 0 or more"),
        ({"effects": "missing.yaml"}, "no file"),
        ({"template": "nobody"}, "nobody"),
        ({"sessions": 0}, "between 1 and 99 sessions, got 0"),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_written(tmp_path, arguments, said):
    with pytest.raises(InputError, match=said):
        simulate(tmp_path / "out", **{"people": 3, "seconds": 2, **arguments})
    assert not list(tmp_path.iterdir())


def test_an_occupied_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="new or empty folder"):
        simulate(tmp_path, people=3, seconds=2)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interruption_leaves_nothing_behind(tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "out", people=3, seconds=2, progress=stop)
    assert not list(tmp_path.iterdir())


def test_sessions_are_other_days_of_the_same_people(tmp_path):
    folder = simulate(tmp_path / "two", people=3, seconds=2, fps=10, stimuli=["fear"], seed=7, sessions=2)
    paths = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.safetensors"))
    assert paths == [
        f"sub-00{i}/ses-{s}/sub-00{i}_ses-{s}_task-fear_face.safetensors" for i in (1, 2, 3) for s in (1, 2)
    ]
    assert len((folder / "participants.tsv").read_text().splitlines()) == 4
    assert json.loads((folder / "simulation.json").read_text())["settings"]["sessions"] == 2
    first, second = (load(folder / path) for path in paths[:2])
    np.testing.assert_array_equal(first.shape, second.shape)
    assert not np.allclose(first.expression, second.expression, atol=0.05)
    assert not np.allclose(first.camera_matrix, second.camera_matrix)
    simulate(tmp_path / "one", people=3, seconds=2, fps=10, stimuli=["fear"], seed=7, sessions=1)
    assert not list((tmp_path / "one").rglob("ses-*"))
    assert "sessions" not in (tmp_path / "one/simulation.json").read_text()


def test_levels_keep_their_spread_and_correlate_between_days():
    days = [simulate_people(600, {"MDD": {"AU12": -1.0}}, seed=2, session=s) for s in (0, 1, 2)]
    levels = np.array([[[p.levels[q] for q in QUANTITIES] for p in people if p.group == "HC"] for people in days])
    assert np.abs(levels.mean(1)).max() < 0.2
    assert np.abs(levels.std(1) - 1).max() < 0.15
    for a, b, wanted in ((1, 2, DAY_TO_DAY), (0, 1, DAY_TO_DAY**0.5)):
        found = [np.corrcoef(x, y)[0, 1] for x, y in zip(levels[a].T, levels[b].T, strict=True)]
        assert np.mean(found) == pytest.approx(wanted, abs=0.05)
    lowered = [np.mean([p.levels["AU12"] for p in people if p.group == "MDD"]) for people in days]
    assert lowered == pytest.approx([-1] * 3, abs=0.2)
    with pytest.raises(InputError, match="session of 0 or more"):
        simulate_people(3, session=-1)


def test_the_command_writes_a_cohort(tmp_path):
    app = typer.Typer()
    app.command()(simulate_command)
    arguments = ["--out", str(tmp_path / "c"), "--people", "3", "--seconds", "2", "--fps", "5", "--effects", "none"]
    result = CliRunner().invoke(app, [*arguments, "--stimuli", "fear,anger"])
    assert result.exit_code == 0, result.output
    assert len(list((tmp_path / "c").rglob("*face.safetensors"))) == 6
    assert "3 simulated people" in result.output


def test_the_stimuli_are_the_five_of_the_protocol():
    assert set(STIMULI) == {"happiness", "anger", "sadness", "fear", "neutral"}
