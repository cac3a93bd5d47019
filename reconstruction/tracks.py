"""Every face of a recording, frame by frame: detected, judged, joined into tracks, and kept on disk."""

from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from reconstruction.ahead import ahead
from reconstruction.detectors import DetectorChoice
from reconstruction.disk_rows import DiskRows
from reconstruction.errors import InputError
from reconstruction.image_features import SIDE, crop
from reconstruction.landmarks import N_POINTS, Detection, Detector, FaceCounter
from reconstruction.occlusion import POINTS, find_covered
from reconstruction.quality import REASONS, Verdict, judge
from reconstruction.tracking import FaceTracker, distinct
from reconstruction.video import Video

MANY = 5  # faces looked for where there are several
SETTLING = 4  # times that a detector looks again where a face is new: it finds its crop by what it saw before, and its
# first answers are off by up to 3 degrees
LOOK_EVERY_S = 2.0  # how often a recording of one face is searched for others: it costs half a frame
_Found = tuple[float, np.ndarray, list[Detection]]  # time_s, rgb, faces


@dataclass
class Track:
    """One person; T frames.

    points : (T, 478, 3) float32, pixels, 0 in frames not `valid`
    colours : (T, N, 3) uint8, see `occlusion`; crops : (T, SIDE, SIDE) uint8, see `image_features`
    reason, quality : of every frame in which the face was found, in `frames`
    area : sum of the box's over frames, those not trustworthy a hundredth
    """

    points: DiskRows
    colours: DiskRows
    crops: DiskRows
    frames: "array[int]"
    reason: "array[int]"
    quality: "array[float]"
    area: float = 0.0


class Tracks:
    """What `find_tracks` found; a context manager that frees the disk.

    time_s : (T,) seconds; shown : (T,) faces found in each frame
    order : {faces: tracks from left to right in the first frame that shows so many}
    """

    def __init__(self, frame_rate: float, folder: Path | None):
        self.frame_rate, self._folder, self._files = frame_rate, folder, ExitStack()
        self.tracks: dict[int, Track] = {}
        self.order: dict[int, list[int]] = {}
        self.time_s, self.shown = array("d"), array("B")

    def add(self, track: int, verdict: Verdict, face: Detection, rgb: np.ndarray) -> None:
        """A face of the frame `rgb` that `time_s` ends with."""
        if track not in self.tracks:
            places = self._files.enter_context(DiskRows((N_POINTS, 3), np.float32, self._folder))
            colours = self._files.enter_context(DiskRows((len(POINTS), 3), np.uint8, self._folder))
            crops = self._files.enter_context(DiskRows((SIDE, SIDE), np.uint8, self._folder))
            self.tracks[track] = Track(places, colours, crops, array("L"), array("B"), array("f"))
        one, frame = self.tracks[track], len(self.time_s) - 1
        one.frames.append(frame)
        one.reason.append(verdict.code)
        one.quality.append(verdict.quality)
        one.area += face.area * (1.0 if verdict.valid else 0.01)
        if verdict.valid and verdict.colours is not None:
            one.points.write(frame, face.points)
            one.colours.write(frame, verdict.colours)
            one.crops.write(frame, crop(rgb, face.points))

    def choose(self, face: int | None, name: str) -> "Chosen":
        """The track with the largest face, summed over frames; or the `face`-th from the left, from 1, in the first
        frame that shows at least two and that many faces (the only face where there never are two).

        Raises
        ------
        InputError
            No frame of the recording `name` shows so many faces.
        """
        count = len(self.time_s)
        nobody, somebody = REASONS.index("no face"), REASONS.index("other face")
        reason = np.where(np.frombuffer(self.shown, np.uint8) > 0, somebody, nobody).astype(np.uint8)
        quality = np.zeros(count, np.float32)
        most = max(self.order, default=0)
        if face is not None and face > most > 0:
            raise InputError(
                f"expected a face up to {most}, the most that a frame of {name} shows, got {face}; count them from "
                "left to right, from 1."
            )
        if most == 0:
            nothing = self._files.enter_context(DiskRows((N_POINTS, 3), np.float32, self._folder))
            return Chosen(nothing, nothing, reason, quality)
        if face is None:
            track = max(self.tracks.values(), key=lambda track: track.area)
        else:
            track = self.tracks[self.order[min(max(face, 2), most)][face - 1]]
        frames = np.frombuffer(track.frames, np.dtype(f"u{track.frames.itemsize}")).astype(np.intp)
        reason[frames], quality[frames] = track.reason, track.quality
        track.points.extend(count)
        track.colours.extend(count)
        track.crops.extend(count)
        used = np.flatnonzero(reason == 0)
        covered = used[find_covered(track.colours, used, self.frame_rate)]
        reason[covered], quality[covered] = REASONS.index("occluded"), 0
        return Chosen(track.points, track.crops, reason, quality)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()


