"""FLAME (Li et al. 2017), the releases 2017 to 2023 and 2023 Open, from their pickles."""

import hashlib
from pathlib import Path

import numpy as np

from reconstruction.errors import InputError
from reconstruction.importers.head import Head
from reconstruction.importers.parts import PARTS, eyeball_parts
from reconstruction.importers.unpickle import as_array, read_pickle

N_SHAPE, N_EXPRESSION = 300, 100  # the first 300 directions are identity, the other 100 expression
PARENTS = (-1, 0, 1, 1, 1)
NEEDED = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
OPEN = "supr_expression_metadata"  # only FLAME 2023 Open has it
LICENCES = {
    True: "CC-BY-4.0 (FLAME 2023 Open, Max Planck Institute for Intelligent Systems)",
    False: "FLAME model licence: non-commercial scientific research, no redistribution (https://flame.is.tue.mpg.de)",
}


def read_flame(path: Path) -> Head:
    """The head in a FLAME pickle. Its expressions have no names and no bounds; UV coordinates are in another file.

    Raises
    ------
    InputError
        The file is no FLAME model, is damaged, or asks for code, see `read_pickle`.
    """
    found = read_pickle(path)
    missing = [key for key in NEEDED if key not in found]
    if missing:
        raise InputError(f"expected a FLAME model in {path}, but it has no {missing[0]!r}; check that it is the file.")
    arrays = {key: as_array(found[key], f"{key} of {path}") for key in NEEDED}
    v_template, n = arrays["v_template"], len(arrays["v_template"])
    joints = len(PARENTS)
    shapes = {
        "v_template": (n, 3),
        "shapedirs": (n, 3, N_SHAPE + N_EXPRESSION),
        "posedirs": (n, 3, 9 * (joints - 1)),
        "J_regressor": (joints, n),
        "weights": (n, joints),
        "kintree_table": (2, joints),
    }
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise InputError(
                f"expected {key!r} of shape {shape} in the FLAME model {path}, but it has {arrays[key].shape}; check "
                "that it is the file."
            )
    parents = arrays["kintree_table"][0].astype(np.int64)
    if tuple(parents[1:]) != PARENTS[1:]:
        raise InputError(
            f"expected FLAME's joints with parents {PARENTS} in {path}, but they are {parents.tolist()}; check "
            "the file."
        )
    regressor, weights = arrays["J_regressor"].astype(np.float32), arrays["weights"].astype(np.float32)
    first_is_left = (regressor @ v_template)[3, 0] > 0
    eyes = ("left_eye", "right_eye") if first_is_left else ("right_eye", "left_eye")
    parts = np.full(n, PARTS.index("skin"), np.uint8)
    for eye in (3, 4):
        ball = weights[:, eye] > 0.99
        if ball.any():
            parts[ball] = eyeball_parts(v_template[ball])
    directions = arrays["shapedirs"].astype(np.float32)
    return Head(
        name=path.stem.lower(), v_template=v_template, shapedirs=directions[:, :, :N_SHAPE],
        expressiondirs=directions[:, :, N_SHAPE:], posedirs=arrays["posedirs"].astype(np.float32),
        joint_regressor=regressor, parents=np.array(PARENTS), skinning_weights=weights,
        faces=arrays["f"].astype(np.int64), parts=parts,
        expression_names=tuple(f"expression{i:03d}" for i in range(N_EXPRESSION)),
        joint_names=("global", "neck", "jaw", *eyes), licence=LICENCES[OPEN in found],
        source=f"FLAME, {path.name}", source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bounded=False,
    )  # fmt: skip
