"""Hands, cups and masks before a face: where it no longer looks like itself.

The detector does not notice them: it puts a mouth where it expects one and stays sure of it. But colours at the points
around mouth, eyes and nose then differ from the person's own. A frame's pattern of brightness and colour over such a
region is correlated with the person's usual one, the median of the half of the frames that resemble each other most.
Light and skin tone cancel out, and a hand, though it has the colour of skin, has no lips.

A mask worn all the time is the person's usual look; it is told by a nose of another colour than the forehead.
"""

import cv2
import numpy as np
from scipy.ndimage import median_filter

from reconstruction.camera import spread_frames
from reconstruction.disk_rows import DiskRows

# Detector points. The ids inside ellipses laid on a frontal face, 0.7 and 0.5 (mouth) and 1.3 by 0.9 (eyes, nose)
# distances of the outer eye corners wide and high; the inner lips, which part and show teeth, are left out.
# fmt: off
MOUTH = (
    0, 1, 2, 11, 16, 17, 19, 20, 37, 39, 40, 43, 44, 57, 59, 60, 61, 64, 72, 73, 74, 75, 76, 77, 79, 84, 85, 90, 91, 92,
    94, 97, 98, 99, 125, 141, 146, 164, 165, 166, 167, 180, 181, 184, 185, 186, 206, 216, 218, 219, 235, 237, 238, 239,
    240, 241, 242, 250, 267, 269, 270, 274, 290, 291, 302, 303, 304, 305, 306, 307, 314, 315, 320, 321, 322, 326, 327,
    328, 354, 370, 375, 391, 393, 404, 405, 408, 409, 457, 458, 459, 460, 461, 462,
)
EYES = (
    1, 3, 4, 5, 6, 7, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 33, 44, 45, 46, 47, 51, 52, 53, 55, 56, 65, 66, 79,
    105, 107, 110, 112, 113, 114, 115, 121, 122, 124, 125, 126, 128, 130, 131, 133, 134, 144, 145, 153, 154, 155, 157,
    158, 159, 160, 161, 163, 173, 174, 188, 189, 190, 193, 195, 196, 197, 198, 209, 217, 218, 220, 221, 222, 223, 224,
    225, 226, 231, 232, 233, 236, 237, 238, 239, 241, 243, 244, 245, 246, 247, 248, 249, 252, 253, 254, 255, 256, 257,
    258, 259, 260, 263, 274, 275, 276, 281, 282, 283, 285, 286, 295, 296, 339, 341, 342, 343, 350, 351, 353, 354, 355,
    357, 359, 360, 362, 363, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 399, 412, 413, 414, 417, 419,
    420, 437, 440, 441, 442, 443, 444, 445, 446, 449, 450, 451, 452, 453, 456, 457, 463, 464, 465, 466, 467,
)
LIPS = (
    0, 11, 16, 17, 37, 39, 40, 61, 72, 73, 74, 76, 77, 84, 85, 90, 91, 146, 180, 181, 184, 185, 267, 269, 270, 291,
    302, 303, 304, 306, 307, 314, 315, 320, 375, 404, 405, 408, 409,
)
BROWS_AND_LIDS = (
    7, 33, 46, 52, 53, 55, 65, 66, 105, 107, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246, 249,
    263, 276, 282, 283, 285, 295, 296, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466,
)
NOSE, FOREHEAD = (1, 4, 5, 45, 195, 275), (8, 9, 107, 108, 151, 336, 337)
# fmt: on
POINTS = np.array(sorted({*MOUTH, *EYES, *NOSE, *FOREHEAD}))
LIKENESS = {"mouth": 0.3, "eyes": 0.3}  # below, something is before the face. Chosen on a recording labelled by eye
# (fingers on the chin alone are missed) and on 24 renders with random, extreme expressions, 99 % of whose frames lie
# above 0.35 and 0.45; such an expression must not be taken for a hand
MASK = 16.0  # levels of Cr and Cb of 255 between nose and forehead: bare faces stay below 10, masks lie at 20 to 60
GLARE = 230  # luma above which skin has no colour of its own
SHADE, COLOUR = 1.0, 0.1  # weights of the logarithm of luma and of levels of Cr and Cb: about equal on a face
GRAIN = 65
STEADY_S = 0.25  # seconds
ENOUGH, ENOUGH_S = 12, 2.0  # frames and seconds that a usual look is learnt from: less may be one strong expression
_AT_MOST = 600  # frames, spread over the recording, that it is learnt from
_AT_ONCE = 512
_REGIONS = {"mouth": np.searchsorted(POINTS, MOUTH), "eyes": np.searchsorted(POINTS, EYES)}
_NOSE, _FOREHEAD = np.searchsorted(POINTS, NOSE), np.searchsorted(POINTS, FOREHEAD)
_DARK = {"mouth": np.isin(MOUTH, LIPS).astype(float), "eyes": np.isin(EYES, BROWS_AND_LIDS).astype(float)}


