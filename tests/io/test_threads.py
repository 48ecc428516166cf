"""threads.py: order, bounds and ends, with real threads."""

import threading
import time

import pytest
import torch

from kinepose.io.threads import ahead, in_order, networks_in_one_thread


class BrokenError(Exception):
    pass


def numbers(count, made, closed):
    try:
        for number in range(count):
            made.append(number)
            yield number
        raise BrokenError
    finally:
        closed.append(threading.get_ident())


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_ahead_gives_all_in_order_and_then_the_error(depth):
    made, closed, seen = [], [], []
    with pytest.raises(BrokenError):
        for number in ahead(numbers(20, made, closed), depth):
            seen.append(number)
            assert len(made) <= len(seen) + depth
    assert seen == list(range(20)) and len(closed) == 1


def test_ahead_works_elsewhere_and_ends_when_it_is_broken_off():
    made, closed = [], []
    before = threading.active_count()
    stream = ahead(numbers(1000, made, closed), 4)
    assert next(stream) == 0
    assert threading.active_count() == before + 1
    stream.close()
    assert threading.active_count() == before
    assert len(made) <= 6 and len(closed) == 1


def test_a_thread_that_nobody_waits_for_is_not_in_the_way(monkeypatch):
    """As where Ctrl-C comes while it begins."""
    monkeypatch.setattr("kinepose.io.threads.ThreadPoolExecutor.shutdown", lambda *_, **__: None)
    begun, closed = threading.Event(), []

    def slow():
        try:
            yield 0
            begun.set()
            time.sleep(0.2)
            yield 1
        finally:
            closed.append(True)

    stream = ahead(slow(), 2)
    assert next(stream) == 0 and begun.wait(10)
    stream.close()
    assert closed == [True]


def test_in_order_keeps_the_order_though_later_work_ends_first():
    second_done = threading.Event()

    def double(number):
        if number == 0:
            assert second_done.wait(10)
        if number == 1:
            second_done.set()
        return 2 * number

    assert list(in_order(double, range(10), workers=2)) == [2 * number for number in range(10)]


def test_in_order_draws_no_more_than_it_needs_and_passes_errors_on():
    made = []

    def fails_at_five(number):
        if number == 5:
            raise BrokenError
        return number

    seen = []
    with pytest.raises(BrokenError):
        for result in in_order(fails_at_five, numbers(1000, made, []), workers=2):
            seen.append(result)
            assert len(made) <= len(seen) + 3
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_so_many_items_wait_beside_those_that_are_worked_on(depth):
    taken, may_end = [], threading.Event()

    def items():
        for number in range(20):
            taken.append(number)
            if number == depth:  # one is worked on, and as many wait
                threading.Timer(0.1, may_end.set).start()
            yield number

    results = in_order(lambda number: may_end.wait(10) and number, items(), 1, depth)
    assert next(results) == 0
    assert len(taken) == depth + 1
    assert list(results) == list(range(1, 20))


def test_networks_have_one_thread_until_the_last_one_is_done():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with networks_in_one_thread() as outer:
            assert in_a_new_thread(torch.get_num_threads) == 1
            first, second = networks_in_one_thread(), networks_in_one_thread()
            assert first.__enter__() == second.__enter__() == outer == 3
            first.__exit__(None, None, None)
            assert in_a_new_thread(torch.get_num_threads) == 1
        assert in_a_new_thread(torch.get_num_threads) == 1, "the second one is not done"
        second.__exit__(None, None, None)
        assert in_a_new_thread(torch.get_num_threads) == 3
        with pytest.raises(BrokenError), networks_in_one_thread():
            raise BrokenError
        assert in_a_new_thread(torch.get_num_threads) == 3
    finally:
        torch.set_num_threads(before)


def in_a_new_thread(function):
    told = []
    thread = threading.Thread(target=lambda: told.append(function()))
    thread.start()
    thread.join()
    return told[0]
