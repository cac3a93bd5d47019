"""The face as a map, and the words beside it."""

import numpy as np
import pytest
from made_parts import Motion, part_sets
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from atlas.figures.courses import unit_courses
from atlas.figures.face_map import FaceMap, Shape, label_beside
from atlas.figures.words import decimals, listed
from atlas.motion import MotionSpace, face_mask
from reconstruction.template import Template


@pytest.fixture(scope="module")
def face(template: Template) -> FaceMap:
    return FaceMap(template, height=200)


def area(line: np.ndarray) -> float:
    after = np.roll(line, -1, 0)
    return float(abs((line[:, 0] * after[:, 1] - after[:, 0] * line[:, 1]).sum()) / 2)


def test_cells_of_a_grid_tile_the_face_row_by_row(face: FaceMap, template: Template) -> None:
    shapes = face.shapes(part_sets(template)[2])
    assert sum(area(shape.lines[0]) for shape in shapes.values()) == pytest.approx(area(face.outline), rel=0.01)
    centres = np.array([shape.centre for shape in shapes.values()]).reshape(4, 4, 2)
    assert (np.diff(centres[..., 1].mean(1)) > 0).all()
    assert (np.diff(centres[..., 0].mean(0)) > 0).all()
    right_eye = face.points[36:42].mean(0)
    low, high = (getattr(shapes["05"].lines[0], end)(0) for end in ("min", "max"))
    assert low[1] < right_eye[1] < high[1]


def test_organs_run_through_their_points_and_patches_lie_where_they_weigh(face: FaceMap, template: Template) -> None:
    organs, _, _, patches = part_sets(template)
    lips = face.shapes(organs)["OLC"]
    assert lips.closed
    assert not lips.filled
    assert lips.lines[0] == pytest.approx(face.points[48:60])
    assert not face.shapes(organs)["contour"].closed
    for place, weights in zip(patches.places, patches.weights, strict=True):
        middle = face.place(np.average(template.v_template, axis=0, weights=weights)[None])[0]
        assert np.linalg.norm(face.shapes(patches)[place].centre - middle) < 12


def test_a_square_has_its_middle_in_the_middle() -> None:
    square = np.array([[0, 0], [4, 0], [4, 2], [2, 2], [0, 2.0]])
    assert Shape([square], True, True).centre == pytest.approx([2, 1])


def test_words_beside_a_face_do_not_overlap() -> None:
    axes = Figure().add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 400)
    axes.set_ylim(300, 0)
    rng = np.random.default_rng(0)
    anchors = np.stack([rng.uniform(50, 350, 20), rng.uniform(140, 170, 20)], 1)
    label_beside(axes, anchors, [str(i) for i in range(20)], 9)
    found = [child for child in axes.get_children() if isinstance(child, Annotation)]
    assert len(found) == 20
    for side in (4, 396):
        heights = sorted(a.get_position()[1] for a in found if a.get_position()[0] == side)
        assert np.diff(heights).min() > 18
        assert heights[0] >= 0
        assert heights[-1] <= 300


def test_the_interval_of_a_unit_is_never_too_narrow(template: Template, space: MotionSpace) -> None:
    rng = np.random.default_rng(0)
    smiles = [space.names.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    people = np.zeros((30, 4, space.size))
    people[:, :, smiles] = rng.normal(0.4, 0.1, (30, 4, 2))
    motion = Motion("HC", "happiness", np.arange(4.0), people.mean(0), people.std(0, ddof=1), np.full(4, 30, np.int32))
    course = next(c for c in unit_courses([motion], template, space) if c.quantity == "AU12")
    intensity = 5 * people[:, :, smiles].mean(2)
    assert course.mean == pytest.approx(intensity.mean(0))
    exact = 2.045 * intensity.std(0, ddof=1) / np.sqrt(30)
    assert (course.high - course.mean >= exact - 1e-9).all()
    assert (course.high - course.mean <= 1.8 * exact).all()


@pytest.mark.parametrize(("largest", "digits"), [(22.7, 1), (1.5, 2), (0.77, 2), (0.04, 4), (0.0, 1), (np.nan, 1)])
def test_numbers_show_a_hundredth_of_the_largest(largest: float, digits: int) -> None:
    assert decimals(largest) == digits


def test_lists_read_as_sentences() -> None:
    assert listed(["A"]) == "A"
    assert listed(["A", "B", "C"], "or") == "A, B or C"


def test_the_face_is_inside_its_outline(face: FaceMap, template: Template) -> None:
    placed = face.place(template.v_template[face_mask(template)])
    assert (placed.min(0) >= face.outline.min(0) - 1e-6).all()
    assert (placed.max(0) <= face.outline.max(0) + 1e-6).all()
    height, width = face.picture.shape[:2]
    assert placed.min() > 0
    assert (placed.max(0) < (width, height)).all()