def sample(crop: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 3) uint8, Y, Cr and Cb of a face crop (H, W, 3) RGB at `POINTS` of its 478 points (478, 2 or 3), pixels;
    means over a `GRAIN`-th of its height, so that pores, noise and sharpness do not matter.
    """
    cell = max(1, crop.shape[0] // GRAIN)
    high, wide = (max(1, length // cell) for length in crop.shape[:2])
    coarse = cv2.resize(crop[: high * cell, : wide * cell], (wide, high), interpolation=cv2.INTER_AREA)
    at = ((points[None, POINTS, :2] + 0.5) / cell - 0.5).astype(np.float32)
    colours = cv2.remap(coarse, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(colours, cv2.COLOR_RGB2YCrCb)[0]


def is_masked(colours: np.ndarray) -> bool:
    """Whether samples (N, 3) show a nose of another colour than the forehead, which is not burnt out."""
    nose, forehead = colours[_NOSE].mean(0), colours[_FOREHEAD].mean(0)
    return bool(forehead[0] < GLARE and np.hypot(*(nose - forehead)[1:]) > MASK)


def find_covered(samples: DiskRows, frames: np.ndarray, frame_rate: float) -> np.ndarray:
    """Which of `frames` (U,) of a recording's samples (T, N, 3) show something before the face, (U,) bool; the
    majority over `STEADY_S`, for hands neither come nor go faster.

    None where there are too few to learn the person's usual look from; nothing sensible where the face is covered for
    most of the recording.
    """
    covered = np.zeros(len(frames), bool)
    if len(frames) < max(ENOUGH, ENOUGH_S * frame_rate):
        return covered
    some = frames[spread_frames(len(frames), _AT_MOST)]
    known = samples[some]
    for region, limit in LIKENESS.items():
        usual = usual_look(known, region)
        for i in range(0, len(frames), _AT_ONCE):
            part = slice(i, i + _AT_ONCE)
            covered[part] |= likeness(_pattern(samples[frames[part]], region), usual) < limit
    width = 2 * int(STEADY_S / 2 * frame_rate) + 1
    return median_filter(covered.astype(np.uint8), width, mode="nearest").astype(bool)


def usual_look(samples: np.ndarray, region: str) -> np.ndarray:
    """The pattern that half of the samples (T, N, 3) share, starting from those that look most like a face at all:
    redder, darker lips; darker brows and lids.
    """
    patterns = _pattern(samples, region)
    dark = _DARK[region] - _DARK[region].mean()
    score = likeness(patterns, np.concatenate([-dark / 2, dark * (region == "mouth"), 0 * dark]))
    for _ in range(4):
        usual = np.median(patterns[score >= np.median(score)], axis=0)
        score = likeness(patterns, usual)
    return usual


def likeness(patterns: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Correlation (T,) of patterns (T, K) with one (K,)."""
    return patterns @ usual / np.sqrt((patterns**2).sum(1) * (usual @ usual) + 1e-9)


def _pattern(samples: np.ndarray, region: str) -> np.ndarray:
    """(T, K) of samples (T, N, 3): logarithm of luma, Cr and Cb of a region's points, each without its mean."""
    here = samples[:, _REGIONS[region]].astype(np.float64)
    here[..., 0] = np.log(here[..., 0] + 16) * (SHADE / COLOUR)
    here -= here.mean(1, keepdims=True)
    return COLOUR * np.swapaxes(here, 1, 2).reshape(len(here), -1)
