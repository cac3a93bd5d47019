"""The picture of a recording's quality."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageColor

from atlas.figures.quality_strip import COLOURS, USED, VERDICT, quality_strip
from reconstruction.quality import REASONS
from reconstruction.verdict import WORDS


def shares(picture: bytes, colours):
    """Share of the time line, its middle row, in each colour."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    rgb = {name: np.array(ImageColor.getrgb(colour)) for name, colour in colours.items()}
    near = {name: np.abs(pixels - colour).max(2) < 12 for name, colour in rgb.items()}
    row = np.argmax(sum(mask.sum(1) for mask in near.values()))
    count = sum(mask[row].sum() for mask in near.values())
    return {name: mask[row].sum() / count for name, mask in near.items()}


@pytest.fixture(scope="module")
def half_covered(sequence):
    reason = np.repeat([0, REASONS.index("occluded"), 0, REASONS.index("no face")], [100, 50, 20, 30]).astype(np.uint8)
    valid = reason == 0
    return replace(sequence, reason=reason, valid=valid, quality=valid.astype(np.float32), time_s=np.arange(200) / 10)


def test_the_time_line_shows_how_much_is_what(half_covered):
    colours = {"used": USED, "occluded": COLOURS["occluded"], "no face": COLOURS["no face"]}
    found = shares(quality_strip(half_covered, "a"), colours)
    assert found["used"] == pytest.approx(0.6, abs=0.01)
    assert found["occluded"] == pytest.approx(0.25, abs=0.01)
    assert found["no face"] == pytest.approx(0.15, abs=0.01)


def test_it_says_the_verdict_in_its_colour(half_covered, sequence):
    for one, verdict in ((half_covered, "usable"), (sequence, "not usable")):
        pixels = np.asarray(Image.open(io.BytesIO(quality_strip(one, "a"))).convert("RGB"))
        assert (pixels == ImageColor.getrgb(VERDICT[verdict])).all(2).sum() > 100


def test_the_same_sequence_gives_the_same_bytes_and_every_reason_a_colour(half_covered):
    assert quality_strip(half_covered, "a") == quality_strip(half_covered, "a")
    assert WORDS.keys() == COLOURS.keys()
