"""People of known parameters seen by a detector without fault, and the calibration learnt from them: fast and exact.
Pickles as Python 2 and chumpy wrote them.
"""

import io
import pickle
import struct
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from reconstruction.calibration import Calibration
from reconstruction.camera import project
from reconstruction.face_model import FaceModel
from reconstruction.motion import motion_to_pose
from reconstruction.photographer import Renders, random_camera, random_motion
from reconstruction.template import Template
from reconstruction.training import learn

Detect = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
PEOPLE, FRAMES = 130, 6


def faultless_detector(template: Template) -> Detect:
    """``(shape (S,), motion (T, M), camera_matrix, camera_from_head (T, 4, 4))`` to the points (T, 478, 3) that a
    detector without fault reports: pixels, and depth on the same scale.
    """
    model = FaceModel(template, embedding=template.landmarks478)

    def detect(shape, motion, camera_matrix, camera_from_head):
        n = template.n_expression
        with torch.no_grad():
            points = model(
                torch.tensor(np.tile(shape, (len(motion), 1)), dtype=torch.float32),
                torch.tensor(motion[:, :n], dtype=torch.float32),
                torch.from_numpy(motion_to_pose(template, motion)),
            ).numpy()
        points[:, ~template.visible478] = points[:, template.visible478].mean(1, keepdims=True)
        depth = (points @ np.swapaxes(camera_from_head[:, 2:3, :3], 1, 2))[..., 0] + camera_from_head[:, 2:3, 3]
        middle = depth.mean(1, keepdims=True)
        depth = (depth - middle) * camera_matrix[0, 0] / middle
        pixels = project(points, camera_matrix, camera_from_head)
        return np.concatenate([pixels, depth[..., None]], 2).astype(np.float32)

    return detect


def unseen(frames: int) -> np.ndarray:
    """Features of no image, (T, 0)."""
    return np.zeros((frames, 0))


def ideal_people(template: Template, detect: Detect, people: int = PEOPLE) -> Renders:
    """Random people as in training, but without pictures; a third of a pixel of tremble."""
    parts = []
    for person in range(people):
        rng = np.random.default_rng([5, person])
        shape = rng.normal(size=template.n_shape).clip(-3, 3)
        motion = random_motion(template, FRAMES, rng)
        camera_matrix, poses = random_camera(template, FRAMES, rng)
        points = detect(shape, motion, camera_matrix, poses)
        points += rng.normal(0, 0.3, points.shape).astype(np.float32)
        cameras = np.tile(camera_matrix, (FRAMES, 1, 1))
        person_of = np.full(FRAMES, person)
        looks = unseen(FRAMES), unseen(FRAMES)
        parts.append(Renders(points, *looks, np.tile(shape, (FRAMES, 1)), motion, person_of, cameras, poses))
    return Renders.join(parts)


@pytest.fixture(scope="session")
def detect_ideally(template: Template) -> Detect:
    """`faultless_detector` of the embedded template."""
    return faultless_detector(template)


@pytest.fixture(scope="session")
def ideal_renders(template: Template, detect_ideally: Detect) -> Renders:
    """`ideal_people` of the embedded template."""
    return ideal_people(template, detect_ideally)


@pytest.fixture(scope="session")
def ideal_calibration(template: Template, ideal_renders: Renders) -> Calibration:
    """What training makes of them."""
    return learn(template, ideal_renders, {"people": PEOPLE, "frames_each": FRAMES})


@pytest.fixture(scope="session")
def learn_ideally() -> Callable[[Template], tuple[Renders, Calibration]]:
    """``learn_ideally(template)``: ideal people of any template, and what training makes of them."""

    def both(template: Template) -> tuple[Renders, Calibration]:
        renders = ideal_people(template, faultless_detector(template), people=40)
        return renders, learn(template, renders, {})

    return both


class _Python2Pickler(pickle._Pickler):
    """Writes text and bytes as Python 2 wrote its strings, so that a file is what Python 2 would have written."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value: Any) -> None:
        raw = value.encode("latin1") if isinstance(value, str) else bytes(value)
        if self.bin:
            self.write(b"U" + bytes([len(raw)]) + raw if len(raw) < 256 else b"T" + struct.pack("<i", len(raw)) + raw)
        else:
            self.write(b"S" + repr(raw)[1:].encode() + b"\n")
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string


@pytest.fixture(scope="session")
def python2_pickle() -> Callable[..., bytes]:
    """``python2_pickle(object, protocol=2)``: its bytes."""

    def dump(value: Any, protocol: int = 2) -> bytes:
        stream = io.BytesIO()
        _Python2Pickler(stream, protocol).dump(value)
        return stream.getvalue()

    return dump


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Classes that pickle under the names and with the states of chumpy's and of SciPy's sparse matrix of 2015: Ch(x),
    Select(a, idxs, preferred_shape), csc_matrix(data, indices, indptr, shape). chumpy itself does not install.
    """

    def __init__(self, x=None, **terms):
        own = {} if x is None else {"x": x}
        bookkeeping = {"_dirty_vars": {"x"}, "_itr": None, "_depends_on_deps": True, "_parents": {}, "_cache": {}}
        self.__dict__.update(bookkeeping | own | terms)

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key not in ("_parents", "_cache")}

    def of_scipy(self, data, indices, indptr, shape):
        self.__dict__.update(
            _shape=shape, maxprint=50, data=data, indices=indices, indptr=indptr, _has_sorted_indices=True
        )

    made = {}
    for module, name, body in (
        ("chumpy.ch", "Ch", {"__init__": __init__, "__getstate__": __getstate__}),
        ("chumpy.reordering", "Select", {"__init__": __init__, "__getstate__": __getstate__}),
        ("scipy.sparse.csc", "csc_matrix", {"__init__": of_scipy}),
    ):
        made[name] = type(name, (), {**body, "__module__": module})
        place = ModuleType(module)
        setattr(place, name, made[name])
        monkeypatch.setitem(sys.modules, module, place)
    monkeypatch.setitem(sys.modules, "chumpy", ModuleType("chumpy"))
    return SimpleNamespace(**made)
