"""Files of every earlier version still load; `tests/earlier/README.md` says where they come from."""

from pathlib import Path

import numpy as np
import pytest

from atlas.atlas_file import load_atlas, save_atlas
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence, load, save
from reconstruction.storage import read_arrays
from reconstruction.template import load_template

EARLIER = Path(__file__).parent / "earlier"


@pytest.mark.filterwarnings("error")
def test_a_sequence_of_version_1(sequence: FaceSequence, tmp_path: Path) -> None:
    old = load(EARLIER / "face-sequence-1.face.safetensors")
    assert read_arrays(EARLIER / "face-sequence-1.face.safetensors", "face-sequence", 2)[1]["version"] == 1
    for name in ("shape", "expression", "pose", "translation", "time_s", "valid", "reason", "camera_matrix"):
        np.testing.assert_array_equal(getattr(old, name), getattr(sequence, name))
    assert (old.reason_names, old.simulated, old.frame_rate) == (sequence.reason_names, True, 10.0)
    again = save(old, tmp_path / "new.face.safetensors")
    assert read_arrays(again, "face-sequence", 2)[1]["version"] == 2
    np.testing.assert_array_equal(load(again).expression, old.expression)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.filterwarnings("error")
def test_atlases(version: int, tmp_path: Path) -> None:
    atlas = load_atlas(EARLIER / f"face-atlas-{version}.safetensors")
    assert (atlas.groups, atlas.reference, atlas.simulated) == (("BD", "HC", "MDD"), "HC", True)
    assert atlas.standard_faces["MDD"][None].people == 4
    assert bool(atlas.trajectories) is (version == 2)
    assert set(atlas.embeddings) == set(atlas.groups)
    if version == 1:  # what it does not know is NaN, and no file holds NaN
        with pytest.raises(InputError, match="holds NaN or infinity; nothing was written"):
            save_atlas(atlas, tmp_path / "atlas.safetensors")
        assert not list(tmp_path.iterdir())
        return
    save_atlas(atlas, tmp_path / "atlas.safetensors")
    assert load_atlas(tmp_path / "atlas.safetensors").groups == atlas.groups


@pytest.mark.filterwarnings("error")
def test_the_embedded_template_is_of_version_1() -> None:
    path = Path(__file__).parents[1] / "templates" / "atlas-head.template.safetensors"
    assert read_arrays(path, "face-template", 2)[1]["version"] == 1
    assert load_template(path).sha256 == load_template().sha256
