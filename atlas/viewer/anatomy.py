"""Names of places on the face in plain words: every vertex of the face is called after the nearest named point.

Left and right are the subject's.
"""

from dataclasses import dataclass

import numpy as np

from reconstruction.template import Template

REACH = 0.022  # metres; beyond it no name is near enough
SIDES = ("right", "left")


@dataclass(frozen=True)
class Word:
    """What a place is called, and the points it lies at.

    one, both : ``corner of the mouth``, ``corners of the mouth``; `both` is empty where there is only one
    marks68, marks478 : points of the subject's right side, or of the middle, in iBUG's and the detector's numbers
    """

    one: str
    both: str = ""
    marks68: tuple[int, ...] = ()
    marks478: tuple[int, ...] = ()


WORDS = (
    Word("corner of the mouth", "corners of the mouth", (48,)),
    Word("upper lip", "", (49, 50, 51, 52, 53, 61, 62, 63)),
    Word("lower lip", "", (55, 56, 57, 58, 59, 65, 66, 67)),
    Word("chin", "", (8,), (175, 199, 200)),
    Word("jaw", "sides of the jaw", (3, 4, 5, 6)),
    Word("side of the face", "sides of the face", (0, 1, 2)),
    Word("outer brow", "outer brows", (17, 18, 19)),
    Word("inner brow", "inner brows", (20, 21)),
    Word("place between the brows", "", (), (8, 9)),
    Word("forehead", "", (), (10, 67, 103, 109, 151, 297, 332, 338)),
    Word("temple", "temples", (), (21, 54, 162)),
    Word("bridge of the nose", "", (27, 28)),
    Word("tip of the nose", "", (29, 30)),
    Word("place under the nose", "", (33,), (164,)),
    Word("nostril", "nostrils", (31, 32)),
    Word("outer eye corner", "outer eye corners", (36,)),
    Word("inner eye corner", "inner eye corners", (39,)),
    Word("upper eyelid", "upper eyelids", (37, 38)),
    Word("lower eyelid", "lower eyelids", (40, 41)),
    Word("cheek", "cheeks", (), (50, 101, 187, 205)),
)


@dataclass(frozen=True)
class Anatomy:
    """names : of N places; ``right corner of the mouth``
    both : for every place the name of it and its mirror image together, empty where it lies in the middle
    mirror : for every place the number of its mirror image, its own in the middle
    label : (V,) int64, the place of every vertex, -1 for none
    """

    names: tuple[str, ...]
    both: tuple[str, ...]
    mirror: tuple[int, ...]
    label: np.ndarray


def anatomy(template: Template, face: np.ndarray) -> Anatomy:
    """The named places of a template, on the vertices where `face` (V,) bool holds."""
    points68 = template.landmarks68(template.v_template)
    points478 = template.landmarks478(template.v_template)
    names: list[str] = []
    both: list[str] = []
    mirror: list[int] = []
    points: list[np.ndarray] = []
    owner: list[int] = []

    def add(name: str, together: str, twin: int, where: np.ndarray) -> None:
        owner.extend([len(names)] * len(where))
        names.append(name)
        both.append(together)
        mirror.append(twin)
        points.append(where)

    for word in WORDS:
        seen = [i for i in word.marks478 if template.visible478[i]]
        where = np.concatenate([points68[list(word.marks68)], points478[seen]])
        if not len(where):
            continue
        if not word.both:
            add(word.one, "", len(names), where)
            continue
        for number, side in enumerate(SIDES):
            here = where * [1 if number == 0 else -1, 1, 1]  # the mirror plane of a template is x = 0
            add(f"{side} {word.one}", word.both, len(names) + (1 if number == 0 else -1), here)
    every = np.concatenate(points)
    label = np.full(len(template.v_template), -1)
    distance = np.linalg.norm(template.v_template[face][:, None] - every[None], axis=2)
    nearest = distance.argmin(1)
    label[face] = np.where(distance.min(1) <= REACH, np.asarray(owner)[nearest], -1)
    return Anatomy(tuple(names), tuple(both), tuple(mirror), label)
