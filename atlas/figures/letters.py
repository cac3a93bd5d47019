"""Letters that matplotlib's own font lacks, as in group names of Asian scripts: from fonts that are installed.

matplotlib looks for a letter in one family of a text after the other; those that have what is lacking are named behind
its own. Figures that lack nothing are drawn as ever, with the same bytes on every machine.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from reconstruction.errors import InputWarning

OWN = "DejaVu Sans"  # carried by matplotlib


@contextmanager
def letters_of(figure: Figure) -> Iterator[None]:
    """Within, the figure is drawn with all its letters that an installed font has; a warning tells of others."""
    own = FT2Font(font_manager.findfont(OWN))
    lacking: dict[Text, set[str]] = {}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        found = {c for c in set(text.get_text()) if c.isprintable() and not own.get_char_index(ord(c))}
        if found:
            lacking[text] = found
    if not lacking:
        yield
        return
    families = _families(frozenset[str]().union(*lacking.values()))
    for text in lacking:
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families])))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # said once, below
        yield


@cache
def _families(lacking: frozenset[str]) -> tuple[str, ...]:
    """The fewest installed families that have all these letters; where none does, as many as there are."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells of every weight a family lacks
    having: dict[str, set[str]] = {}
    for path in sorted(font_manager.findSystemFonts(), key=_plain):
        try:
            font = FT2Font(path)
        except (OSError, RuntimeError):  # bitmaps, and files that are broken
            continue
        having[path] = {letter for letter in lacking if font.get_char_index(ord(letter))}
    families, left = [], set(lacking)
    while left:
        best = max(having, key=lambda path: len(having[path] & left), default=None)
        if best is None or not having[best] & left:
            _tell()
            break
        font_manager.fontManager.addfont(best)  # its list may be older than the font
        families.append(FT2Font(best).family_name)
        left -= having[best]
    return tuple(families)


def _plain(path: str) -> tuple[bool, str]:
    """Order: upright letters of usual weight first."""
    name = Path(path).name
    return "regular" not in name.casefold(), name


@cache
def _tell() -> None:
    warnings.warn(
        InputWarning(
            "no installed font has all letters of the names in the pictures, which show boxes in their place; install "
            "one, such as fonts-noto-cjk for Chinese, Japanese and Korean or fonts-noto-core for other scripts"
        ),
        stacklevel=4,
    )
