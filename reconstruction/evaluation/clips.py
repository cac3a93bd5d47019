"""Clips made from clips: halves of one, and its first frame held still."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from reconstruction.errors import InputError
from reconstruction.video import Video, open_video

STILL_FRAMES = 50  # two seconds of most recordings
NOISE = 2.0  # of 255, standard deviation of a small camera's noise in even light
JPEG_QUALITY = 90


def split(clip: Path, folder: Path) -> list[Path]:
    """The first and second half of a clip's frames as files without loss, at its frame rate."""
    source = open_video(clip)
    frames = sum(1 for _ in source)
    if frames < 2:
        raise InputError(f"expected a clip with two halves, but {clip} has {frames} frame; give a video.")
    middle, taken = frames // 2, iter(source)
    return [
        _write(folder / f"half-{i}.avi", source, (rgb for _, (_, _, rgb) in zip(range(count), taken, strict=False)))
        for i, count in ((1, middle), (2, frames - middle))
    ]


def write_still(film: Path, out: Path, seed: int, frames: int = STILL_FRAMES) -> Path:
    """The first frame of a film held still, with a camera's noise (Gaussian) and JPEG compression anew in every frame:
    what trembles in a reconstruction of it is the reconstruction's own. (MPEG-4 would smooth the noise away.)

    out : an ``.avi`` file
    """
    source = open_video(film)
    _, _, rgb = next(iter(source))

    def seen() -> Iterator[np.ndarray]:
        rng = np.random.default_rng(seed)
        for _ in range(frames):
            noisy = rgb + NOISE * rng.standard_normal(rgb.shape, np.float32)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
            _, packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            yield cv2.imdecode(packed, cv2.IMREAD_COLOR)

    return _write(out, source, seen())


def _write(out: Path, source: Video, frames: Iterable[np.ndarray]) -> Path:
    """RGB frames like those of `source` as FFV1, which loses nothing."""
    writer = cv2.VideoWriter(str(out), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), source.frame_rate, source.size)
    try:
        for rgb in frames:
            writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    return out
