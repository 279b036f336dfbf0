"""Fuzzing of what reads files of others: bytes changed at random, and content that is almost right.

The short form draws the same examples every time. COACTIVATION_FUZZ_EXAMPLES sets their number, drawn anew each time
(``make fuzz``); hypothesis prints how to draw a failing one again.
"""

import io
import os
import resource
import signal
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from coactivation_manifolds.errors import CoactivationError

FULL = os.environ.get("COACTIVATION_FUZZ_EXAMPLES")
SECONDS = 20
"""For one example; a reader that takes longer hangs."""
MAX_MEMORY = 1 << 30


def examples(short: int = 200) -> settings:
    """How many examples, and that none is kept for the next run."""
    return settings(
        max_examples=int(FULL or short),
        deadline=None,
        derandomize=FULL is None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


class TooSlow(BaseException):
    """Not an Exception, so that no reader takes it for a damaged file."""


@contextmanager
def bounded() -> Iterator[None]:
    """One example: our own errors are right; another one, more than 1 GiB or more than 20 s is a failure."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {SECONDS} s")

    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())  # the others set large pieces aside, used or not
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (data_bytes() + MAX_MEMORY, hard))
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of NumPy and Arrow, about what they find
            yield
    except CoactivationError as error:
        assert str(error).strip(), "an error without a message"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
        pa.set_memory_pool(pool)


def data_bytes() -> int:
    """Private memory of this process, used or set aside."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 (read a thousand times)
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData:"))


@st.composite
def changed(draw: Callable[..., Any], originals: list[bytes]) -> bytes:
    """A sound file with some bytes changed, cut out, repeated or put in; or bytes of no file at all."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if draw(st.booleans()):  # near the end stand the footers
            at = max(0, len(content) - 1 - at % 400)
        length = draw(st.integers(1, 12))
        change = draw(st.sampled_from(["bit", "byte", "extreme", "cut", "repeat", "insert", "truncate", "zero"]))
        if change == "bit" and content:
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif change == "byte" and content:
            content[at] = draw(st.integers(0, 255))
        elif change == "extreme":
            number = draw(st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**12]))
            packed = struct.pack("<q", number)[: draw(st.sampled_from([4, 8]))]
            content[at : at + len(packed)] = packed
        elif change == "cut":
            del content[at : at + length]
        elif change == "repeat":
            content[at:at] = content[at : at + 50 * length]
        elif change == "insert":
            content[at:at] = draw(st.binary(max_size=20))
        elif change == "truncate":
            del content[at:]
        else:
            content[at : at + length] = bytes(len(content[at : at + length]))
    return bytes(content)


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    """What a writer writes, as bytes."""
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


NUMBERS = st.one_of(
    st.integers(-3, 70_000),
    st.sampled_from([2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64, -(2**63), 10**40, 10**99]),
    st.floats(),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=30))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
"""What JSON and YAML can hold."""


@st.composite
def almost(draw: Callable[..., Any], right: Any) -> Any:
    """A sound nested value in which one to three places hold something else, or nothing."""
    value = right
    for _ in range(draw(st.integers(1, 3))):
        value = _replaced(draw, value)
    return value


def _replaced(draw: Callable[..., Any], value: Any) -> Any:
    here = draw(st.integers(0, 5)) == 0
    if isinstance(value, dict) and value and not here:
        key = draw(st.sampled_from(sorted(value, key=str)))
        action = draw(st.integers(0, 9))
        if action == 0:
            return {name: each for name, each in value.items() if name != key}
        if action == 1:
            return value | {draw(st.text(max_size=8)): draw(VALUES)}
        return value | {key: _replaced(draw, value[key])}
    if isinstance(value, list) and value and not here:
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], _replaced(draw, value[place]), *value[place + 1 :]]
    return draw(VALUES)
