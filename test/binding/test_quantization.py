# SPDX-License-Identifier: Apache-2.0
"""quantize and dequantize equal numpy's arithmetic, on every data type, axis and layout."""

from __future__ import annotations

import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import quantization_reference as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from quantization_reference import (
    DATA_TYPES,
    FOUR_BIT,
    HEAD,
    HEAD_QUANTS,
    by_scale,
    packed,
    unpacked,
)

from hbm_runtime import (
    HBMInputError,
    QuantParams,
    dequantize,
    hbDNNDataType,
    hbDNNQuantiType,
    quantize,
)

RANDOM = np.random.default_rng(0)
SHAPE = (2, 3, 5, 7)


def quant_along(axis: int | None, shape: tuple[int, ...]) -> QuantParams:
    if axis is None:
        return by_scale(0.0371, -13)
    channels = shape[axis]
    return by_scale(RANDOM.random(channels) + 0.01, RANDOM.integers(-99, 99, channels), axis)


def padded(array: Any) -> Any:
    """The same values with padding behind each row, as in device memory."""
    wide = np.full((*array.shape[:-1], array.shape[-1] + 5), 77, array.dtype)
    wide[..., : array.shape[-1]] = array
    return wide[..., : array.shape[-1]]


def assert_equal(got: Any, expected: Any) -> None:
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    zeros = np.equal(expected, 0)  # also the signs of zeros
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(expected[zeros]))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("data_type", DATA_TYPES, ids=lambda data_type: data_type.name)
class TestEveryDataTypeAndAxis:
    def test_dequantize_equals_numpy(self, data_type: hbDNNDataType, axis: int | None) -> None:
        quant = quant_along(axis, SHAPE)
        stored = reference.stored_values(RANDOM, data_type, SHAPE)
        expected = reference.dequantize(stored, quant)
        for array in (packed(stored, data_type), padded(packed(stored, data_type))):
            assert_equal(
                dequantize(array, quant, dtype=data_type, length=length_of(data_type)), expected
            )
        out = padded(np.zeros(SHAPE, np.float64))
        assert dequantize(packed(stored, data_type), quant, out, dtype=data_type) is out
        assert_equal(out, reference.dequantize(stored, quant, np.float64))

    def test_quantize_equals_numpy(self, data_type: hbDNNDataType, axis: int | None) -> None:
        quant = quant_along(axis, SHAPE)
        real = RANDOM.standard_normal(SHAPE) * 10.0 ** RANDOM.integers(-3, 22, SHAPE)
        real.flat[:8] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e300, -1e300, 5e-324]
        with np.errstate(over="ignore"):
            narrow = real.astype(np.float32)
        for array in (real, padded(real), narrow):
            expected = reference.quantize(array, quant, data_type)
            out = padded(np.zeros_like(packed(expected, data_type)))
            assert quantize(array, quant, data_type, out) is out
            for got in (quantize(array, quant, data_type), out):
                assert_equal(unpacked(got, data_type, SHAPE[-1]), expected)


def length_of(data_type: hbDNNDataType) -> int | None:
    return SHAPE[-1] if data_type in FOUR_BIT else None


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], int | None, Callable[[Any], Any]]:
    """A shape, an axis or None, and a way to lay an array out in memory."""
    shape = tuple(draw(st.lists(st.integers(0, 9), min_size=1, max_size=4)))
    if draw(st.booleans()):
        shape = (*shape[:-1], draw(st.integers(250, 600)))  # longer than the C++ works at once
    axes = [axis for axis, count in enumerate(shape) if count > 0]
    axis = draw(st.sampled_from([None, *axes]))
    order = draw(st.permutations(range(len(shape))))
    steps = draw(st.lists(st.sampled_from([1, 1, 2, -1, -3]), min_size=4, max_size=4))

    def lay_out(array: Any) -> Any:
        """The same values: axes in another order in memory, gaps, negative strides."""
        inverse = np.argsort(order)
        moved = np.transpose(array, order)
        wide = np.full([count * 3 + 1 for count in moved.shape], 77, array.dtype)
        view = wide[
            tuple(
                slice(None, count * step, step) if step > 0 else slice(-1, -1 + count * step, step)
                for count, step in zip(moved.shape, steps, strict=False)
            )
        ]
        view[...] = moved
        return np.transpose(view, inverse)

    return shape, axis, lay_out


