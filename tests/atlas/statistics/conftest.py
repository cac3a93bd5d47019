"""Tables of made-up numbers that the tests of statistics share."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable


@pytest.fixture(scope="session")
def table_of() -> Callable[..., BiomarkerTable]:
    """``table_of(values (P, Q), groups)``: a table of one stimulus and one family."""

    def make(values: np.ndarray, groups: Sequence[str], family: str = "numbers") -> BiomarkerTable:
        quantities = tuple(
            Quantity(f"q{i}", "measure", "mm", f"quantity {i}", "", "", f"q{i}", f"q{i}", family)
            for i in range(values.shape[1])
        )
        ids = tuple(f"sub-{i:03d}" for i in range(len(values)))
        return BiomarkerTable(quantities, ids, tuple(groups), ("all",), np.asarray(values, float)[:, None])

    return make
