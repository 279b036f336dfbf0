"""Calls in a thread of their own: in order, a few at most, and an error stops what comes after it."""

import threading
import time

import pytest

from coactivation_manifolds.in_order import InOrder


def test_order_and_results():
    done = []

    def call(number):
        time.sleep(0.002 * (number % 3))
        done.append(number)
        return number * number

    with InOrder(unfinished=2) as background:
        for number in range(20):
            background.submit(lambda number=number: call(number))
        assert background.results() == [number * number for number in range(20)]
    assert done == list(range(20))


def test_no_more_than_asked_for_wait():
    gate, begun = threading.Event(), []

    def call(number):
        begun.append(number)
        assert gate.wait(30)

    with InOrder(unfinished=2) as background:
        for number in range(2):
            background.submit(lambda number=number: call(number))
        third = threading.Thread(target=background.submit, args=(lambda: call(2),))
        third.start()
        third.join(0.05)
        assert third.is_alive()
        gate.set()
        third.join(30)
        background.results()
    assert begun == [0, 1, 2]


def test_an_error_is_raised_as_it_is_and_nothing_after_it_is_done():
    done = []

    def fail():
        raise OSError("no space left")

    with InOrder(unfinished=3) as background:
        background.submit(lambda: done.append(0))
        background.submit(fail)
        background.submit(lambda: done.append(2))
        with pytest.raises(OSError, match="no space left"):
            background.results()
    assert done == [0]


def test_what_was_submitted_is_done_when_the_caller_fails():
    done = []
    with pytest.raises(ValueError, match="mine"), InOrder(unfinished=2) as background:
        background.submit(lambda: (time.sleep(0.02), done.append(0)))
        background.submit(lambda: done.append(1))
        raise ValueError("mine")
    assert done == [0, 1]