def assert_nothing_else_was_written(view: Any) -> None:
    """The gaps between the elements of a view of `layouts` are as they were."""
    view[...] = 77
    whole = view
    while whole.base is not None:
        whole = whole.base
    assert np.all(whole == 77)


@given(
    layout=layouts(),
    data_type=st.sampled_from(DATA_TYPES),
    zero_points=st.sampled_from(["none", "one", "each", "huge"]),
    seed=st.integers(0, 2**32 - 1),
    real_type=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=300, deadline=None)
def test_any_layout_equals_numpy(
    layout: Any, data_type: hbDNNDataType, zero_points: str, seed: int, real_type: Any
) -> None:
    shape, axis, lay_out = layout
    random = np.random.default_rng(seed)
    count = 1 if axis is None else shape[axis]
    quant = by_scale(
        np.ldexp(random.random(count) + 0.5, random.integers(-20, 20, count)),
        {
            "none": (),
            "one": random.integers(-200, 200),
            "each": random.integers(-200, 200, count),
            "huge": random.integers(-(2**31), 2**31, count),
        }[zero_points],
        -1 if axis is None else axis,
    )
    stored = reference.stored_values(random, data_type, shape)
    out = lay_out(np.zeros(shape, real_type))
    dequantize(lay_out(packed(stored, data_type)), quant, out, dtype=data_type)
    assert_equal(out, reference.dequantize(stored, quant, real_type))
    assert_nothing_else_was_written(out)

    real = (random.standard_normal(shape) * 10.0 ** random.integers(-6, 12, shape)).astype(
        real_type
    )
    expected = reference.quantize(real, quant, data_type)
    out = lay_out(np.zeros_like(packed(expected, data_type)))
    quantize(lay_out(real), quant, data_type, out)
    assert_equal(unpacked(out, data_type, shape[-1]), expected)
    assert_nothing_else_was_written(out)


def test_ties_are_rounded_to_even_after_adding_the_zero_point() -> None:
    real = np.array([-1.5, -0.5, 0.5, 1.5, 2.5], np.float32)
    assert quantize(real, by_scale(1), np.int8).tolist() == [-2, 0, 0, 2, 2]
    assert quantize(real, by_scale(1, 1), np.int8).tolist() == [0, 0, 2, 2, 4]


def test_nan_is_the_zero_point_and_infinities_are_clipped() -> None:
    real = np.array([np.nan, np.inf, -np.inf], np.float32)
    assert quantize(real, by_scale(0.5, 7), np.int8).tolist() == [7, 127, -128]
    assert quantize(real, by_scale(0.5, 300), np.uint8).tolist() == [255, 255, 0]


@pytest.mark.parametrize("data_type", [np.int8, np.uint8, np.int16, np.uint16])
def test_what_was_dequantised_is_quantised_to_itself(data_type: Any) -> None:
    limits = np.iinfo(data_type)
    stored = np.arange(limits.min, limits.max + 1).astype(data_type)
    for quant in (by_scale(0.0371), by_scale(1 / 3, 100), by_scale(1e-30, -5)):
        np.testing.assert_array_equal(quantize(dequantize(stored, quant), quant, data_type), stored)


@pytest.mark.parametrize("data_type", [np.int32, np.uint32])
def test_values_beyond_the_precision_of_float32_are_right(data_type: Any) -> None:
    edge = 2**23
    near = [0, 1, edge - 1, edge, edge + 1, 2**24 + 1, 2**31 - 1, 2**31, 2**32 - 1]
    limits = np.iinfo(data_type)
    numbers = [n for value in near for n in (value, -value) if limits.min <= n <= limits.max]
    for number in numbers:
        stored = np.zeros(1000, data_type)
        stored[700] = number
        for quant in (by_scale(1), by_scale(0.37, edge), by_scale(0.37, edge + 1)):
            assert_equal(dequantize(stored, quant), reference.dequantize(stored, quant))


def test_it_equals_the_float32_arithmetic_of_many_programs_where_that_is_exact() -> None:
    head = HEAD.clip(-(2**23), 2**23)
    for quant in (HEAD_QUANTS["per channel"], HEAD_QUANTS["per tensor"]):
        theirs = (head.astype(np.float32) - quant.zero_point.astype(np.float32)) * quant.scale
        np.testing.assert_array_equal(dequantize(head, quant), theirs)


