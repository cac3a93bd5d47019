"""Pictures of an atlas."""

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from atlas.atlas import Atlas, build_atlas
from atlas.figures import VIEWS, AtlasPictures, HeadPainter, atlas_figures, png, write_figure
from atlas.figures.bars import difference_bar
from atlas.figures.colours import difference_colours, on_surface, spread_colours, symmetric_limit, upper_limit
from atlas.figures.sheets import difference_label, overlay_sheet, sheet, spread_sheet
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


def test_a_dashed_line_is_shorter_and_stripes_cover_only_their_area(template: Template) -> None:
    painter = HeadPainter(template)
    white = np.full((len(template.colours), 3), 255, np.uint8)
    chin = (template.v_template[:, 1] < template.landmarks68(template.v_template)[8, 1] + 0.02).astype(float)
    bare, solid, dashed, striped = (
        painter.draw(template.v_template, white, **{name: chin} if name else {}).astype(int)
        for name in ("", "outline", "dashed", "hatched")
    )
    marks = [(picture < bare - 60).any(2) for picture in (solid, dashed, striped)]
    assert 20 < marks[1].sum() < 0.6 * marks[0].sum()
    rows = np.flatnonzero(marks[2].any(1))
    line = np.flatnonzero(marks[0].any(1)).min()
    assert rows.min() >= line - 3
    assert 0.1 < marks[2][line + 5 :].sum() / (bare[line + 5 :] < 254).all(2).sum() < 0.6


def test_points_are_placed_where_they_are_drawn(template: Template) -> None:
    painter = HeadPainter(template, height=200)
    tip = template.landmarks68(template.v_template)[30]
    near = (np.linalg.norm(template.v_template - tip, axis=1) < 0.006).astype(float)
    for view in VIEWS:
        field = painter.fields(template.v_template, near[:, None], view)[..., 0]
        drawn = np.argwhere(field > 0.5).mean(0)[::-1]
        assert np.abs(painter.place(tip[None], template.v_template, view)[0] - drawn).max() < 3


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
    assert difference_label(pictures) == "mm more motion in BD or MDD than HC"
    assert difference_label(pictures, "outward") == "mm outward in BD or MDD relative to HC"
    assert not (pictures.difference("MDD") == pictures.standard("MDD")).all()
    assert pictures.expressive("HC", "surprise") is None
    assert np.abs(pictures.expressive("HC", "happiness").astype(int) - pictures.neutral("HC")).max() > 100


def test_sheets_are_the_same_bytes_twice_and_hold_no_date(
    pictures: AtlasPictures, atlas: Atlas, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    first = [path for figure in atlas_figures(pictures) for path in write_figure(figure, tmp_path / "a")]
    names = ["standard-faces", "overlays-motion", "overlays-outward", "spread", "expressions", "stimuli"]
    assert [p.name for p in first] == [f"{name}{suffix}" for name in names for suffix in (".png", ".svg")]
    again = AtlasPictures(atlas, template, space)
    for figure in (overlay_sheet(again, again.compared), spread_sheet(again, again.atlas.groups)):
        for path in write_figure(figure, tmp_path / "b"):
            assert path.read_bytes() == (tmp_path / "a" / path.name).read_bytes()
    for a in first:
        if a.suffix == ".png":
            with Image.open(a) as opened:
                assert not set(opened.info) - {"dpi"}
                assert opened.width > 300
        else:
            root = ElementTree.fromstring(a.read_text())
            assert root.tag.endswith("svg")
            assert len([e for e in root.iter() if e.tag.endswith("image")]) > 8
            assert "date>" not in a.read_text()
            assert "simulated people" in next(e.text for e in root.iter() if e.tag.endswith("description"))


def test_the_reference_group_has_a_sheet_of_its_own_motion(pictures: AtlasPictures) -> None:
    with Image.open(io.BytesIO(overlay_sheet(pictures, ["HC"]).png())) as alone:
        colours = np.asarray(alone.convert("RGB")).reshape(-1, 3).astype(int)
    assert (colours[:, 1] > colours[:, 0] + 40).sum() > 200  # green: no difference, an amount


def test_a_sheet_leaves_empty_places_empty() -> None:
    black = np.zeros((300, 240, 3), np.uint8)
    drawn = sheet("s", "t", "c", ["a", "b"], {"x": [black, None], "y": [None, black]}, alt="squares")
    with Image.open(io.BytesIO(drawn.png())) as opened:
        picture = np.asarray(opened.convert("L")) < 10
    top, left = np.argwhere(picture)[np.argwhere(picture)[:, 1] > 110].min(0)
    for row, column, filled in ((0, 0, True), (0, 1, False), (1, 0, False), (1, 1, True)):
        place = picture[top + 300 * row : top + 300 * (row + 1), left + 240 * column : left + 240 * (column + 1)]
        assert place.all() if filled else not place.any()


def test_pictures_and_bars_are_png_without_dates() -> None:
    for content in (png(np.zeros((4, 5, 3), np.uint8)), difference_bar(0.5, "mm more")):
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content
        assert b"tIME" not in content
