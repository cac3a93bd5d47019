"""Whether a shape belongs to the person: two halves of one clip should give the same, other people other ones."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.evaluation.clips import split
from reconstruction.evaluation.metrics import similarity
from reconstruction.pipeline import reconstruct
from reconstruction.template import Template

_SKIN = ("skin", "lips", "brow", "lid")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class IdentityScores:
    """Clips by name, whose people are taken to differ, and distances of neutral shapes in mm.

    halves : (C,) between the first and the second half of a clip
    others : (C, C) between the halves of two clips, the mean of four; the diagonal is 0
    """

    clips: list[str]
    halves: np.ndarray
    others: np.ndarray

    @property
    def between_people(self) -> np.ndarray:
        """(pairs,) distances of every two clips."""
        return self.others[np.triu_indices(len(self.clips), 1)]

    @property
    def ratio(self) -> float:
        """Median distance between people over that between halves; 1: a shape says nothing of whose it is."""
        return float(np.median(self.between_people) / np.median(self.halves))

    def ratio_of(self, clip: int) -> float:
        """The same for one clip's halves and its distances to the other people."""
        return float(np.median(np.delete(self.others[clip], clip)) / self.halves[clip])


def score(
    clips: list[Path], template: Template, quality: str, seed: int, progress: Progress | None = None
) -> IdentityScores:
    """Reconstruct both halves of every clip, each by itself, and compare the neutral shapes.

    clips : one of each person

    Raises
    ------
    InputError
        There are fewer than two clips, or half of one shows no face.
    """
    if len(clips) < 2:
        raise InputError(f"expected clips of two or more people, got {len(clips)}; add a clip of somebody else.")
    calibration, shapes = load_calibration(template), []
    for done, clip in enumerate(clips):
        if progress:
            progress(clip.name, done, len(clips))
        with tempfile.TemporaryDirectory() as scratch:
            try:
                for half in split(clip, Path(scratch)):
                    sequence = reconstruct(half, template=template, calibration=calibration, quality=quality, seed=seed)
                    shapes.append(sequence.neutral(template))
            except InputError as error:
                raise InputError(f"{clip}: {error}") from error
    return compare([clip.name for clip in clips], np.array(shapes).reshape(len(clips), 2, -1, 3), template)


def compare(clips: list[str], shapes: np.ndarray, template: Template) -> IdentityScores:
    """Distances of neutral shapes (C, 2, V, 3), metres, of the halves of C clips."""
    skin = 1000.0 * shapes[:, :, template.part(*(p for p in _SKIN if p in template.part_names))]
    others = np.zeros((len(clips), len(clips)))
    for a, b in combinations(range(len(clips)), 2):
        others[a, b] = others[b, a] = np.mean([shape_distance(x, y) for x in skin[a] for y in skin[b]])
    return IdentityScores(clips, np.array([shape_distance(*halves) for halves in skin]), others)


def shape_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square distance of corresponding points (N, 3) after rigid alignment, size left as it is."""
    return float(np.sqrt(((similarity(a, b, scaled=False)(a) - b) ** 2).sum(1).mean()))
