"""Places of a face in words, found from its 68 landmarks: ``left mouth corner``. Left is the subject's."""

from dataclasses import dataclass

import numpy as np

from reconstruction.template import Template

# words and the landmarks (iBUG 68) whose mean is the place; those with two sides first as the subject's right
_SIDED = {
    "eyebrow, outer part": ((17, 18), (25, 26)),
    "eyebrow, middle": ((19,), (24,)),
    "eyebrow, inner part": ((20, 21), (22, 23)),
    "eye, outer corner": ((36,), (45,)),
    "eye, inner corner": ((39,), (42,)),
    "upper eyelid": ((37, 38), (43, 44)),
    "lower eyelid": ((40, 41), (46, 47)),
    "nostril": ((31, 32), (34, 35)),
    "mouth corner": ((48, 60), (54, 64)),
    "upper lip": ((49, 50, 61), (52, 53, 63)),
    "lower lip": ((58, 59, 67), (55, 56, 65)),
    "side of the chin": ((6, 7, 58), (9, 10, 56)),
    "side of the jaw": ((3, 4, 5), (11, 12, 13)),
    "cheek": ((2, 31, 36, 48), (14, 35, 45, 54)),
    "nasolabial fold": ((31, 48), (35, 54)),
    "temple": ((0, 17), (16, 26)),
    "cheek by the ear": ((1, 2), (14, 15)),
}
_MIDDLE = {
    "between the eyebrows": (21, 22, 27),
    "bridge of the nose": (28, 29),
    "tip of the nose": (30,),
    "philtrum": (33, 51),
    "middle of the upper lip": (51, 62),
    "middle of the lower lip": (57, 66),
    "chin": (8, 57),
    "point of the chin": (8,),
}
_FOREHEAD = {"forehead, right": (19,), "forehead, middle": (21, 22), "forehead, left": (24,)}
_ABOVE = 0.020  # metres that the forehead's places lie above the eyebrows


@dataclass(frozen=True)
class Places:
    """words : N of them; points : (N, 3) metres, head frame"""

    words: tuple[str, ...]
    points: np.ndarray

    def at(self, point: np.ndarray) -> str:
        """Words for the place nearest to a point (3,)."""
        return self.words[int(np.linalg.norm(self.points - point, axis=1).argmin())]


def face_places(template: Template) -> Places:
    """The places of a template's mean head."""
    marks = template.landmarks68(template.v_template)
    points = {name: marks[list(which)].mean(0) for name, which in _MIDDLE.items()}
    for name, both in _SIDED.items():
        for side, which in zip(("right", "left"), both, strict=True):
            points[f"{side} {name}"] = marks[list(which)].mean(0)
    for name, which in _FOREHEAD.items():
        points[name] = marks[list(which)].mean(0) + [0, _ABOVE, 0]
    return Places(tuple(points), np.array(list(points.values())))
