"""Draw the pictures that the README shows: the embedded template, and the quality of a recording.

usage: python scripts/render_readme_pictures.py [--out docs/images]
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from atlas.figures.heads import VIEWS, HeadPainter
from atlas.figures.quality_strip import quality_strip
from atlas.simulation.people import simulate_people
from atlas.simulation.recording import simulate_recording
from reconstruction.face_model import FaceModel
from reconstruction.quality import REASONS
from reconstruction.template import Template, load_template

STATES: dict[str, dict[str, float]] = {  # what is shown: expressions 0 to 1, the jaw in radians
    "neutral": {},
    "smiling": {"mouthSmile": 0.85, "cheekSquint": 0.6, "mouthUpperUp": 0.25, "eyeSquint": 0.2},
    "eyes closed": {"eyeBlink": 1.0},
    "jaw open": {"jaw": 0.35},
}
LEFT_OUT = (  # of the recording whose quality is shown: from second to second, and why
    (4.1, 5.9, "occluded"),
    (6.0, 6.3, "occluded"),
    (9.2, 10.4, "extreme pose"),
    (14.6, 15.8, "no face"),
    (18.2, 18.4, "blurred"),
)
HEIGHT = 300  # pixels of one head
CAPTION = 34


def vertices_of(template: Template, state: dict[str, float]) -> np.ndarray:
    """(V, 3) metres, head frame: the mean face with both sides of every named expression."""
    expression = torch.zeros(1, template.n_expression)
    pose = torch.zeros(1, template.n_joints, 3)
    for name, value in state.items():
        if name == "jaw":
            pose[0, template.joint("jaw"), 0] = value
        else:
            for side in ("Left", "Right"):
                expression[0, template.expression_names.index(name + side)] = value
    with torch.no_grad():
        return FaceModel(template)(torch.zeros(1, template.n_shape), expression, pose)[0].numpy()


def head_sheet(template: Template) -> Image.Image:
    """All states, a column each, from all sides, a row each."""
    painter = HeadPainter(template, HEIGHT)
    states = {name: vertices_of(template, state) for name, state in STATES.items()}
    rows = [[painter.draw(vertices, view=view) for vertices in states.values()] for view in VIEWS]
    column = max(picture.shape[1] for row in rows for picture in row)
    width = column * len(states)
    sheet = Image.new("RGB", (width, HEIGHT * len(rows) + CAPTION), "white")
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (c * column + (column - picture.shape[1]) // 2, r * HEIGHT))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for c, name in enumerate(states):
        draw.text(((c + 0.5) * column, sheet.height - CAPTION / 2), name, "black", font, anchor="mm")
    return sheet


def example_strip(template: Template) -> bytes:
    """The quality of a simulated recording with made-up faults."""
    sequence = simulate_recording(simulate_people(3, template=template)[0], "happiness", template=template)
    reason = np.zeros(len(sequence), np.uint8)
    for start, end, name in LEFT_OUT:
        reason[(sequence.time_s >= start) & (sequence.time_s < end)] = REASONS.index(name)
    quality = np.where((sequence.time_s > 16) & (sequence.time_s < 17.3), 0.4, 1.0) * (reason == 0)
    faulty = replace(
        sequence, valid=reason == 0, reason=reason, reason_names=REASONS, quality=quality.astype(np.float32)
    )
    return quality_strip(faulty, "clip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    (out / "quality.png").write_bytes(example_strip(load_template()))
    head_sheet(load_template()).quantize(256).save(out / "atlas-head.png", optimize=True)


if __name__ == "__main__":
    main()
