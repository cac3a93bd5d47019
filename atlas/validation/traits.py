"""What of a recording may tell its group without showing a face: its length, camera and processing; and its course, by
which the same recording is recognised under another name.

`recording_traits` is given to `atlas.reading.read_cohort` as its `biomarkers`, so that a recording is read once.
"""

import json
import zlib

import numpy as np

from reconstruction.sequence import FaceSequence

NUMBERS = (
    "recording length", "number of frames", "frame rate", "image width", "image height", "focal length",
    "share of usable frames", "mean quality",
)  # fmt: skip
PROCESSING = "version and settings of the reconstruction"  # a category, as a number that stands for it
TIMES, CHANNELS = 24, 24  # of a course's sketch
SKETCH = (TIMES - 1) * CHANNELS
_OWN = ("seed", "stimulus")  # of one recording; says nothing of how it was processed


def recording_traits(sequence: FaceSequence) -> np.ndarray:
    """(8 + 1 + SKETCH,) float64: `NUMBERS`, `PROCESSING`, then the sketch of the course, of length 1."""
    camera, seconds = sequence.camera_matrix, float(np.ptp(sequence.time_s)) + 1 / sequence.frame_rate
    numbers = [
        seconds, len(sequence), sequence.frame_rate, *sequence.image_size, float(camera[0, 0]),
        float(sequence.valid.mean()), float(sequence.quality[sequence.valid].mean()),
    ]  # fmt: skip
    settings = {key: value for key, value in sequence.provenance.items() if key not in _OWN}
    processing = zlib.crc32(json.dumps(settings, sort_keys=True, default=str).encode())
    return np.concatenate([numbers, [processing], _course(sequence).ravel()])


def _course(sequence: FaceSequence) -> np.ndarray:
    """(TIMES - 1, CHANNELS) changes of expression and head between equal parts of the recording, on fixed random
    channels.

    Changes, because before a stimulus everyone smiles; when exactly, and what else moves, is a recording's own. Parts
    by time, so that another frame rate or frames left out leave it nearly as it is.
    """
    courses = np.concatenate([sequence.expression, 3 * sequence.pose[:, 0]], 1)[sequence.valid].astype(np.float64)
    mixing = np.random.default_rng(0).normal(size=(courses.shape[1], CHANNELS))
    mixed = (courses - courses.mean(0)) @ mixing
    edges = np.linspace(sequence.time_s[0], sequence.time_s[-1] + 1 / sequence.frame_rate, TIMES + 1)
    part = np.clip(np.searchsorted(edges, sequence.time_s[sequence.valid], side="right") - 1, 0, TIMES - 1)
    member = (part == np.arange(TIMES)[:, None]).astype(np.float64)
    changes = np.diff(member @ mixed / np.maximum(1, member.sum(1, keepdims=True)), axis=0)
    return changes / max(float(np.linalg.norm(changes)), 1e-12)
