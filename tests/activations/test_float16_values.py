import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coactivation_manifolds.activations.float16_values import LARGEST, SMALLEST_SUBNORMAL, to_float16
from coactivation_manifolds.errors import GuardRailError, InputError


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(min_value=2.0**-24, max_value=LARGEST, width=32), max_size=20))
def test_ordinary_values_are_rounded_to_nearest(values: list[float]) -> None:
    array = np.array(values, np.float32)
    rounded, raised = to_float16(array)
    assert rounded.dtype == np.float16
    np.testing.assert_array_equal(rounded, array.astype(np.float16))
    assert raised.size == 0


def test_tiny_values_become_the_smallest_subnormal_and_are_counted() -> None:
    values = np.array([1.0, 1e-9, 2.0**-25, 2.0**-24, np.nextafter(2.0**-25, 1)], np.float64)
    rounded, raised = to_float16(values)
    assert raised.tolist() == [1, 2]
    np.testing.assert_array_equal(rounded, [1.0, *[SMALLEST_SUBNORMAL] * 4])
    assert float(SMALLEST_SUBNORMAL) == 2.0**-24


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "NaN"),
        (0.0, "is 0"),
        (-0.0, "is 0"),
        (-1e-12, "negative"),
        (-3.0, "negative"),
        (65520.0, "beyond float16"),
        (np.inf, "beyond float16"),
        (-np.inf, "negative"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_impossible_values_are_named_with_their_place(value: float, message: str, dtype: type) -> None:
    with pytest.raises(GuardRailError, match=rf"spot 2: .*{message}"):
        to_float16(np.array([1.0, 1e-9, value], dtype), describe=lambda entry: f"spot {entry}")


def test_float16_input_is_checked_too_and_the_error_class_can_be_chosen() -> None:
    with pytest.raises(InputError, match="beyond"):
        to_float16(np.array([np.inf], np.float16), error=InputError)
    values = np.array([65504, 6e-8], np.float16)
    assert to_float16(values)[0] is values


def test_65519_still_fits() -> None:
    assert to_float16(np.array([65519.0]))[0][0] == LARGEST
