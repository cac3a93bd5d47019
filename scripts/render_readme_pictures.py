"""Draw the pictures that the README shows: the embedded template, a recording's quality, wrinkles, an atlas's overlay.

usage: python scripts/render_readme_pictures.py [--out docs/images]
       python scripts/render_readme_pictures.py --report ATLAS/report.pdf

With --report only three of its pages are drawn, by pdftoppm (Debian's package poppler-utils).
"""

import argparse
import io
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from pypdf import PdfReader

from atlas.aggregation import AggregatedFace, summarise, template_units
from atlas.atlas import build_atlas
from atlas.biomarkers.vertex_reliability import vertex_reliability
from atlas.figures import AtlasPictures
from atlas.figures.heads import VIEWS, HeadPainter
from atlas.figures.quality_strip import quality_strip
from atlas.figures.sheets import overlay_sheet
from atlas.motion import motion_space
from atlas.simulation.people import simulate_people
from atlas.simulation.recording import simulate_recording
from measure_detail import film, make_head
from reconstruction.detail import estimate_detail
from reconstruction.detail_map import detailed_mesh
from reconstruction.face_model import FaceModel
from reconstruction.quality import REASONS
from reconstruction.rendering import Renderer, look_at_camera
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
STIMULI, PEOPLE = ("happiness", "anger", "sadness", "fear", "neutral"), 150
RAKING = (-0.6, -0.8, -0.2)  # light that shows fine form
PAGES = ("Who is in it", "The standard faces", "Differences between the groups")  # of a report, by a heading on them
REPORT_WIDTH, DESK, EDGE = 1600, "#cdd2dc", 12  # pixels, what the pages lie on, and how much of it shows
OVERLAY_WIDTH = 1100  # pixels
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


def wrinkles_sheet(template: Template) -> Image.Image:
    """A simulated face with wrinkles, grey, as it is, as parameters give it, and with the wrinkles found in a film."""
    head = make_head(template)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mkv"
        sequence = film(path, template, head, frames=24)
        detail = estimate_detail(path, template, sequence)
    neutral = sequence.neutral(template)
    flat = replace(detail, displacement=np.zeros_like(detail.displacement))
    meshes = {
        "simulated person": (head.vertices, head.faces),
        "parameters": detailed_mesh(flat, template, neutral)[:2],
        "with --detail": detailed_mesh(detail, template, neutral)[:2],
    }
    size = 4 * HEIGHT
    renderer = Renderer(size, size)
    camera_matrix, camera_from_head = look_at_camera(template.v_template, size, size, yaw=0.3)
    sheet = Image.new("RGB", (len(meshes) * HEIGHT, HEIGHT + CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(20)
    for n, (name, (vertices, faces)) in enumerate(meshes.items()):
        grey = np.full(vertices.shape, 190, np.uint8)
        rgb, _ = renderer.render(
            vertices, faces, grey, camera_matrix, camera_from_head, light=RAKING, ambient=0.0, intensity=1.1
        )
        face = Image.fromarray(rgb).crop((size * 28 // 100, size * 22 // 100, size * 73 // 100, size * 67 // 100))
        sheet.paste(face.resize((HEIGHT, HEIGHT), Image.Resampling.BOX), (n * HEIGHT, 0))
        draw.text(((n + 0.5) * HEIGHT, HEIGHT + CAPTION / 2), name, "black", font, anchor="mm")
    return sheet


def overlay(template: Template) -> Image.Image:
    """Where simulated people of MDD and BD move more or less than those of HC, with the demonstration's effects."""
    space, units = motion_space(template), template_units(template)
    people = [
        AggregatedFace(
            person.id,
            person.group,
            tuple(summarise(simulate_recording(person, s, 10, 25, 1, template), s, space, units) for s in STIMULI),
        )
        for person in simulate_people(PEOPLE, seed=1, template=template)
    ]
    atlas = build_atlas(people, template, space, permutations=0)
    pictures = AtlasPictures(atlas, template, space, vertex_reliability(template, space, "full"))
    with Image.open(io.BytesIO(overlay_sheet(pictures, pictures.compared).png())) as opened:
        size = OVERLAY_WIDTH, round(OVERLAY_WIDTH * opened.height / opened.width)
        return opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def report_pages(report: Path) -> Image.Image:
    """The pages with the headings of `PAGES` side by side."""
    texts = [page.extract_text() for page in PdfReader(report).pages]
    pages = []
    for heading in PAGES:
        number = next(n for n, text in enumerate(texts, 1) if f"\n{heading}\n" in f"\n{text}\n")
        command = ["pdftoppm", "-png", "-r", "96", "-f", str(number), "-l", str(number), str(report)]
        drawn = subprocess.run(command, capture_output=True, check=True).stdout
        pages.append(Image.open(io.BytesIO(drawn)).convert("RGB"))
    width, height = pages[0].size
    sheet = Image.new("RGB", (len(pages) * (width + EDGE) + EDGE, height + 2 * EDGE), DESK)
    for n, page in enumerate(pages):
        sheet.paste(page, (EDGE + n * (width + EDGE), EDGE))
    return sheet.resize((REPORT_WIDTH, round(REPORT_WIDTH * sheet.height / sheet.width)), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--report", type=Path, help="draw report.png alone, of this report.pdf")
    arguments = parser.parse_args()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.report:
        report_pages(arguments.report).save(out / "report.png", optimize=True)
        return
    (out / "quality.png").write_bytes(example_strip(load_template()))
    overlay(load_template()).save(out / "overlay.png", optimize=True)
    wrinkles_sheet(load_template()).quantize(64).save(out / "detail.png", optimize=True)
    head_sheet(load_template()).quantize(256).save(out / "atlas-head.png", optimize=True)


if __name__ == "__main__":
    main()
