"""A recording as NumPy arrays."""

import io
import zipfile
from pathlib import Path

import numpy as np

from reconstruction.detail_map import DetailMap, detailed_mesh
from reconstruction.sequence import FaceSequence
from reconstruction.storage import write_atomically
from reconstruction.template import Template


def arrays_of(sequence: FaceSequence, template: Template) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` export; T frames, V vertices, E expressions, J joints; frames left out are 0.

    vertices (T, V, 3), neutral (V, 3), landmarks68 (T, 68, 3), neutral_landmarks68 (68, 3) : metres, head frame: global
        rotation and translation removed, jaw, neck and eyes left in
    camera_from_head (T, 4, 4) : metres, OpenCV; camera_matrix (3, 3) : pixels; faces (F, 3)
    shape (S,), expression (T, E), expression_names (E,), pose (T, J, 3) axis-angle, valid (T,), time_s (T,)
    """
    vertices = sequence.vertices(template)
    vertices[~sequence.valid] = 0
    neutral = sequence.neutral(template).astype(np.float32)
    camera_from_head = sequence.camera_from_head
    camera_from_head[~sequence.valid] = 0
    return {
        "vertices": vertices,
        "camera_from_head": camera_from_head,
        "camera_matrix": sequence.camera_matrix,
        "faces": template.faces,
        "landmarks68": template.landmarks68(vertices).astype(np.float32),
        "neutral": neutral,
        "neutral_landmarks68": template.landmarks68(neutral).astype(np.float32),
        "shape": sequence.shape,
        "expression": sequence.expression,
        "expression_names": np.array(sequence.expression_names, dtype=np.str_),
        "pose": sequence.pose,
        "valid": sequence.valid,
        "time_s": sequence.time_s,
    }


def detail_arrays(sequence: FaceSequence, template: Template, detail: DetailMap) -> dict[str, np.ndarray]:
    """What wrinkles add to an ``.npz`` export.

    detailed_neutral (V', 3) : metres, the neutral face with wrinkles; detailed_faces (F', 3)
    displacement (256, 256) : metres along the normal; displacement_confidence (256, 256), 0 to 1
    displacement_window (4,) : lowest u and v, highest u and v of the map; uv (U, 2), uv_faces (F, 3) : the template's
    """
    vertices, faces, _ = detailed_mesh(detail, template, sequence.neutral(template))
    return {
        "detailed_neutral": vertices,
        "detailed_faces": faces,
        "displacement": detail.displacement,
        "displacement_confidence": detail.confidence,
        "displacement_window": detail.window,
        "uv": template.uv,
        "uv_faces": template.uv_faces,
    }


def write_arrays_npz(path: str | Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write a ``.npz`` file that ``numpy.load`` opens without pickle. Unlike numpy.savez's it holds no time stamp."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            one = io.BytesIO()
            np.lib.format.write_array(one, np.asanyarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, one.getvalue(), compresslevel=1)
    write_atomically(path, packed.getvalue())
    return Path(path)
