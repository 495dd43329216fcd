"""Having memory bring the next row while this one is worked on. Compiled.

The rows of a large bank do not fit the processor's caches, and a step would wait for its row as
long as it computes. ``kernel.step_rows`` knows whose turn is next; wherever it works on a part of
a row it asks for the same part of that one, since readings that follow each other are mostly of
one time. A little at a time: asked for in one go, most of it would wait in a queue (measured over
1,000 series of ``lean``: 4.0 µs a step without, 3.3 in one go, 2.5 so). No result depends on it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from hedgerow.models.arithmetic import jit

LINE = 64  # bytes that come at once
_READ, _KEEP, _DATA = 0, 3, 1  # in LLVM's words: to do what with, how long, and what it is


@intrinsic  # type: ignore[untyped-decorator]  # numba ships no types
def _ask_for(typing: Any, row: Any, at: Any) -> Any:
    """Compile to the processor's hint that a number of a row will be needed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(
            context, builder, signature.args[0], held, [arguments[1]]
        )
        address, number = builder.bitcast(pointer, cgutils.voidptr_t), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(hint, [address, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(row, types.intp), generate


@jit
def fetch(row: NDArray[Any], start: int, end: int) -> None:
    """Ask for a run of a row on either plane."""
    for at in range(start, end, LINE // row.itemsize):
        _ask_for(row, at)
