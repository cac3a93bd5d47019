"""Frames to a video file: streaming, whole or not at all, the same bytes for the same frames."""

import os
import tempfile
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from reconstruction.errors import InputError
from reconstruction.quiet import quiet_stderr

_CODECS = {".mp4": "mp4v", ".webm": "VP80"}


class VideoWriter:
    """Writes RGB frames of one size; a context manager: the file appears when it is left without an exception.

    path : the suffix decides: ``.mp4`` MPEG-4 part 2, quick (2 ms a frame of 640x360) and small, for programs;
        ``.webm`` VP8 (30 ms), which browsers play. OpenCV's wheel has no H.264 encoder

    Raises
    ------
    InputError
        The suffix is another one, or OpenCV cannot write such files here.
    """

    def __init__(self, path: str | Path, width: int, height: int, frame_rate: float):
        self.path = Path(path)
        suffix = self.path.suffix.lower()
        if suffix not in _CODECS:
            raise InputError(
                f"expected a video file ending in {' or '.join(_CODECS)}, got {self.path.name}; change it."
            )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".writing-", suffix=suffix)
        os.close(handle)
        self._temporary = Path(temporary)
        codec = cv2.VideoWriter.fourcc(*_CODECS[suffix])
        with quiet_stderr():
            self._writer = cv2.VideoWriter(temporary, cv2.CAP_FFMPEG, codec, frame_rate, (width, height))
        if not self._writer.isOpened():
            self._temporary.unlink()
            raise InputError(
                f"expected OpenCV to write {_CODECS[suffix]} video, but it cannot open {self.path}; reinstall "
                "opencv-contrib-python from its wheel."
            )

    def write(self, rgb: np.ndarray) -> None:
        """Append one frame, (H, W, 3) uint8 RGB."""
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.release()
        if kind is None:
            if self.path.suffix.lower() == ".webm":
                _fix_track_id(self._temporary)
            self._temporary.chmod(0o644)
            self._temporary.replace(self.path)
        else:
            self._temporary.unlink(missing_ok=True)


def _fix_track_id(path: Path) -> None:
    """Give a WebM file the track id 1 instead of a random one (Matroska's TrackUID and TagTrackUID, 8 bytes each)."""
    with path.open("r+b") as stream:
        head = stream.read(4096)
        place = head.find(b"\x73\xc5\x88")
        if place < 0:
            return
        random = head[place + 3 : place + 11]
        stream.seek(0)
        stream.write(head.replace(random, (1).to_bytes(8, "big")))
