"""FaceSequence: what a recording becomes; its file ``<stem>.face.safetensors`` and the readable ``<stem>.face.json``.

No pixel, path or name of the recording is stored.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reconstruction.camera import FACING
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel, rotation_matrix
from reconstruction.sequence_elements import ARRAYS, FIELDS, check_arrays, check_fields, say_unknown
from reconstruction.storage import read_arrays, write_arrays, write_atomically
from reconstruction.template import Template
from reconstruction.verdict import RecordingVerdict, assess

KIND, VERSION = "face-sequence", 2  # 1 had no table of elements
SUFFIX = ".face.safetensors"
BIDS_SUFFIX = "_face.safetensors"  # where a folder follows BIDS
SUFFIXES = (SUFFIX, BIDS_SUFFIX)
STATEMENT = "research use; not a diagnosis"
NOT_GIVEN = "not given"  # as template_sha256: parameters of another tool, whose model file was not at hand


@dataclass(frozen=True)
class FaceSequence:
    """Parameters of one person in one recording; T frames, S shape and E expression components, J joints.

    template, template_sha256 : the template the parameters belong to; the second is `NOT_GIVEN` where only the name of
        the model is known
    expression_names, joint_names
    shape : (S,) float32, standard deviations; one identity for the whole recording
    shape_sd : (S,) float32, its standard error
    expression : (T, E) float32, 0 neutral to 1 full; standard deviations where the template's are not `bounded`
    expression_sd : (E,) float32, standard error of one frame's expression against the recording's mean: measured on
        films of simulated people by the stage that was run, or, where ``provenance["expression_sd"]`` does not say
        "measured", expected by the landmarks' regressor, which is wider
    pose : (T, J, 3) float32, axis-angle, radians; joint 0 is the rotation of the head frame against a face that looks
        straight into the camera: camera_from_head = diag(1, -1, -1) · R(pose[:, 0]), about the head frame's origin
    translation : (T, 3) float32, metres, head frame's origin in the camera frame (OpenCV: x right, y down, z forward)
    camera_matrix : (3, 3) float32, pixels
    image_size : (width, height) pixels
    time_s : (T,) float64, seconds from the start of the recording
    valid : (T,) bool; frames without a trustworthy face are False and their parameters 0
    quality : (T,) float32, 0 unusable to 1 good; the weight of a frame
    reason : (T,) uint8, why a frame is not valid, index into `reason_names`, 0 for valid
    frame_rate : frames per second
    simulated : the person does not exist
    provenance : software version, seed, settings; plain JSON values
    """

    template: str
    template_sha256: str
    expression_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    shape: np.ndarray
    shape_sd: np.ndarray
    expression: np.ndarray
    expression_sd: np.ndarray
    pose: np.ndarray
    translation: np.ndarray
    camera_matrix: np.ndarray
    image_size: tuple[int, int]
    time_s: np.ndarray
    valid: np.ndarray
    quality: np.ndarray
    reason: np.ndarray
    reason_names: tuple[str, ...]
    frame_rate: float
    simulated: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.time_s)

    @property
    def camera_from_head(self) -> np.ndarray:
        """(T, 4, 4) float32, head frame to OpenCV camera frame, metres."""
        out = np.tile(np.eye(4, dtype=np.float32), (len(self), 1, 1))
        out[:, :3, :3] = FACING.astype(np.float32) @ rotation_matrix(torch.from_numpy(self.pose[:, 0])).numpy()
        out[:, :3, 3] = self.translation
        return out

    def vertices(self, template: Template, frames: slice | np.ndarray = slice(None)) -> np.ndarray:
        """(T, V, 3) float32, metres, head frame: global rotation and translation left out, jaw, neck and eyes in."""
        self.check_template(template)
        pose = torch.from_numpy(self.pose[frames]).clone()
        pose[:, 0] = 0
        expression = torch.from_numpy(self.expression[frames])
        shape, model = torch.from_numpy(self.shape)[None], FaceModel(template)
        batches = [model(shape, *part) for part in zip(expression.split(64), pose.split(64), strict=True)]
        return torch.cat(batches).numpy() if batches else np.zeros((0, len(template.v_template), 3), np.float32)

    def neutral(self, template: Template) -> np.ndarray:
        """(V, 3) float32, metres, head frame: the person's shape without expression or pose."""
        self.check_template(template)
        return template.v_template + template.shapedirs @ self.shape

    def check_known(self) -> None:
        """Raise InputError where only the name of the parameters' template is known."""
        if self.template_sha256 == NOT_GIVEN:
            raise InputError(
                f"expected parameters of a template that is known, but these were converted from another tool without "
                f"the model's file ({self.template}); convert them again with --template FILE, made by face-atlas "
                "template import."
            )

    def check_template(self, template: Template) -> None:
        """Raise InputError unless the parameters belong to `template`."""
        self.check_known()
        if self.template_sha256 != template.sha256:
            raise InputError(
                f"expected parameters of template {template.name} ({template.sha256[:8]}), but they belong to "
                f"{self.template} ({self.template_sha256[:8]}); load that template or reconstruct the recording again."
            )

    @property
    def stage(self) -> str:
        """What the parameters come from: `full` or `fast` of `reconstruct`, ``simulated`` without pictures, or
        ``unknown``.
        """
        known = ("full", "fast", "simulated")
        said = self.provenance.get("quality", self.provenance.get("method"))
        return said if said in known else "unknown"

    @property
    def verdict(self) -> RecordingVerdict:
        """What the recording is worth as a whole."""
        return assess(self.reason, self.reason_names, self.quality, self.frame_rate)

    def summary(self) -> dict[str, Any]:
        """What a reader wants to know first; the sidecar."""
        reasons = {n: int((self.reason == i).sum()) for i, n in enumerate(self.reason_names) if i}
        return {
            "kind": KIND,
            "version": VERSION,
            "statement": STATEMENT,
            "simulated": self.simulated,
            "template": self.template,
            "verdict": self.verdict.as_json(),
            "frames": len(self),
            "frames_used": int(self.valid.sum()),
            "frames_left_out": {n: count for n, count in reasons.items() if count},
            "seconds": round(float(self.time_s[-1] - self.time_s[0]) + 1 / self.frame_rate, 3) if len(self) else 0.0,
            "frame_rate": self.frame_rate,
            "image_size": list(self.image_size),
            "expression_names": list(self.expression_names),
            "joint_names": list(self.joint_names),
            "arrays": {
                "shape": "(S,) standard deviations",
                "expression": "(T, E) 0 neutral to 1 full",
                "pose": "(T, J, 3) axis-angle, radians; joint 0 against a face that looks straight into the camera",
                "translation": "(T, 3) metres, OpenCV camera frame",
                "time_s": "(T,) seconds",
                "valid": "(T,) frames with a trustworthy face",
            },
            "provenance": self.provenance,
        }