def test_without_quantisation_the_elements_are_the_values() -> None:
    quant = QuantParams()
    assert quant.quant_type is hbDNNQuantiType.NONE
    assert_equal(dequantize(np.array([3, -4], np.int8), quant), np.array([3, -4], np.float32))
    real = np.array([3.5, -4.5, 300])
    assert quantize(real, quant, np.int8).tolist() == [4, -4, 127]
    assert quantize(real, quant, np.float64).tolist() == real.tolist()


def test_numpy_and_accelerator_data_types_are_the_same() -> None:
    real = np.array([1.0, 2.0])
    for dtype in (np.int16, "int16", np.dtype("int16"), hbDNNDataType.S16, 5):
        assert_equal(quantize(real, by_scale(0.5), dtype), np.array([2, 4], np.int16))


def test_other_real_numbers_are_converted_first() -> None:
    for dtype in (np.float16, np.uint8, np.int64, ">f4", ">f8"):
        real = np.arange(6, dtype=dtype).reshape(2, 3)
        assert quantize(real, by_scale(0.5, 1), np.int8).tolist() == [[1, 3, 5], [7, 9, 11]]
    assert dequantize(np.array([1, 256], ">i2"), by_scale(0.5)).tolist() == [0.5, 128.0]


def test_the_length_of_four_bit_rows_is_told_by_out_scales_or_argument() -> None:
    rows = np.array([[0x21, 0x03]], np.uint8)
    u4 = hbDNNDataType.U4
    assert dequantize(rows, by_scale(1), dtype=u4).tolist() == [[1, 2, 3, 0]]
    assert dequantize(rows, by_scale(1), dtype=u4, length=3).tolist() == [[1, 2, 3]]
    assert dequantize(rows, by_scale([1, 2, 3], axis=1), dtype=u4).tolist() == [[1, 4, 9]]
    out = np.zeros((1, 3))
    assert dequantize(rows, by_scale(1), out, dtype=u4).tolist() == [[1, 2, 3]]


def test_new_arrays_keep_the_order_of_the_axes_in_memory() -> None:
    channels_first = np.transpose(HEAD, (0, 3, 1, 2))
    result = dequantize(channels_first, by_scale(0.5))
    assert result.shape == (1, 255, 84, 84)
    assert np.transpose(result, (0, 2, 3, 1)).flags.c_contiguous


def test_overlapping_arrays_are_as_if_apart() -> None:
    values = np.arange(10, dtype=np.float32)
    dequantize(values[:-1], by_scale(2), out=values[1:])
    assert values.tolist() == [0, *range(0, 18, 2)]


def test_scalars_and_empty_arrays() -> None:
    assert dequantize(np.array(3, np.int8), by_scale(2)).shape == ()
    assert dequantize(np.array(3, np.int8), by_scale(2)) == 6
    assert dequantize(np.zeros((3, 0, 2), np.int8), by_scale([1, 2, 3], axis=0)).shape == (3, 0, 2)
    assert quantize(np.zeros((0, 5)), by_scale(1), hbDNNDataType.S4).shape == (0, 3)


def test_out_is_filled_without_an_array_in_between() -> None:
    out, stored = np.empty(HEAD.shape, np.float32), np.empty(HEAD.shape, np.int32)
    quant = HEAD_QUANTS["per channel"]
    tracemalloc.start()
    try:
        dequantize(HEAD, quant, out)
        quantize(out, quant, np.int32, stored)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 64 * 1024 < HEAD.nbytes // 100
    np.testing.assert_array_equal(stored, HEAD)


