"""Who is who from frame to frame: faces joined into tracks by place and size."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from reconstruction.landmarks import Detection

# A face's distance from where a track was last seen is measured in the face's own size.
REACH, SPEED = 0.7, 2.0  # how far it may have moved, and how much more for every second since. Chosen so that heads
# shaken fast at 5 frames a second stay one person and neighbours on a sofa, 1.5 sizes apart, stay two
GROWTH = 0.5  # what a face e times as large counts as, in sizes of distance
SAME = 0.35  # faces of a frame nearer than this are one face found twice


@dataclass(frozen=True)
class _Place:
    """x, y : of the centre, pixels; size : pixels, the root of the box's area; time_s : when"""

    x: float
    y: float
    size: float
    time_s: float

    @classmethod
    def of(cls, face: Detection, time_s: float = 0.0) -> "_Place":
        x0, y0, x1, y1 = face.box
        return cls((x0 + x1) / 2, (y0 + y1) / 2, math.sqrt(max(face.area, 1.0)), time_s)

    def apart(self, other: "_Place") -> float:
        """Pixels between the centres."""
        return math.hypot(self.x - other.x, self.y - other.y)

    def distance(self, other: "_Place") -> float:
        return self.apart(other) / math.sqrt(self.size * other.size) + GROWTH * abs(math.log(self.size / other.size))


class FaceTracker:
    """Gives every face of every frame the number of its track, from 0 in the order of appearance.

    All faces of a frame are assigned together at the least total distance, so that of two people neither takes the
    other's place when one comes nearer and the other goes back. A face too far from every track begins one. People are
    told apart by place only: who leaves and comes back elsewhere within a moment is somebody new.
    """

    def __init__(self) -> None:
        self._last: list[_Place] = []

    def assign(self, faces: list[Detection], time_s: float) -> dict[int, Detection]:
        """Faces of the next frame, the largest first, by track; `distinct` ones."""
        places = [_Place.of(face, time_s) for face in faces]
        cost = np.array([[here.distance(last) for last in self._last] for here in places]).reshape(
            len(faces), len(self._last)
        )
        far = cost > np.array([REACH + SPEED * (time_s - last.time_s) for last in self._last])
        # out of reach costs so much that it is only taken where nothing else is left, and then undone
        pairs = zip(*linear_sum_assignment(np.where(far, 1e6, cost)), strict=True)
        track = {int(i): int(j) for i, j in pairs if not far[i, j]}
        out = {}
        for i, (face, place) in enumerate(zip(faces, places, strict=True)):
            if i not in track:
                track[i] = len(self._last)
                self._last.append(place)
            self._last[track[i]] = place
            out[track[i]] = face
        return out


def distinct(faces: list[Detection]) -> list[Detection]:
    """Faces of one frame, the largest first, without those that are found twice."""
    out: list[Detection] = []
    for face in faces:
        place = _Place.of(face)
        if all(place.apart(other) > SAME * other.size for other in map(_Place.of, out)):
            out.append(face)
    return out
