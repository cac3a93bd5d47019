"""Figures beside small pictures of how they were: colours, places and words must be the same.

Pictures are compared small and blurred, so that another renderer or font rasteriser passes and another colour does not;
words are compared as text, numbers but for their sign left out. `make figures-baseline` draws the pictures anew.
"""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from made_parts import Motion, PartSet, part_sets
from matplotlib.text import Text
from PIL import Image
from scipy import ndimage

from atlas.atlas import Atlas, build_atlas
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.figures import AtlasFigure, AtlasPictures, HeadPainter, atlas_figures
from atlas.figures.courses import course_figure, unit_courses
from atlas.figures.face_map import FaceMap
from atlas.figures.forest import forest
from atlas.figures.panels import panels
from atlas.figures.sheets import overlay_sheet, standard_sheet, stimulus_sheet
from atlas.motion import MotionSpace
from atlas.statistics import Effect
from reconstruction.template import Template

BASELINE = Path(__file__).parent / "baseline"
WORDS = BASELINE / "words.json"
WIDTH = 280  # pixels of a stored picture
BLUR = 1.2  # pixels
RMS, MOST = 2.0, 32.0  # grey levels by which blurred pictures may differ, over all and at most; renderers do by 0.1, 5
FIGURES = (
    "standard-faces", "overlays-motion", "overlays-outward", "stimuli", "organ-share", "grid-share", "keypoint-share",
    "patches-speed", "effects", "course-happiness",
)  # fmt: skip


def biomarkers(sets: list[PartSet]) -> tuple[BiomarkerTable, list[Effect]]:
    """Shares and speeds that grow from part to part, in MDD from the last to the first; differences of known sizes."""
    quantities, columns = [], []
    groups = ("BD",) * 6 + ("HC",) * 6 + ("MDD",) * 6
    wiggle = np.tile(np.linspace(-1, 1, 6), 3)
    for parts in sets:
        kind, unit = ("speed", "mm/s") if parts.name == "patches" else ("share", "%")
        level = parts.name if parts.name in ("organ", "keypoint") else "region"
        rising = np.linspace(1, 2, len(parts.places))
        shares = {"HC": rising, "BD": np.ones(len(rising)), "MDD": rising[::-1]}
        for i, place in enumerate(parts.places):
            name = f"{parts.name}_{place}_{kind}"
            quantities.append(
                Quantity(name, level, unit, f"{place} {kind}", "made up", "", name, place, f"{parts.name}_{kind}")
            )
            columns.append([100 * shares[g][i] / shares[g].sum() * (1 + 0.1 * wiggle[k]) for k, g in enumerate(groups)])
    values = np.array(columns).T[:, None]
    table = BiomarkerTable(tuple(quantities), tuple(map(str, range(18))), groups, ("happiness",), values)
    effects = []
    for number, quantity in enumerate(quantities):
        for group, sign in (("BD", 1.0), ("MDD", -1.0)):
            column, own = table.column(quantity.name), np.array(groups)
            difference = float(column[own == group].mean() - column[own == "HC"].mean())
            p = (0.001, 0.02, 0.4)[number % 3]
            effects.append(
                Effect(
                    quantity.level,
                    quantity.name,
                    f"{group}-HC",
                    6,
                    6,
                    difference,
                    quantity.unit,
                    difference - 1,
                    difference + 1,
                    difference + 0.01 * sign,
                    p,
                    min(1, 20 * p),
                    2 * p,
                    0.6 + 0.1 * sign,
                )
            )
    return table, effects


def known_overlays(atlas: Atlas, template: Template) -> Atlas:
    """The atlas with significance where it is known: below the nose, by q also on the left of the face."""
    x, y, _ = template.v_template.T
    below = y < template.landmarks68(template.v_template)[33, 1]
    left = (x > 0.01) & (y < template.landmarks68(template.v_template)[27, 1])
    p, q = (np.where(where, 0.001, 0.5).astype(np.float32) for where in (below, below | left))
    overlays = {
        group: {kind: replace(overlay, p_fwe=p, q=q) for kind, overlay in own.items()}
        for group, own in atlas.overlays.items()
    }
    return replace(atlas, overlays=overlays)


