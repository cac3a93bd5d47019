"""What all importers share: checks, the first detection, UV for a mesh without."""

from dataclasses import replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.importers import read_head
from reconstruction.importers.head import Head, unroll
from reconstruction.importers.parts import PARTS


@pytest.fixture(scope="module")
def head(template) -> Head:
    """The embedded template as if it came from elsewhere."""
    names = Head.__dataclass_fields__.keys() - {"landmarks68", "uv", "uv_faces", "parts"}
    return Head(
        parts=np.full(len(template.v_template), PARTS.index("skin")), **{n: getattr(template, n) for n in names}
    )


def test_a_head_turned_away_is_refused(head):
    away = replace(head, v_template=head.v_template * [1, 1, -1])
    with pytest.raises(InputError, match="detector to find the face of atlas-head, but it did in only"):
        away.to_template()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posedirs": np.zeros((3, 3, 3))}, "pose directions of shape"),
        ({"faces": np.full((4, 3), -1)}, "triangles of vertices below 4850"),
        ({"parents": np.array([-1, 2, 0, 1, 1])}, "joints that follow their parents"),
        ({"skinning_weights": np.zeros((4850, 5))}, "skinning weights that sum to 1"),
        ({"shapedirs": np.full((4850, 3, 2), np.nan)}, "finite shape directions"),
    ],
)
def test_parts_that_do_not_belong_together(head, change, message):
    with pytest.raises(InputError, match=message):
        replace(head, **change).to_template()


def test_a_mesh_is_unrolled_without_a_triangle_round_the_head(template):
    uv, uv_faces = unroll(template.v_template, template.faces)
    assert uv.min() >= 0
    assert uv.max() <= 1
    corners = uv[uv_faces]
    width = np.ptp(corners[..., 0], axis=1)
    assert np.quantile(width, 0.99) < 0.1
    assert width.max() < 0.5, "a whole turn, which only the crown may come near"


@pytest.mark.parametrize(("name", "message"), [("a.fbx", "expected a FLAME .pkl"), ("none.pkl", "does not exist")])
def test_other_sources_are_named(tmp_path, name, message):
    (tmp_path / "a.fbx").write_bytes(b"")
    with pytest.raises(InputError, match=message):
        read_head(tmp_path / name)
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="expected an npz file"):
        read_head(tmp_path / "a.npz")
