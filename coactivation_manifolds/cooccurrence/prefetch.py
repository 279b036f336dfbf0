"""The processor's prefetch, an instruction that numba has no name for: ask for lines of cache and go on."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from coactivation_manifolds.compiled import compiled

LINE_BYTES = 64


@compiled
def prefetch_lines(array, place, n_lines):  # type: ignore[no-untyped-def]  # typed by numba
    """Ask for the lines of cache from array[place] on; places beyond the end are harmless."""
    line = np.uint64(LINE_BYTES // array.itemsize)
    for k in range(np.uint64(n_lines)):
        _prefetch(array, np.uint64(place) + k * line)  # type: ignore[call-arg]  # numba's intrinsic


@intrinsic
def _prefetch(_, array, place):  # type: ignore[no-untyped-def]  # called by numba
    """Ask for the line of cache that holds array[place], and go on."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]  # called by numba
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        of_line = builder.bitcast(builder.gep(data, [arguments[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [of_line, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, place), generate