def save(sequence: FaceSequence, path: str | Path) -> Path:
    """Write ``<stem>.face.safetensors`` and ``<stem>.face.json``, or both with ``_face``; returns the first one's path.

    Raises
    ------
    InputError
        The path ends in none of `SUFFIXES`, a number is not finite, or the sequence is none that `load` would read.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"expected a file name ending in {SUFFIX}, got {path.name}; rename it.")
    arrays = {name: np.asarray(getattr(sequence, name), element.dtype) for name, element in ARRAYS.items()}
    fields = {name: getattr(sequence, name) for name in FIELDS}
    check_arrays(arrays, check_fields(fields, path), path)
    write_arrays(path, KIND, VERSION, arrays, fields, about_arrays())
    write_sidecar(sequence, path)
    return path


def write_sidecar(sequence: FaceSequence, path: Path) -> None:
    """Write the readable summary that lies beside the parameter file `path`."""
    sidecar = json.dumps(sequence.summary(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path.with_suffix(".json"), sidecar.encode())


def stem_of(path: Path) -> str:
    """The name of a parameter file without what every one of them ends in."""
    return path.name.removesuffix(SUFFIX).removesuffix(BIDS_SUFFIX)


def about_arrays() -> dict[str, dict[str, str]]:
    """What the table of elements says of every array beside its encoding: axes, unit, frame."""
    about = {name: {"axes": e.axes, "unit": e.unit, "frame": e.frame} for name, e in ARRAYS.items()}
    return {name: {key: text for key, text in more.items() if text} for name, more in about.items()}


def load(path: str | Path) -> FaceSequence:
    """Read a ``.face.safetensors`` or ``_face.safetensors`` file of this version or an earlier one; the sidecar is not
    needed.

    What is unknown in it is left out with an `InputWarning`; what may be absent is taken to be as ``docs/format.md``
    says.

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind or newer than this software.
    """
    arrays, header = read_arrays(path, KIND, VERSION)
    say_unknown(arrays, header, path)
    fields = check_fields(header, path)
    values: dict[str, Any] = check_arrays(arrays, fields, path) | fields
    return FaceSequence(**values)