@pytest.fixture(scope="module")
def pictures(aggregated, template: Template, space: MotionSpace) -> AtlasPictures:  # type: ignore[no-untyped-def]
    atlas = known_overlays(build_atlas(aggregated("strong", 12, 1), template, space, permutations=0), template)
    brow = template.landmarks68(template.v_template)[19, 1]
    doubtful = np.where(template.v_template[:, 1] > brow, 0.2, 0.9)
    made = AtlasPictures(atlas, template, space, {"motion": doubtful})
    object.__setattr__(made, "painter", HeadPainter(template, height=200))
    return made


@pytest.fixture(scope="module")
def figures(pictures: AtlasPictures, template: Template, space: MotionSpace) -> dict[str, AtlasFigure]:
    sets = part_sets(template)
    table, effects = biomarkers(sets)
    time = np.linspace(0, 5, 51)
    motions = []
    for group, size in (("HC", 0.5), ("BD", 0.6), ("MDD", 0.2)):
        motion = np.zeros((len(time), space.size))
        motion[:, space.names.index("mouthSmileLeft")] = size * np.sin(time / 2) ** 2
        motion[:, space.names.index("browDownRight")] = 0.3 - size / 2
        motions.append(
            Motion(group, "happiness", time, motion, np.full_like(motion, 0.1), np.full(len(time), 12, np.int32))
        )
    drawn = [
        standard_sheet(pictures, pictures.atlas.groups),
        overlay_sheet(pictures, pictures.compared),
        overlay_sheet(pictures, pictures.compared, "outward"),
        stimulus_sheet(pictures),
        *panels(table, effects, sets, FaceMap(template, height=220), "HC", simulated=True),
        forest("effects", "Effects", [e for e in effects if e.level == "organ"], {}, simulated=True),
        course_figure("course-happiness", "Course", unit_courses(motions, template, space), "HC", simulated=True),
    ]
    return {figure.name: figure for figure in drawn}


def pixels(content: bytes, size: tuple[int, int] | None = None) -> np.ndarray:
    """(H, W, 3) float, blurred, at `size` or `WIDTH` wide."""
    with Image.open(io.BytesIO(content)) as opened:
        size = size or (WIDTH, round(WIDTH * opened.height / opened.width))
        small = opened.convert("RGB").resize(size, Image.Resampling.BOX)
    return ndimage.gaussian_filter(np.asarray(small, float), (BLUR, BLUR, 0))


def words(figure: AtlasFigure) -> list[str]:
    """Everything written, from the upper left to the lower right; numbers as #."""
    found = [t for t in figure.drawn.findobj(Text) if t.get_visible() and t.get_text()]  # type: ignore[arg-type]
    return [re.sub(r"\d+(\.\d+)?", "#", t.get_text()) for t in found]


def same(figure: AtlasFigure, name: str, told: Mapping[str, list[str]]) -> None:
    """Assert that the figure looks and reads like the stored one."""
    stored = (BASELINE / f"{name}.png").read_bytes()
    with Image.open(io.BytesIO(stored)) as opened:
        size = opened.size
    away = pixels(figure.png(), size) - pixels(stored, size)
    assert np.sqrt((away**2).mean()) < RMS
    assert np.abs(away).max() < MOST
    assert words(figure) == told[name]


def store(figures: Mapping[str, AtlasFigure]) -> None:
    """Write the stored pictures and words."""
    BASELINE.mkdir(exist_ok=True)
    for name, figure in figures.items():
        with Image.open(io.BytesIO(figure.png())) as opened:
            small = opened.convert("RGB").resize(
                (WIDTH, round(WIDTH * opened.height / opened.width)), Image.Resampling.BOX
            )
        small.save(BASELINE / f"{name}.png", optimize=True)
    told = {name: words(figure) for name, figure in figures.items()}
    WORDS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


@pytest.fixture(scope="module")
def told(figures: dict[str, AtlasFigure], request: pytest.FixtureRequest) -> dict[str, list[str]]:
    if request.config.getoption("--write-figures"):
        store(figures)
    out: dict[str, list[str]] = json.loads(WORDS.read_text())
    return out


def test_every_figure_has_its_baseline(figures: dict[str, AtlasFigure], told: dict[str, list[str]]) -> None:
    assert set(figures) == set(FIGURES) == set(told)
    assert sum(path.stat().st_size for path in BASELINE.iterdir()) < 600_000


