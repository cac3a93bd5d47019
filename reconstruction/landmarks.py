"""478 points a frame, with confidence, from MediaPipe's bundled face mesh.

The points and their ids are those of MediaPipe Face Mesh with refined eyes and lips: 0..467 the face, 468..472 the iris
of the subject's right eye, 473..477 that of the left.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from reconstruction.mediapipe_graph import MediaPipeGraph, read_landmarks, to_float, to_messages
from reconstruction.quiet import quiet_stderr

N_POINTS = 478

# The iBUG 68 (Sagonas et al. 2013) in the mesh's ids: contour from the subject's right ear to the left, brows, nose,
# eyes (each from the corner on the left of the picture, over the top), lips. The usual correspondence, with the brows'
# outer ends moved to the tail of the hair; the contour is the mesh's outline, which on a turned head slides less than
# iBUG's visible contour does.
# fmt: off
IBUG68 = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
])
# fmt: on

_LANDMARKS, _PRESENCE = "multi_face_landmarks", "facelandmarkcpu__face_presence_score"
_DETECTION_NODE = "facedetectionshortrangecpu__facedetectionshortrange__facedetection__TensorsToDetectionsCalculator"
_PRESENCE_NODE = "facelandmarkcpu__ThresholdingCalculator"


@dataclass(frozen=True)
class Detection:
    """One face in one frame.

    points : (478, 3) float32, pixels of the frame: x right, y down, z depth relative to the head's middle on the same
        scale, smaller is nearer
    confidence : 0 to 1, the landmark network's own estimate that its crop shows a face with these points
        (the sigmoid of its face flag); it falls when the face is covered, turned far away or gone
    box : (x0, y0, x1, y1) pixels, the points' bounding box; may reach outside the frame
    """

    points: np.ndarray
    confidence: float
    box: tuple[float, float, float, float]

    @property
    def points68(self) -> np.ndarray:
        """(68, 3) the iBUG 68."""
        return self.points[IBUG68]

    @property
    def area(self) -> float:
        """Of the box, square pixels."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])

    @property
    def interocular(self) -> float:
        """Distance of the outer eye corners, pixels, in the image plane; the unit landmark errors are given in."""
        return float(np.linalg.norm(self.points[263, :2] - self.points[33, :2]))


class Detector(Protocol):
    """Anything that finds faces in frames; a context manager."""

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces in a frame (H, W, 3) uint8, the largest first."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def to_detection(shares: np.ndarray, confidence: float, width: int, height: int) -> Detection:
    """MediaPipe's landmarks of one face (478, 3), shares of the picture, as a `Detection`."""
    points = (shares * np.array([width, height, width], float)).astype(np.float32)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return Detection(points, confidence, (float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def largest_first(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda face: -face.area)


class FaceMesh:
    """MediaPipe's face mesh as a `Detector`; a context manager.

    Parameters
    ----------
    tracking : follow faces from frame to frame. The state starts empty and nothing in it is random, so that the same
        recording gives the same numbers: use a fresh detector for each recording. Off: every frame is taken alone.
    max_faces : how many faces to look for
    min_confidence : faces below are not reported, and tracking starts anew
    """

    def __init__(self, tracking: bool = True, max_faces: int = 1, min_confidence: float = 0.5):
        self._faces: list[bytes] = []
        self._scores: list[float] = []
        self._graph = MediaPipeGraph(
            "modules/face_landmark/face_landmark_front_cpu.binarypb",
            {_LANDMARKS: self._take_faces, _PRESENCE: self._take_score},
            {"num_faces": max_faces, "use_prev_landmarks": tracking, "with_attention": True},
            lambda config: _set_thresholds(config, min_confidence),
        )
        self._min_confidence = min_confidence
        self._quiet = True

    def _take_faces(self, packet: Any) -> None:
        self._faces = to_messages(packet)

    def _take_score(self, packet: Any) -> None:
        self._scores.append(to_float(packet))

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces in a frame (H, W, 3) uint8, the largest first."""
        height, width = rgb.shape[:2]
        self._faces, self._scores = [], []
        # the networks are set up, loudly, on the first frame and for the first face
        with quiet_stderr() if self._quiet else nullcontext():
            self._graph.run(rgb)
        self._quiet = self._quiet and not self._faces
        # one score for every crop looked at, in the order of the faces; those below the threshold gave no face
        scores = [s for s in self._scores if s > self._min_confidence]
        scores += [self._min_confidence] * (len(self._faces) - len(scores))
        pairs = zip(self._faces, scores, strict=False)
        return largest_first([to_detection(read_landmarks(face), score, width, height) for face, score in pairs])

    def close(self) -> None:
        """Free the networks."""
        self._graph.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FaceCounter:
    """How many faces a frame shows, by the face detector alone that `FaceMesh` begins with; a context manager. It
    takes a third of the time, and may count what turns out to be none.
    """

    def __init__(self) -> None:
        self._count = 0
        self._graph = MediaPipeGraph(
            "modules/face_detection/face_detection_short_range_cpu.binarypb", {"detections": self._take}
        )
        self._quiet = True

    def _take(self, packet: Any) -> None:
        self._count = len(to_messages(packet))

    def count(self, rgb: np.ndarray) -> int:
        """Faces in a frame (H, W, 3) uint8."""
        self._count = 0
        with quiet_stderr() if self._quiet else nullcontext():  # the network is set up, loudly, on the first frame
            self._graph.run(rgb)
        self._quiet = False
        return self._count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._graph.close()


def _set_thresholds(config: Any, threshold: float) -> None:
    """Set the face detector's and the landmark network's thresholds."""
    from mediapipe.calculators.tensor.tensors_to_detections_calculator_pb2 import TensorsToDetectionsCalculatorOptions
    from mediapipe.calculators.util.thresholding_calculator_pb2 import ThresholdingCalculatorOptions

    changes = {
        _DETECTION_NODE: (TensorsToDetectionsCalculatorOptions, "min_score_thresh"),
        _PRESENCE_NODE: (ThresholdingCalculatorOptions, "threshold"),
    }
    for node in config.node:
        for packed in node.node_options if node.name in changes else ():
            kind, field = changes[node.name]
            options = kind.FromString(packed.value)
            setattr(options, field, threshold)
            packed.value = options.SerializeToString()
