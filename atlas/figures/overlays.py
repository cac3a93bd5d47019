"""What the atlas's pictures show: standard faces, motion against the reference group, spread; one head at a time.

An `AtlasPictures` fixes what all groups share: the painter, the scales and their limits.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any

import numpy as np

from atlas.atlas import Atlas
from atlas.figures.colours import difference_colours, on_surface, spread_colours, symmetric_limit, upper_limit
from atlas.figures.heads import HeadPainter
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import MOTION
from reconstruction.template import Template

OUTLINED = 0.1  # share of the colour limit below which a difference is not outlined: nobody would see it
EXAGGERATION = 2.0  # of the expressions beside the neutral face; printed with them


def _once(draw: Callable[..., Any]) -> Callable[..., Any]:
    """`draw`, remembered: meshes' pictures, sheets and the report show the same heads."""

    @wraps(draw)
    def remembered(self: "AtlasPictures", *arguments: Any) -> Any:
        key = (draw.__name__, *arguments)
        if key not in self.drawn:
            self.drawn[key] = draw(self, *arguments)
        return self.drawn[key]

    return remembered


@dataclass(frozen=True)
class AtlasPictures:
    """Heads of an atlas, (H, W, 3) uint8, each drawn once.

    template, space : those of the atlas
    """

    atlas: Atlas
    template: Template
    space: MotionSpace
    painter: HeadPainter = field(init=False)
    drawn: dict[tuple[Any, ...], Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "painter", HeadPainter(self.template))

    @property
    def compared(self) -> list[str]:
        """The groups that are not the reference."""
        return [group for group in self.atlas.groups if group != self.atlas.reference]

    @cached_property
    def difference_limit_mm(self) -> float:
        """Of all groups' differences on the face."""
        seen = face_mask(self.template)
        return symmetric_limit(self.atlas.overlays[group][MOTION].difference_mm[seen] for group in self.compared)

    @cached_property
    def motion_limit_mm(self) -> float:
        seen = face_mask(self.template)
        return upper_limit(self.atlas.overlays[group][MOTION].mean_mm[seen] for group in self.atlas.groups)

    @cached_property
    def spread_limit_mm(self) -> dict[str, float]:
        """By what spreads: ``shape`` and ``motion``; on the face."""
        seen = face_mask(self.template)
        faces = [self.atlas.standard_faces[group][None] for group in self.atlas.groups]
        return {
            "shape": upper_limit(face.shape_spread_mm[seen] for face in faces),
            "motion": upper_limit(face.motion_spread_mm[seen] for face in faces),
        }

    def vertices(self, group: str) -> np.ndarray:
        """(V, 3) float32, metres, head frame: the group's standard face, not exaggerated."""
        return self.atlas.standard_faces[group][None].expressive(self.template, self.space)

    def difference_colours(self, group: str) -> np.ndarray:
        """(V, 3) uint8 sRGB: the group's motion relative to the reference group."""
        colours = difference_colours(self.atlas.overlays[group][MOTION].difference_mm, self.difference_limit_mm)
        return on_surface(self.template, colours)

    @_once
    def standard(self, group: str, view: str = "front") -> np.ndarray:
        """The group's mean identity with its mean expression, not exaggerated."""
        return self.painter.draw(self.vertices(group), view=view)

    @_once
    def difference(self, group: str, view: str = "front") -> np.ndarray:
        """Motion relative to the reference group.

        A line runs round areas where every vertex's interval leaves out zero and the difference can be seen.
        """
        overlay, limit = self.atlas.overlays[group][MOTION], self.difference_limit_mm
        colours = self.difference_colours(group)
        outline = overlay.excludes_zero & (np.abs(overlay.difference_mm) >= OUTLINED * limit)
        return self.painter.draw(self.vertices(group), colours, view, outline)

    @_once
    def motion(self, group: str, view: str = "front") -> np.ndarray:
        """How far every point moves, mm."""
        colours = spread_colours(self.atlas.overlays[group][MOTION].mean_mm, self.motion_limit_mm)
        return self.painter.draw(self.vertices(group), on_surface(self.template, colours), view)

    @_once
    def spread(self, group: str, of: str, view: str = "front") -> np.ndarray:
        """How far apart the group's people are, mm; of : ``shape`` or ``motion``."""
        face = self.atlas.standard_faces[group][None]
        spread = face.shape_spread_mm if of == "shape" else face.motion_spread_mm
        colours = spread_colours(spread, self.spread_limit_mm[of])
        return self.painter.draw(self.vertices(group), on_surface(self.template, colours), view)

    @_once
    def neutral(self, group: str, view: str = "front") -> np.ndarray:
        """The group's mean identity without expression."""
        return self.painter.draw(self.atlas.standard_faces[group][None].neutral(self.template), view=view)

    @_once
    def expressive(self, group: str, stimulus: str | None, exaggeration: float = EXAGGERATION) -> np.ndarray | None:
        """The group's mean expression before a stimulus on the reference group's mean identity; None where unseen.

        One identity for all groups: what differs between the pictures is the expression.
        """
        face = self.atlas.standard_faces[group].get(stimulus)
        if face is None:
            return None
        shape = self.atlas.standard_faces[self.atlas.reference][None].shape
        vertices = face.expressive(self.template, self.space, exaggeration=exaggeration, shape=shape)
        return self.painter.draw(vertices)
