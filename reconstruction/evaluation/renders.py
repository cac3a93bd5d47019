"""Reconstructions of rendered people against their true surface, motion and expressions, with the mean face beside.

A folder holds a film ``NAME.mp4`` and its truth ``NAME.npz`` for each person, lengths in mm, T frames:

    neutral (V, 3); narrow: vertices before it are the face that is compared; lm68 (68,) vertices of the iBUG 68
    landmarks_head (T, 68, 3) head frame; expr (T, K) 0 to 1; names (K,) ARKit's, sides as ``_L`` and ``_R``
"""

import tempfile
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.evaluation.clips import write_still
from reconstruction.evaluation.metrics import (
    INNER,
    correlations,
    interval_over_people,
    jitter,
    motion_sums,
    recovered,
    scan_to_mesh,
    track_sums,
)
from reconstruction.pipeline import reconstruct
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

_TRUTH = {"neutral": 2, "narrow": 0, "lm68": 1, "landmarks_head": 3, "expr": 2, "names": 1}  # name: dimensions
_JAW = "jawOpen"
Progress = Callable[[str, int, int], None]
Units = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class PersonScore:
    """One person: distances in mm of N true points to the reconstructed neutral face and to the mean face (N,), motion
    of landmarks and what of it is missed (mm², summed), `track_sums` of expressions (4, K) and of units (4, U), and
    the jitter of a still face, mm: in space, and across the line of sight.
    """

    name: str
    frames: int
    frames_used: int
    shape: np.ndarray
    mean_face: np.ndarray
    moved: float
    missed: float
    expressions: np.ndarray
    units: np.ndarray
    jitter: tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A measure over all people, its 95 % bootstrap interval over people, and the mean of the people's own; None for
    expressions, of which every person shows others.
    """

    value: float
    low: float
    high: float
    mean_of_people: float | None


@dataclass(frozen=True)
class RenderScores:
    """People, and what their `expressions` and `units` columns are."""

    people: list[PersonScore]
    expression_names: list[str]
    unit_names: list[str]

    def measures(self, seed: int = 0) -> dict[str, Estimate]:
        """The measures over all people together; correlations are left to `recovery`, but for their median."""
        shape = np.stack([p.shape for p in self.people])
        mean = np.stack([p.mean_face for p in self.people])
        moved, missed, space, across = np.array([(p.moved, p.missed, *p.jitter) for p in self.people]).T
        sums = np.stack([p.expressions for p in self.people])
        statistics: dict[str, Callable[[np.ndarray], float]] = {
            "neutral_shape_mm": lambda i: float(np.median(shape[i])),
            "mean_face_mm": lambda i: float(np.median(mean[i])),
            "share_of_mean_face": lambda i: float(np.median(shape[i]) / np.median(mean[i])),
            "recovered": lambda i: recovered(shape[i], mean[i]),
            "motion_r2": lambda i: float(1 - missed[i].sum() / moved[i].sum()),
            "expression_correlation": lambda i: _known(np.median, correlations(sums[i].sum(0))),
            "jitter_mm": lambda i: float(np.sqrt((space[i] ** 2).mean())),
            "jitter_across_mm": lambda i: float(np.sqrt((across[i] ** 2).mean())),
        }
        count, out = len(self.people), {}
        for name, statistic in statistics.items():
            low, high = interval_over_people(statistic, count, seed)
            each = [statistic(np.array([i])) for i in range(count)]
            own = None if name == "expression_correlation" else float(np.mean(each))
            out[name] = Estimate(statistic(np.arange(count)), float(low), float(high), own)
        return out

    def recovery(self, of: str, seed: int = 0) -> dict[str, dict[str, float | None]]:
        """Within-person correlation r of every `of` = 'expressions' or 'units' with an interval over people, by name.

        Expressions with sides become one, r the mean of `left` and `right`. Those that no person shows are left out.
        """
        names = self.expression_names if of == "expressions" else self.unit_names
        if not names:
            return {}
        sums = np.stack([getattr(p, of) for p in self.people])
        groups: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            groups.setdefault(_without_side(name), []).append(i)

        def mean_of_sides(chosen: np.ndarray) -> np.ndarray:
            r = correlations(sums[chosen].sum(0))
            return np.array([_known(np.mean, r[columns]) for columns in groups.values()])

        single, values = correlations(sums.sum(0)), mean_of_sides(np.arange(len(sums)))
        low, high = interval_over_people(mean_of_sides, len(sums), seed)
        out: dict[str, dict[str, float | None]] = {}
        for i, (name, columns) in enumerate(groups.items()):
            if np.isfinite(values[i]):
                shown = [c for c in columns if len(columns) > 1 and np.isfinite(single[c])]
                sides = {names[c].removeprefix(name).lower(): float(single[c]) for c in shown}
                out[name] = {"r": float(values[i]), "low": float(low[i]), "high": float(high[i]), **sides}
        return out


def score(
    folder: Path, template: Template, quality: str, seed: int, units: Units, progress: Progress | None = None
) -> RenderScores:
    """Reconstruct and measure every person of a folder of renders.

    units : {name: expressions without side} that are to be measured together, such as an action unit's; those that the
        template lacks are left out

    Raises
    ------
    InputError
        The folder holds no render, a film is missing or shows no face, or a truth is none.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of renders, but {folder} is none; check the path.")
    truths = {path: _read_truth(path) for path in sorted(folder.glob("*.npz"))}
    if not truths:
        raise InputError(f"expected renders NAME.mp4 with their truth NAME.npz in {folder}, but there are none.")
    named = {path: [_arkit(str(name)) for name in truth["names"]] for path, truth in truths.items()}
    names = next(iter(named.values()))
    for path, truth in truths.items():
        first = next(iter(truths.values()))
        if named[path] != names or truth["narrow"] != first["narrow"]:
            raise InputError(f"expected renders of one head model in {folder}, but {path.name} differs; separate them.")
        if not path.with_suffix(".mp4").is_file():
            raise InputError(f"expected the film {path.with_suffix('.mp4')} of the truth beside it, but it is missing.")
    known = [name for name in names if name in template.expression_names]
    shown = {name: members for name, members in units.items() if _sides(members, (*template.expression_names, _JAW))}
    calibration, people = load_calibration(template), []
    for done, (path, truth) in enumerate(truths.items()):
        if progress:
            progress(f"{path.stem} of {len(truths)}", done, len(truths))
        film = path.with_suffix(".mp4")
        sequence = reconstruct(
            film, template=template, calibration=calibration, quality=quality, seed=seed, simulated=True
        )
        with tempfile.TemporaryDirectory() as scratch:
            still = write_still(film, Path(scratch) / "still.avi", seed)
            rest = reconstruct(
                still, template=template, calibration=calibration, quality=quality, seed=seed, simulated=True
            )
        people.append(measure(path.stem, truth, sequence, rest, template, known, shown))
    return RenderScores(people, known, list(shown))


