"""Pictures of an atlas."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atlas.atlas import Atlas, build_atlas
from atlas.figures import VIEWS, AtlasPictures, HeadPainter, png, write_sheets
from atlas.figures.bars import difference_bar, sheet
from atlas.figures.colours import difference_colours, on_surface, spread_colours, symmetric_limit, upper_limit
from atlas.figures.sheets import difference_label, overlay_sheet
from atlas.motion import MotionSpace
from reconstruction.template import Template


@pytest.fixture(scope="module")
def atlas(aggregated, template: Template, space: MotionSpace) -> Atlas:  # type: ignore[no-untyped-def]
    return build_atlas(aggregated("strong", 12, 1), template, space, permutations=0)


@pytest.fixture(scope="module")
def pictures(atlas: Atlas, template: Template, space: MotionSpace) -> AtlasPictures:
    return AtlasPictures(atlas, template, space)


def test_differences_are_white_at_zero_red_for_more_blue_for_less() -> None:
    colours = difference_colours(np.array([-1.0, 0.0, 1.0, 9.0]), 0.5).astype(int)
    assert colours[1].min() > 240
    assert colours[2][0] > 2 * colours[2][2]
    assert colours[0][2] > 2 * colours[0][0]
    assert (colours[3] == colours[2]).all()


def test_spreads_darken_evenly() -> None:
    lightness = spread_colours(np.linspace(0, 2, 9), 2.0).astype(int).sum(1)
    assert (np.diff(lightness) < 0).all()


def test_limits_are_round_and_not_ruled_by_one_vertex() -> None:
    values = np.linspace(-0.5, 0.5, 1001)
    values[0] = 80
    assert symmetric_limit([values]) == pytest.approx(0.5)
    assert upper_limit([np.abs(values)]) == pytest.approx(0.5)
    assert symmetric_limit([]) == symmetric_limit([np.zeros(5)]) == 0.01


def test_eyes_and_teeth_keep_their_colours(template: Template) -> None:
    red = np.tile(np.array([255, 0, 0], np.uint8), (len(template.colours), 1))
    colours = on_surface(template, red)
    assert (colours[template.part("skin", "lips")] == red[0]).all()
    eyes = template.part("iris", "teeth")
    assert (colours[eyes] == template.colours[eyes]).all()


def test_the_head_fills_the_picture_from_every_side_and_is_not_cut(template: Template) -> None:
    painter = HeadPainter(template, height=120)
    for view in VIEWS:
        picture = painter.draw(template.v_template, view=view)
        rows, columns = (np.flatnonzero((picture < 250).any(2).any(axis)) for axis in (1, 0))
        assert picture.shape[0] == 120
        assert (rows[-1] - rows[0]) / picture.shape[0] > 0.8
        assert (columns[-1] - columns[0]) / picture.shape[1] > 0.7
        assert rows[0] > 0
        assert columns[0] > 0
        assert columns[-1] < picture.shape[1] - 1


def test_map_colours_stay_readable(template: Template) -> None:
    painter = HeadPainter(template, height=120)
    for wanted in ((178, 24, 43), (247, 247, 247), (33, 102, 172)):
        colours = np.tile(np.array(wanted, np.uint8), (len(template.colours), 1))
        middle = painter.draw(template.v_template, colours)[50:70, 35:50].reshape(-1, 3)
        assert np.abs(np.median(middle, axis=0) - wanted).max() < 25


def test_an_outline_surrounds_an_area_and_not_the_head(template: Template) -> None:
    painter = HeadPainter(template)
    white = np.full((len(template.colours), 3), 255, np.uint8)
    chin = template.v_template[:, 1] < template.landmarks68(template.v_template)[8, 1] + 0.02
    bare, everywhere, some = (
        painter.draw(template.v_template, white, outline=outline) for outline in (None, np.ones(len(white), bool), chin)
    )
    assert (bare == everywhere).all()
    dark = (some.astype(int) < bare.astype(int) - 60).any(2)
    assert 50 < dark.sum() < 0.05 * dark.size


def test_limits_are_shared_and_the_reference_group_is_blank(pictures: AtlasPictures, template: Template) -> None:
    assert pictures.compared == ["BD", "MDD"]
    assert pictures.difference_limit_mm > 0
    surface = template.part("skin")
    assert pictures.difference_colours("HC")[surface].min() > 240
    assert pictures.difference_colours("MDD")[surface].min() < 200
    assert difference_label(pictures) == "mm more motion in the group than HC"
    assert not (pictures.difference("MDD") == pictures.standard("MDD")).all()
    assert pictures.expressive("HC", "surprise") is None
    assert np.abs(pictures.expressive("HC", "happiness").astype(int) - pictures.neutral("HC")).max() > 100


def test_sheets_are_the_same_bytes_twice_and_hold_no_date(
    pictures: AtlasPictures, atlas: Atlas, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    first = write_sheets(pictures, tmp_path / "a")
    second = write_sheets(AtlasPictures(atlas, template, space), tmp_path / "b")
    assert [p.name for p in first] == ["standard-faces.png", "overlays.png", "spread.png", "expressions.png"]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
        with Image.open(a) as opened:
            assert not set(opened.info) - {"dpi"}
            assert opened.width > 300


def test_the_reference_group_has_a_sheet_of_its_own_motion(pictures: AtlasPictures) -> None:
    with Image.open(io.BytesIO(overlay_sheet(pictures, ["HC"]))) as alone:
        colours = np.asarray(alone.convert("RGB")).reshape(-1, 3).astype(int)
    assert (colours[:, 1] > colours[:, 0] + 40).sum() > 200  # green: no difference, an amount


def test_a_sheet_leaves_empty_places_empty() -> None:
    black = np.zeros((40, 30, 3), np.uint8)
    with Image.open(io.BytesIO(sheet(["a", "b"], {"x": [black, None], "y": [None, black]}, "t", "c"))) as opened:
        picture = np.asarray(opened.convert("L"))
    assert (picture[84:124, 110:140] < 10).all()
    assert (picture[84:124, 140:170] == 255).all()
    assert (picture[124:164, 140:170] < 10).all()


def test_pictures_and_bars_are_png_without_dates() -> None:
    for content in (png(np.zeros((4, 5, 3), np.uint8)), difference_bar(0.5, "mm more")):
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content
        assert b"tIME" not in content
