"""Rows on disk read like an array."""

import numpy as np
import pytest

from reconstruction.disk_rows import DiskRows


def test_reads_as_the_array_it_stands_for(tmp_path):
    expected = np.zeros((9, 4, 3), np.float32)
    with DiskRows((4, 3), np.float32, tmp_path) as rows:
        for i in (0, 1, 5, 3):
            expected[i] = np.random.default_rng(i).normal(size=(4, 3))
            rows.write(i, expected[i])
        assert rows.shape == (6, 4, 3)
        rows.extend(9)
        assert len(rows) == 9
        odd = np.arange(9) % 2 == 1
        for which in (slice(None), slice(2, 6), slice(0, 9, 3), np.array([5, 0, 1, 1]), odd, np.array([], int)):
            np.testing.assert_array_equal(rows[which], expected[which])
        np.testing.assert_array_equal(rows[odd, :, :2], expected[odd, :, :2])
        np.testing.assert_array_equal(rows[1:4, 2], expected[1:4, 2])
        with pytest.raises(IndexError):
            rows[np.array([9])]
        assert not list(tmp_path.iterdir()), "the file has no name"