def measure(
    name: str,
    truth: Mapping[str, np.ndarray],
    sequence: FaceSequence,
    still: FaceSequence,
    template: Template,
    expressions: Sequence[str],
    units: Units,
) -> PersonScore:
    """A person's reconstruction, and that of the still clip, against the truth."""
    if len(sequence) != len(truth["expr"]):
        raise InputError(
            f"expected a film of the truth's {len(truth['expr'])} frames, but {name}.mp4 has {len(sequence)}; render "
            "it again."
        )
    neutral, narrow = truth["neutral"].astype(float), int(truth["narrow"])
    distances = []
    for surface in (sequence.neutral(template), template.v_template):
        mm = surface * 1000.0
        marks = template.landmarks68(mm)[INNER]
        distances.append(scan_to_mesh(neutral[:narrow], neutral[truth["lm68"]][INNER], mm, template.faces, marks))
    used = sequence.valid
    marks = template.landmarks68(sequence.vertices(template)[used]) * 1000.0
    moved, missed = motion_sums(truth["landmarks_head"][used].astype(float), marks)

    true = dict(zip((_arkit(str(n)) for n in truth["names"]), truth["expr"][used].T.astype(float), strict=True))
    found = dict(zip(sequence.expression_names, sequence.expression[used].T.astype(float), strict=True))
    # what opens the jaw is an expression to the source and a joint to us: any scale will do
    found[_JAW] = sequence.pose[used, template.joint("jaw"), 0].astype(float)
    return PersonScore(
        name=name,
        frames=len(sequence),
        frames_used=int(used.sum()),
        shape=distances[0],
        mean_face=distances[1],
        moved=moved,
        missed=missed,
        expressions=track_sums(_columns(true, [[n] for n in expressions]), _columns(found, [[n] for n in expressions])),
        units=track_sums(
            _columns(true, [_sides(members, true) for members in units.values()]),
            _columns(found, [_sides(members, found) for members in units.values()]),
        ),
        jitter=still_jitter(still, template),
    )


def still_jitter(still: FaceSequence, template: Template) -> tuple[float, float]:
    """Jitter of the 68 landmarks, mm, along the camera's axes, of the reconstruction of a face that does not move: in
    space, and across the line of sight alone (along it, one camera sees little).
    """
    poses = still.camera_from_head[still.valid].astype(float)
    points = template.landmarks68(still.vertices(template)[still.valid]).astype(float)
    return jitter(1000 * (points @ poses[:, :3, :3].swapaxes(1, 2) + poses[:, None, :3, 3]))


def _read_truth(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            truth = {name: stored[name] for name in _TRUTH}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"expected the truth of a render ({', '.join(_TRUTH)}), but {path} holds none; render it again."
        ) from error
    if any(truth[name].ndim != dimensions for name, dimensions in _TRUTH.items()):
        raise InputError(f"expected the truth of a render, but arrays of {path} have other shapes; render it again.")
    return truth


def _arkit(name: str) -> str:
    """``browDown_L`` to ``browDownLeft``."""
    stem, end = name[:-2], name[-2:]
    return stem + {"_L": "Left", "_R": "Right"}.get(end, end)


def _without_side(name: str) -> str:
    """``browDownLeft`` to ``browDown``; mouthLeft and jawLeft are directions, not sides."""
    stem = name.removesuffix("Left").removesuffix("Right")
    return name if stem in ("mouth", "jaw") else stem


def _sides(names: Sequence[str], known: Collection[str]) -> list[str]:
    return [side for name in names for side in (name, f"{name}Left", f"{name}Right") if side in known]


def _columns(tracks: Mapping[str, np.ndarray], groups: Sequence[Sequence[str]]) -> np.ndarray:
    """(T, groups) mean track of every group; 0 for one without members."""
    frames = len(next(iter(tracks.values())))
    means = [np.mean([tracks[n] for n in g], 0) if g else np.zeros(frames) for g in groups]
    return np.array(means).reshape(len(groups), frames).T


def _known(statistic: Callable[[np.ndarray], np.floating], values: np.ndarray) -> float:
    """`statistic` of the values that are numbers; NaN where none is."""
    numbers = values[np.isfinite(values)]
    return float(statistic(numbers)) if len(numbers) else float("nan")
