"""Work done ahead: the same items, errors in their place, no thread left behind."""

import threading
from contextlib import closing

import pytest

from reconstruction.ahead import ahead


class Counting:
    """A generator that tells how far it is and whether it was closed."""

    def __init__(self, count, error=None):
        self.made, self.closed, self.threads = 0, False, set()
        self.third = threading.Event()
        self.items = self._make(count, error)

    def _make(self, count, error):
        try:
            for i in range(count):
                self.made += 1
                self.threads.add(threading.get_ident())
                if self.made == 3:
                    self.third.set()
                yield i
            if error:
                raise error
        finally:
            self.closed = True


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_the_same_items_in_the_same_order(count, depth):
    source = Counting(count)
    assert list(ahead(source.items, depth)) == list(range(count))
    assert list(ahead(iter(range(count)), depth)) == list(range(count))
    assert list(ahead(ahead(Counting(count).items, depth), depth)) == list(range(count)), "one behind another"
    assert source.closed
    assert threading.get_ident() not in source.threads


def test_it_works_ahead_but_not_farther_than_asked():
    source = Counting(50)
    with closing(ahead(source.items, 2)) as items:
        assert next(items) == 0
        assert source.third.wait(10), "the second and third are made before they are asked for"
        assert source.made == 3
        assert next(items) == 1
    assert source.made <= 4


def test_an_error_comes_after_the_items_before_it():
    items = ahead(ahead(Counting(5, ValueError("halfway")).items))
    assert [next(items) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="halfway"):
        next(items)
    assert list(items) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_who_stops_early_leaves_nothing_running(error):
    source = Counting(10**9)

    def stop():
        with closing(ahead(source.items)) as first, closing(ahead(first)) as items:
            assert next(items) == 0
            raise error

    with pytest.raises(error):
        stop()
    assert source.closed
    assert source.made < 9


def test_never_begun_is_never_run():
    source = Counting(3)
    ahead(source.items).close()
    assert source.made == 0
