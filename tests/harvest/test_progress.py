import io
import logging

import pytest

from coactivation_manifolds.progress import Progress, duration


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3599, "59 min 59 s"), (12_060, "3 h 21 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_lines_in_the_log(caplog):
    clock, stream = Clock(), io.StringIO()
    with (
        caplog.at_level(logging.INFO),
        Progress(10_000, label="shard 3", done=2_000, stream=stream, clock=clock) as progress,
    ):
        for _ in range(4):
            clock.now += 4
            progress.update(tokens=1_000, rows=900, entries=9_000)
        assert [record.message for record in caplog.records] == [
            "shard 3: 5,000 of 10,000 tokens (50.0 %), 250 tokens/s, 20 s left, L0 10.0"
        ]
        clock.now += 4
        progress.update(tokens=4_000, rows=3_600, entries=0)
    assert caplog.records[-1].message == "shard 3: 10,000 of 10,000 tokens (100.0 %), 400 tokens/s, L0 5.0"
    assert stream.getvalue() == ""


def test_a_bar_on_a_terminal():
    stream = Terminal()
    with Progress(100, label="shard 0", stream=stream) as progress:
        progress.update(tokens=100, rows=100, entries=700)
    assert "shard 0: 100%" in stream.getvalue()
    assert "L0 7.0" in stream.getvalue()


def test_no_last_line_after_an_error(caplog):
    with caplog.at_level(logging.INFO), pytest.raises(ValueError), Progress(10, label="x", stream=io.StringIO()):
        raise ValueError
    assert not caplog.records
