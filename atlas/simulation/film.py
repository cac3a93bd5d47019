"""A simulated recording as a video: the template in made-up skin, light and room, captioned 'simulated'.

Appearance is drawn from the person's seed alone, so it says nothing about the group.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from atlas.simulation.people import Person
from reconstruction.camera import project
from reconstruction.rendering import Renderer
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template
from reconstruction.video_writer import VideoWriter

SKINS = ((236, 196, 172), (222, 178, 150), (198, 150, 118), (160, 112, 84), (112, 76, 58))  # sRGB
IRISES = ((92, 112, 122), (70, 104, 128), (96, 104, 66), (88, 58, 36), (52, 34, 24))
HAIRS = ((30, 24, 22), (58, 40, 28), (96, 66, 40), (150, 118, 78), (140, 138, 136))
CAPTION = "simulated"
_BATCH = 64  # frames whose vertices are held at once
_NOISE = 2.5  # grey levels of camera noise


@dataclass(frozen=True)
class Appearance:
    """What a person and the room look like.

    colours : (V, 3) uint8 sRGB
    background : (H, W, 3) uint8
    light : towards the key light, camera frame; ambient, intensity : see Renderer.render
    """

    colours: np.ndarray
    background: np.ndarray
    light: tuple[float, float, float]
    ambient: float
    intensity: float


def appearance(person: Person, template: Template, size: tuple[int, int]) -> Appearance:
    """Draw skin, hair, eyes, light and background from the person's seed; size is (width, height)."""
    rng = np.random.default_rng([person.seed, 4])
    skin = np.array(SKINS[rng.integers(len(SKINS))]) * rng.normal(1, 0.04) + rng.normal(0, 1.5, 3)
    hair = np.array(HAIRS[rng.integers(len(HAIRS))])
    colours = template.colours.astype(float)
    usual = np.median(colours[template.part("skin")], axis=0)
    for part in ("skin", "lid", "lips", "socket"):
        # lips keep more of their own red on dark skin than the ratio of the skins would leave
        share = 0.6 if part == "lips" else 1.0
        colours[template.part(part)] *= 1 + share * (skin / usual - 1)
    brow = template.part("brow")
    colours[brow] = 0.75 * hair + 0.25 * skin
    colours[template.part("iris")] = IRISES[rng.integers(len(IRISES))]
    surface = template.skin
    n = len(colours)
    texture = rng.normal(0, 3, (n, 1)) + rng.normal(0, 1.2, (n, 3))  # redness and unevenness, coarse as the mesh is
    texture[rng.integers(0, n, 25)] -= 16  # a few moles
    colours[surface] += texture[surface]
    if rng.uniform() < 0.8:
        colours = _with_hair(colours, template, hair, rng)

    width, height = size
    wall = rng.uniform(60, 200) + rng.normal(0, 12, 3)
    down, across = rng.uniform(-20, 20, 2)
    slope = np.linspace(-down, down, height)[:, None] + np.linspace(-across, across, width)
    return Appearance(
        colours=np.clip(np.round(colours), 0, 255).astype(np.uint8),
        background=np.clip(wall + slope[..., None], 0, 255).astype(np.uint8),
        light=(float(rng.uniform(-0.7, 0.7)), float(rng.uniform(-0.8, -0.3)), -0.7),
        ambient=float(rng.uniform(0.3, 0.45)),
        intensity=float(rng.uniform(0.6, 0.85)),
    )


def _with_hair(colours: np.ndarray, template: Template, hair: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Short hair as a colour: above a hairline at the forehead that falls behind the ears to the nape."""
    v = template.v_template
    top = template.landmarks68(v)[[19, 24], 1].mean()  # the brows
    line = top + rng.uniform(0.035, 0.055) - np.clip(0.075 - v[:, 2], 0, 0.08) * rng.uniform(1.2, 1.5)
    share = np.clip((v[:, 1] - line) / 0.006, 0, 1) * template.part("skin")
    ear = (np.abs(v[:, 0]) > 0.068) & (v[:, 1] < top)
    share = np.where(ear, 0, share)[:, None] * rng.uniform(0.85, 1.0)
    strands = rng.normal(0, 8, (len(v), 1))
    return colours * (1 - share) + (hair + strands) * share


def frames(sequence: FaceSequence, person: Person, template: Template, renderer: Renderer) -> Iterator[np.ndarray]:
    """Every frame of a recording, (H, W, 3) uint8 RGB, with camera noise and the caption in a lower corner."""
    look = appearance(person, template, (renderer.width, renderer.height))
    camera_from_head = sequence.camera_from_head
    rng = np.random.default_rng([person.seed, 5])
    noise = np.round(rng.normal(0, _NOISE, (renderer.height + 64, renderer.width + 64, 1))).astype(np.int16)
    for start in range(0, len(sequence), _BATCH):
        batch = slice(start, min(start + _BATCH, len(sequence)))
        moving = sequence.vertices(template, batch)
        window = _window(project(moving, sequence.camera_matrix, camera_from_head[batch]), renderer)
        part = slice(window[1], window[1] + window[3]), slice(window[0], window[0] + window[2])
        for i, vertices in enumerate(moving, start):
            rgb = look.background.copy()
            rgb[part], _ = renderer.render(
                vertices,
                template.faces,
                look.colours,
                sequence.camera_matrix,
                camera_from_head[i],
                background=look.background[part],
                light=look.light,
                ambient=look.ambient,
                intensity=look.intensity,
                window=window,
            )
            y, x = rng.integers(0, 64, 2)  # one field of noise, shifted: as good as new noise and much faster
            grain = noise[y : y + renderer.height, x : x + renderer.width]
            yield _captioned(np.clip(rgb + grain, 0, 255).astype(np.uint8))


def _window(pixels: np.ndarray, renderer: Renderer) -> tuple[int, int, int, int]:
    """Left, top, width and height of the part of the picture that the head (T, V, 2) moves in."""
    low = np.clip(np.floor(pixels.min((0, 1))) - 2, 0, (renderer.width - 1, renderer.height - 1)).astype(int)
    high = np.clip(np.ceil(pixels.max((0, 1))) + 3, low + 1, (renderer.width, renderer.height)).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


@lru_cache(maxsize=4)
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _captioned(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    picture = Image.fromarray(rgb)
    ImageDraw.Draw(picture).text(
        (0.015 * width, 0.985 * height),
        CAPTION,
        fill=(255, 255, 255),
        font=_font(0.03 * height),
        anchor="ls",
        stroke_width=1,
        stroke_fill=(0, 0, 0),
    )
    return np.asarray(picture)


def write_film(
    path: str | Path, sequence: FaceSequence, person: Person, template: Template, renderer: Renderer
) -> None:
    """Render a recording into an MP4 file."""
    with VideoWriter(path, renderer.width, renderer.height, sequence.frame_rate) as film:
        for rgb in frames(sequence, person, template, renderer):
            film.write(rgb)
