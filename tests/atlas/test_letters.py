"""Letters that matplotlib's own font lacks."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from atlas.figures import AtlasFigure, letters
from atlas.figures.page import Page
from reconstruction.errors import InputWarning

PATIENTS, HEALTHY = "抑郁", "健康"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is installed is looked up anew, and matplotlib forgets what a test adds."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    for remembered in (letters._families, letters._tell):
        remembered.cache_clear()
    yield
    for remembered in (letters._families, letters._tell):
        remembered.cache_clear()


def figure(*names: str) -> AtlasFigure:
    page = Page(300, 60)
    for i, name in enumerate(names):
        page.text(10 + 100 * i, 30, name, weight="bold")
    return AtlasFigure("names", "Names", "names", page.figure)


def font(path: Path, has: str) -> str:
    """A font whose letters are all the same square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (900, 800), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square, names = pen.glyph(), [f"uni{ord(letter):04X}" for letter in has]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(has, names, strict=True)})
    builder.setupGlyf({name: square for name in (".notdef", *names)})
    builder.setupHorizontalMetrics({name: (1000, 100) for name in (".notdef", *names)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


def test_an_installed_font_lends_its_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "a-regular.ttf"
    broken.write_bytes(b"no font")
    one, both = font(tmp_path / "One.ttf", PATIENTS), font(tmp_path / "Two.ttf", PATIENTS + HEALTHY)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken), one, both])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = figure(PATIENTS, HEALTHY, "HC")
        assert shown.png() == shown.png()
        assert shown.svg() == shown.svg()
    found = [text.get_fontfamily() for text in shown.drawn.texts]
    assert [family[1:] for family in found] == [["Two"], ["Two"], []]  # one font has all; what lacks nothing is left


def test_without_one_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for names in ((PATIENTS,), (PATIENTS, HEALTHY)):
            figure(*names).png()
            figure(*names).svg()
    assert [(w.category, "fonts-noto-cjk" in str(w.message)) for w in told] == [(InputWarning, True)]


def test_names_that_lack_nothing_ask_for_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("looked for fonts"))
    figure("HC", "Größe", "Контроль", "Υγιείς").png()
