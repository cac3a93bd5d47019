"""Models of others, made of the embedded template's numbers: the real ones are not part of the project."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from reconstruction.template import Template


@pytest.fixture(scope="session")
def flame_arrays(template: Template) -> dict[str, np.ndarray]:
    """A FLAME model's arrays: 300 identity and 100 expression directions, most of them all but zero."""
    rng = np.random.default_rng(0)
    n = len(template.v_template)
    directions = np.zeros((n, 3, 400))
    directions[:, :, : template.n_shape] = template.shapedirs
    directions[:, :, 300 : 300 + template.n_expression] = template.expressiondirs
    directions[:50] += 1e-9 * rng.normal(size=(50, 3, 400))
    return {
        "v_template": template.v_template.astype(np.float64),
        "f": template.faces.astype(np.uint32),
        "shapedirs": directions,
        "posedirs": template.posedirs.astype(np.float64),
        "J_regressor": template.joint_regressor.astype(np.float64),
        "weights": template.skinning_weights.astype(np.float64),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.uint32),
    }


def as_csc(chumpy: SimpleNamespace, matrix: np.ndarray) -> Any:
    """`matrix` as an old SciPy's csc_matrix."""
    made = sp.csc_matrix(matrix)
    return chumpy.csc_matrix(made.data, made.indices, made.indptr, made.shape)


@pytest.fixture
def released(flame_arrays: dict[str, np.ndarray], chumpy: SimpleNamespace) -> dict[str, Any]:
    """The arrays as the releases before 2023 Open hold them: chumpy's objects and a sparse matrix."""
    arrays: dict[str, Any] = dict(flame_arrays)
    n = len(arrays["v_template"])
    whole = np.concatenate([arrays["weights"], np.zeros((3, 5))])
    return arrays | {
        "shapedirs": chumpy.Ch(arrays["shapedirs"]),
        "posedirs": np.asfortranarray(arrays["posedirs"]),
        "J_regressor": as_csc(chumpy, arrays["J_regressor"]),
        "weights": chumpy.Select(a=chumpy.Ch(whole), idxs=np.arange(5 * n), preferred_shape=(n, 5)),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


@pytest.fixture(scope="session")
def gnm_arrays(template: Template) -> dict[str, Any]:
    """A GNM Head's arrays: 12 identities, the template's expressions without names of ARKit's, no jaw."""
    rng = np.random.default_rng(1)
    names = ("skin", "mouth_sock", "teeth", "scleras", "irises", "pupils", "eye_exteriors")
    parts = ("skin", "mouth", "teeth", "sclera", "iris", "pupil")
    groups = [template.part(part).astype(float) for part in parts]
    joints = template.joint_regressor @ template.v_template
    kept = [template.joint(name) for name in ("global", "neck", "left_eye", "right_eye")]
    basis = np.moveaxis(template.shapedirs[:, :, :12], 2, 0)
    weights = template.skinning_weights[:, kept].copy()
    weights[:, 1] += template.skinning_weights[:, template.joint("jaw")]
    cornea = np.zeros(len(template.v_template))
    cornea[template.faces[-3:].ravel()] = 1  # three triangles that one looks through
    return {
        "version": "3.0",
        "template_vertex_positions": template.v_template,
        "template_joint_positions": joints[kept],
        "vertex_identity_basis": basis,
        "joint_identity_basis": np.einsum("jv,ivd->ijd", template.joint_regressor, basis)[:, kept]
        + 1e-5 * rng.normal(size=(12, 4, 3)),
        "expression_basis": np.moveaxis(template.expressiondirs, 2, 0),
        "skinning_weights": weights.T,
        "joint_parent_indices": np.array([-1, 0, 1, 1]),
        "triangles": template.faces,
        "triangle_uvs": template.uv[template.uv_faces],
        "expression_names": np.array([f"lower_face_region_{i:03d}" for i in range(template.n_expression)]),
        "vertex_group_names": np.array(names),
        "vertex_groups": np.stack([*groups, cornea]),
    }


@pytest.fixture(autouse=True)
def _chumpy_is_never_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module chumpy that has nothing: an importer that touched it would fail."""
    monkeypatch.setitem(sys.modules, "chumpy", ModuleType("chumpy"))