S8, U4 = hbDNNDataType.S8, hbDNNDataType.U4
BYTES = np.zeros((2, 3), np.int8)
READ_ONLY = np.zeros((2, 3), np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: dequantize(BYTES, None), "quant: expected QuantParams, got NoneType"),
        (lambda: dequantize(BYTES, by_scale([])), "without a scale"),
        (
            lambda: dequantize(BYTES, by_scale([1, 2, 3])),
            "3 scales along axis -1, but an ",
        ),
        (lambda: dequantize(BYTES, by_scale([1, 2], axis=2)), r"shape \[2, 3\] has axes 0 to 1"),
        (lambda: dequantize(BYTES, by_scale([1, 2], axis=1)), "along axis 1, where .* has 3 elem"),
        (lambda: dequantize(BYTES, by_scale([1, 2], [1, 2, 3], 0)), "3 zero points; expected 0, 1"),
        (lambda: dequantize(BYTES, by_scale(1), np.zeros((2, 4))), r"out: .* shape \[2, 3\], got"),
        (lambda: dequantize(BYTES, by_scale(1), BYTES), "out: expected float32 or float64 .* int8"),
        (lambda: dequantize(BYTES, by_scale(1), [0.0]), "out: expected an array .*, got list"),
        (lambda: dequantize(BYTES, by_scale(1), READ_ONLY), "read-only"),
        (
            lambda: dequantize(BYTES, by_scale(1), dtype="int16"),
            "S16 is stored as int16, got",
        ),
        (lambda: dequantize(BYTES, by_scale(1), length=3), "length is for S4 and U4 only"),
        (
            lambda: dequantize(BYTES, by_scale(1), dtype=U4, length=4),
            "3 bytes hold 5 or 6 elem",
        ),
        (lambda: dequantize(BYTES[0, 0], by_scale(1), dtype=U4), "at least one axis"),
        (lambda: dequantize(BYTES > 0, by_scale(1)), "BOOL8 holds truth values"),
        (lambda: dequantize(BYTES * 1j, by_scale(1)), "dtype: expected .* got dtype"),
        (lambda: dequantize(np.ma.array(BYTES), by_scale(1)), "filled"),
        (lambda: quantize(BYTES, by_scale(1), hbDNNDataType.BOOL8), "BOOL8 holds truth values"),
        (lambda: quantize(BYTES, by_scale(1), None), "dtype: expected .*, got None"),
        (lambda: quantize(BYTES, by_scale(1), 14), "dtype: expected"),
        (lambda: quantize(BYTES, by_scale(1), "text"), "dtype: expected .*, got 'text'"),
        (lambda: quantize(BYTES > 0, by_scale(1), S8), "real numbers of up to 64 bits, got bool"),
        (lambda: quantize(BYTES * 1j, by_scale(1), S8), "real numbers of up to 64 bits"),
        (
            lambda: quantize(BYTES, by_scale(1), S8, np.zeros((2, 3))),
            "out: expected int8 .*float",
        ),
        (lambda: quantize(np.float32(1), by_scale(1), U4), "at least one axis"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(HBMInputError, match=said):
        call()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("quant_type", 7, "quant.quant_type: expected an hbDNNQuantiType, got 7"),
        ("scale", [["a"]], "quant.scale: expected an array of real numbers with one axis"),
        ("scale", np.ones((2, 2)), "quant.scale: .* shape \\[2, 2\\]"),
        ("zero_point", [0.5], "quant.zero_point: expected an array of integers"),
        ("zero_point", [2**31], "quant.zero_point: expected integers of 32 bits"),
        ("axis", "last", "quant.axis: expected the number of an axis, got 'last'"),
    ],
)
def test_parameters_that_are_none_are_refused(field: str, value: Any, said: str) -> None:
    quant = by_scale(1)
    setattr(quant, field, value)
    with pytest.raises(HBMInputError, match=said):
        dequantize(BYTES, quant)


def test_parameters_may_be_plain_numbers() -> None:
    quant = QuantParams(0.5, [3], 1, 0)  # type: ignore[arg-type]
    assert dequantize(np.array([5], np.int8), quant).tolist() == [1.0]


@pytest.fixture
def voluntary_switches() -> Iterator[None]:
    """Threads give the GIL away only where they release it themselves."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(interval)


def test_other_threads_run_while_a_large_array_is_converted(voluntary_switches: None) -> None:
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.0002)

    array, out = np.zeros(30_000_000, np.int8), np.empty(30_000_000, np.float32)
    quant = by_scale(0.5)
    thread = threading.Thread(target=tick)
    thread.start()
    try:
        seen = []
        for _ in range(5):
            before = ticks
            dequantize(array, quant, out)
            seen.append(ticks - before)
    finally:
        done.set()
        thread.join()
    assert max(seen) > 1