@pytest.mark.parametrize("name", FIGURES)
def test_figures_look_as_they_did(name: str, figures: dict[str, AtlasFigure], told: dict[str, list[str]]) -> None:
    same(figures[name], name, told)


def _reversed(pictures: AtlasPictures) -> AtlasPictures:
    overlays = {
        group: {kind: replace(overlay, difference_mm=-overlay.difference_mm) for kind, overlay in own.items()}
        for group, own in pictures.atlas.overlays.items()
    }
    return _with(pictures, replace(pictures.atlas, overlays=overlays))


def _exchanged(pictures: AtlasPictures) -> AtlasPictures:
    own = pictures.atlas.overlays
    return _with(pictures, replace(pictures.atlas, overlays={"HC": own["HC"], "BD": own["MDD"], "MDD": own["BD"]}))


def _unsure(pictures: AtlasPictures) -> AtlasPictures:
    one = np.ones(len(pictures.template.v_template), np.float32)
    overlays = {
        group: {kind: replace(overlay, p_fwe=one, q=one) for kind, overlay in own.items()}
        for group, own in pictures.atlas.overlays.items()
    }
    return _with(pictures, replace(pictures.atlas, overlays=overlays))


def _with(pictures: AtlasPictures, atlas: Atlas) -> AtlasPictures:
    made = AtlasPictures(atlas, pictures.template, pictures.space, pictures.reliability)
    object.__setattr__(made, "painter", pictures.painter)
    return made


@pytest.mark.parametrize("wrong", [_reversed, _exchanged, _unsure])
def test_a_wrong_overlay_does_not_pass(
    wrong: Callable[[AtlasPictures], AtlasPictures], pictures: AtlasPictures, told: dict[str, list[str]]
) -> None:
    with pytest.raises(AssertionError):
        same(overlay_sheet(wrong(pictures), pictures.compared), "overlays-motion", told)


def test_wrong_labels_do_not_pass(figures: dict[str, AtlasFigure], told: dict[str, list[str]]) -> None:
    exchanged = {"effects": [{"BD − HC": "MDD − HC"}.get(word, word) for word in told["effects"]]}
    exchanged["effects"] = [word.replace("BD", "MDD") for word in exchanged["effects"]]
    with pytest.raises(AssertionError):
        same(figures["effects"], "effects", exchanged)


def test_alternative_text_says_who_what_and_how_sure(figures: dict[str, AtlasFigure]) -> None:
    for figure in figures.values():
        assert "simulated people" in figure.alt
    assert "BD (n = 4)" in figures["overlays-motion"].alt
    assert "mm more motion in BD or MDD than HC" in figures["overlays-motion"].alt
    assert "family-wise error" in figures["overlays-motion"].alt
    assert "significant after correction" in figures["organ-share"].alt
    assert "MDD against HC: largest differences 01 +4.17 %" in figures["grid-share"].alt


def test_exaggeration_and_the_statement_are_printed(figures: dict[str, AtlasFigure]) -> None:
    written = [t.get_text() for t in figures["stimuli"].drawn.findobj(Text)]  # type: ignore[arg-type]
    assert sum(text.startswith("× 2") for text in written) == 15
    assert any("exaggerated 2 times" in text for text in written)
    for figure in figures.values():
        assert "research use; not a diagnosis" in [t.get_text() for t in figure.drawn.findobj(Text)]  # type: ignore[arg-type]


def test_an_atlas_has_all_its_figures(pictures: AtlasPictures, template: Template) -> None:
    sets = part_sets(template)
    table, effects = biomarkers(sets)
    drawn = atlas_figures(pictures, table, effects, sets[:1])
    names = "standard-faces overlays-motion overlays-outward spread expressions stimuli organ-share effects-regions"
    assert [figure.name for figure in drawn] == names.split()


def test_files_are_the_same_twice_and_matplotlib_is_left_alone(figures: dict[str, AtlasFigure]) -> None:
    before = dict(matplotlib.rcParams)
    for name in ("organ-share", "effects"):
        figure = figures[name]
        assert figure.png() == figure.png()
        assert figure.svg() == figure.svg()
        assert figure.png() == figure.png()
    assert dict(matplotlib.rcParams) == before
