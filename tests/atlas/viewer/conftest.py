"""A small atlas that the viewer's tests share."""

from collections.abc import Callable

import pytest

from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas, build_atlas
from atlas.motion import MotionSpace
from reconstruction.template import Template


@pytest.fixture(scope="session")
def people(aggregated: Callable[..., list[AggregatedFace]]) -> list[AggregatedFace]:
    return aggregated("strong", 12, 1)


@pytest.fixture(scope="session")
def atlas(people: list[AggregatedFace], template: Template, space: MotionSpace) -> Atlas:
    return build_atlas(people, template, space, permutations=0)
