"""The demonstration's settings, its folder, and how well the reconstruction recovered what was simulated.

The work itself is done by the functions behind the commands; see `atlas.cli.demo`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from atlas.biomarkers import ACTION_UNITS, MEASURES, action_units, measures
from atlas.biomarkers.measures import head_steps
from atlas.report import RecoveryRow
from atlas.simulation import load_effects, simulate
from atlas.simulation.effects import PLANTABLE_MEASURES, REFERENCE_GROUP
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.storage import write_atomically

QUANTITIES = ("AU12", "AU06", "AU45", "AU15", "AU04", "AU02", "AU26", *PLANTABLE_MEASURES)
_STILL = 0.05  # intensity; a movement that varies less in truth has no course to recover
_FEWEST = 3  # people or frames a correlation needs


@dataclass(frozen=True)
class Settings:
    """Of a demonstration; the defaults take a few minutes on two cores.

    people, held_out : simulated people in the atlas, and those who are kept out of it and matched; spread over three
        groups
    seconds, fps, stimuli : of every recording
    """

    people: int = 24
    held_out: int = 9
    seconds: float = 6.0
    fps: float = 10.0
    stimuli: tuple[str, ...] = ("happiness", "sadness")
    permutations: int = 99
    seed: int = 0


@dataclass(frozen=True)
class DemoFolder:
    """Where everything of a demonstration lies below `out`."""

    out: Path

    @property
    def cohort(self) -> Path:
        return self.out / "cohort"

    @property
    def held_out(self) -> Path:
        return self.out / "held-out"

    @property
    def atlas(self) -> Path:
        return self.out / "atlas"

    @property
    def parameters(self) -> Path:
        """Of the people in the atlas, where `face-atlas build` looks for them."""
        return self.atlas / "parameters"

    @property
    def held_out_parameters(self) -> Path:
        return self.out / "held-out-parameters"


def planted_effects() -> dict[str, dict[str, float]]:
    """What is planted in the demonstration's people: ``atlas/effects/demonstration.yaml``."""
    with resources.as_file(resources.files("atlas.effects").joinpath("demonstration.yaml")) as path:
        return load_effects(path)


def simulate_videos(
    folder: Path,
    people: int,
    settings: Settings,
    seed: int,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> bool:
    """A cohort of simulated people as videos, unless it is there already; returns whether it was made.

    Raises
    ------
    InputError
        The folder holds something else.
    """
    notes = folder / "simulation.json"
    effects = planted_effects()
    wanted = {
        "people": people,
        "seconds": settings.seconds,
        "fps": settings.fps,
        "stimuli": list(settings.stimuli),
        "seed": seed,
        "video": True,
    }
    if notes.is_file():
        try:
            found = json.loads(notes.read_text("utf-8"))
        except ValueError:
            found = {}
        if found.get("settings") == wanted and found.get("effects", {}).get("planted") == effects:
            return False
        raise InputError(
            f"expected the people of this demonstration in {folder}, but it holds others; remove {folder.parent} or "
            "choose another folder with --out."
        )
    simulate(
        folder,
        people,
        settings.seconds,
        effects,
        True,
        seed,
        fps=settings.fps,
        stimuli=settings.stimuli,
        workers=workers,
        progress=progress,
    )
    return True


def recovery(pairs: Sequence[Sequence[tuple[FaceSequence, FaceSequence]]]) -> list[RecoveryRow]:
    """How well quantities were recovered.

    pairs : for every person the (true, reconstructed) recordings, frame by frame the same
    """
    rows = []
    for name in QUANTITIES:
        meaning = ACTION_UNITS[name].name if name in ACTION_UNITS else MEASURES[name]
        true, found = ([[pair[i] for pair in person] for person in pairs] for i in (0, 1))
        courses = [(_course(name, a), _course(name, b)) for a, b in zip(true, found, strict=True)]
        within = [
            r for a, b in courses if (r := _correlation(a, b, _STILL if name in ACTION_UNITS else 0.0)) is not None
        ]
        means = [np.array([_mean(name, person) for person in people]) for people in (true, found)]
        quartiles = np.quantile(within, [0.25, 0.5, 0.75]) if within else None
        rows.append(
            RecoveryRow(
                name=name,
                meaning=meaning,
                within=None if quartiles is None else float(quartiles[1]),
                within_low=None if quartiles is None else float(quartiles[0]),
                within_high=None if quartiles is None else float(quartiles[2]),
                between=_correlation(means[0], means[1], 0.0),
                people=len(pairs),
                steady=len(pairs) - len(within),
            )
        )
    return rows


def _course(name: str, recordings: Sequence[FaceSequence]) -> np.ndarray:
    """A quantity frame by frame over all of a person's recordings; NaN where it is not known."""
    if name in ACTION_UNITS:
        return np.concatenate([action_units(r)[name] for r in recordings])
    if name == "head_speed":
        steps = [np.where(r.valid[1:] & r.valid[:-1], head_steps(r) * r.frame_rate, np.nan) for r in recordings]
        return np.concatenate(steps)
    return np.full(sum(len(r) for r in recordings), np.nan)  # a rate has no course


def _mean(name: str, recordings: Sequence[FaceSequence]) -> float:
    if name in ACTION_UNITS:
        values = [float(np.nanmean(action_units(r)[name])) for r in recordings if r.valid.any()]
    else:
        values = [measures(r)[name] for r in recordings]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _correlation(a: np.ndarray, b: np.ndarray, least: float) -> float | None:
    """Pearson's r over what both know; None where either hardly varies (standard deviation of `a` up to `least`)."""
    known = np.isfinite(a) & np.isfinite(b)
    if known.sum() < _FEWEST or a[known].std() <= least or b[known].std() <= 1e-9:
        return None
    return float(np.corrcoef(a[known], b[known])[0, 1])


def read_timings(folder: DemoFolder) -> dict[str, tuple[float, str]]:
    """{stage: (seconds, what was done)} of an earlier run, so that stages that are done keep their time."""
    try:
        found = json.loads((folder.out / "timings.json").read_text("utf-8"))
        return {str(k): (float(v[0]), str(v[1])) for k, v in found["stages"].items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return {}


def write_timings(folder: DemoFolder, timings: dict[str, tuple[float, str]], settings: Settings) -> None:
    """Write ``timings.json``."""
    stages = {stage: [round(seconds, 2), told] for stage, (seconds, told) in timings.items()}
    document = {"stages": stages, "settings": asdict(settings), "reference": REFERENCE_GROUP}
    write_atomically(folder.out / "timings.json", (json.dumps(document, indent=2) + "\n").encode())
