"""The script that made the embedded template makes it again."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reconstruction.template import load_template

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_embedded_template_can_be_made_again(template, shared_data, tmp_path):
    pytest.importorskip("pymeshlab", reason="needs pip install -e .[train]")
    source = shared_data("ict_facekit/ict_facekit_light.npz")
    out = tmp_path / "again.template.safetensors"
    subprocess.run([sys.executable, "scripts/train_template.py", source, "--out", out], cwd=ROOT, check=True)
    again = load_template(out)
    np.testing.assert_array_equal(again.faces, template.faces)
    for name in ("v_template", "shapedirs", "expressiondirs", "posedirs"):
        np.testing.assert_allclose(getattr(again, name), getattr(template, name), atol=1e-5)
    assert again.expression_names == template.expression_names