@dataclass(frozen=True)
class Chosen:
    """The person to fit: points (T, 478, 3) and crops (T, SIDE, SIDE) on disk; reason (T,) uint8, index into `REASONS`;
    quality (T,) float32.
    """

    points: DiskRows
    crops: DiskRows
    reason: np.ndarray
    quality: np.ndarray


def find_tracks(
    video: Video,
    detector: DetectorChoice,
    several: bool = False,
    folder: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Tracks:
    """Detect, judge and track the faces of a recording, holding a few frames at a time.

    Three threads, each a frame or two ahead of the next: one decodes and searches, one follows faces, and the caller's
    judges, which is the place for whatever else is done face by face.

    several : look for several from the start
    folder : where temporary files lie
    progress : called with frames done
    """
    out, tracker = Tracks(video.frame_rate, folder), FaceTracker()
    frames = ((time, rgb, []) for _, time, rgb in video) if several else _search(video, detector)
    with closing(ahead(frames)) as searched, closing(ahead(_follow(searched, detector, several))) as followed:
        for time, rgb, found in followed:
            faces = tracker.assign(found, time)
            out.time_s.append(time)
            out.shown.append(len(faces))
            for track, face in faces.items():
                out.add(track, judge(rgb, face), face, rgb)
            order = sorted(faces, key=lambda track: faces[track].box[0] + faces[track].box[2])
            for many in range(max(out.order, default=0) + 1, len(faces) + 1):
                out.order[many] = order
            if progress:
                progress(len(out.time_s))
    return out


def _search(video: Video, detector: DetectorChoice) -> Iterator[_Found]:
    """Frames, and every `LOOK_EVERY_S` seconds the faces in one that seems to show several, until it does."""
    due = 0.0
    with FaceCounter() as counter, ExitStack() as opened:
        search: Detector | None = None
        for _, time, rgb in video:
            found: list[Detection] = []
            if time >= due:
                due = time + LOOK_EVERY_S
                if counter.count(rgb) > 1:
                    search = search or opened.enter_context(detector.open(tracking=False, max_faces=MANY))
                    found = distinct(search.detect(rgb))
                    due = np.inf if len(found) > 1 else due
            yield time, rgb, found


def _follow(searched: Iterator[_Found], detector: DetectorChoice, several: bool) -> Iterator[_Found]:
    """Frames with the faces in each.

    Looking for several in every frame makes the detector half as slow again, so one is followed until the search shows
    others.
    """
    with ExitStack() as opened:
        follow, seen = opened.enter_context(detector.open(max_faces=MANY if several else 1)), 0
        for time, rgb, found in searched:
            if len(found) > 1:
                follow = opened.enter_context(detector.open(max_faces=MANY))
            faces = follow.detect(rgb)
            for _ in range(SETTLING if len(faces) > seen else 0):
                faces = follow.detect(rgb)
            seen = len(faces)
            # the search sees more than one who follows does at first: pictures have no second frame
            yield time, rgb, distinct(faces) or found
