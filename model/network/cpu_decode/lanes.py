"""LANES float32 numbers at a time, read from and written to addresses.

LLVM turns them into the processor's vector registers. Weights are read where they are: an argument
called `kind` is any float32 (the memory holds float32) or any uint16 (it holds bfloat16). Indices count elements.
"""

from typing import Any

from llvmlite import ir
from numba import types

from model.network.cpu_decode.compiled import LANES, lanes_type, operation, vector

INTEGER, FLOAT, ANY = types.int64, types.float32, None
I1, I16, I32, I64, F32 = ir.IntType(1), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


def _place(builder: Any, address: Any, index: Any, element: Any, whole: Any) -> Any:
    size = {F32: 4, I16: 2, I64: 8}[element]
    at = builder.add(address, builder.mul(index, ir.Constant(I64, size)))
    return builder.inttoptr(at, whole.as_pointer())


def _element(kind: Any) -> Any:
    return I16 if kind == types.uint16 else F32


def _widened(builder: Any, value: Any, kind: Any) -> Any:
    """The float32 numbers that these bits stand for: bfloat16 is the upper half of float32."""
    if kind != types.uint16:
        return value
    wide, plain, shift = (vector, ir.VectorType(I32, LANES), [16] * LANES) if value.type != I16 else (F32, I32, 16)
    return builder.bitcast(builder.shl(builder.zext(value, plain), ir.Constant(plain, shift)), wide)


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(builder.module.declare_intrinsic(name, (), kind), arguments)


def _within(builder: Any, count: Any) -> Any:
    """Which lanes come before `count`."""
    wide = ir.VectorType(I64, LANES)
    first = builder.insert_element(ir.Constant(wide, ir.Undefined), count, ir.Constant(I32, 0))
    everywhere = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))
    return builder.icmp_signed("<", ir.Constant(wide, list(range(LANES))), everywhere)


@operation(lanes_type, INTEGER, INTEGER, ANY)
def load(builder: Any, values: list[Any], kinds: Any) -> Any:
    """(address, index, kind): LANES neighbours from `index` on."""
    element = _element(kinds[2])
    place = _place(builder, values[0], values[1], element, ir.VectorType(element, LANES))
    return _widened(builder, builder.load(place, align=2 if element == I16 else 4), kinds[2])


@operation(lanes_type, INTEGER, INTEGER, INTEGER, ANY)
def load_some(builder: Any, values: list[Any], kinds: Any) -> Any:
    """(address, index, count, kind): the first `count` of them, 0 in the other lanes; nothing behind is touched."""
    element = _element(kinds[3])
    several = ir.VectorType(element, LANES)
    place = _place(builder, values[0], values[1], element, several)
    name = f"llvm.masked.load.v{LANES}{'i16' if element == I16 else 'f32'}.p0"
    align = ir.Constant(I32, 2 if element == I16 else 4)
    nothing = ir.Constant(several, [0] * LANES)
    read = _call(builder, name, several, [place, align, _within(builder, values[2]), nothing])
    return _widened(builder, read, kinds[3])


@operation(types.void, INTEGER, INTEGER, lanes_type)
def store(builder: Any, values: list[Any], _kinds: Any) -> None:
    """(address, index, lanes): write LANES float32."""
    builder.store(values[2], _place(builder, values[0], values[1], F32, vector), align=4)


@operation(types.void, INTEGER, INTEGER, INTEGER, lanes_type)
def store_some(builder: Any, values: list[Any], _kinds: Any) -> None:
    """(address, index, count, lanes): write the first `count`."""
    place = _place(builder, values[0], values[1], F32, vector)
    masked = [values[3], place, ir.Constant(I32, 4), _within(builder, values[2])]
    _call(builder, f"llvm.masked.store.v{LANES}f32.p0", ir.VoidType(), masked)


@operation(FLOAT, INTEGER, INTEGER, ANY)
def get(builder: Any, values: list[Any], kinds: Any) -> Any:
    """(address, index, kind): one number as float32."""
    element = _element(kinds[2])
    return _widened(builder, builder.load(_place(builder, values[0], values[1], element, element)), kinds[2])


@operation(types.void, INTEGER, INTEGER, FLOAT, ANY)
def put(builder: Any, values: list[Any], kinds: Any) -> None:
    """(address, index, value, kind): write one number, rounded to the nearest even where the memory holds bfloat16."""
    element = _element(kinds[3])
    place = _place(builder, values[0], values[1], element, element)
    if element == F32:
        builder.store(values[2], place)
        return
    bits = builder.bitcast(values[2], I32)
    odd = builder.and_(builder.lshr(bits, ir.Constant(I32, 16)), ir.Constant(I32, 1))
    rounded = builder.add(bits, builder.add(odd, ir.Constant(I32, 0x7FFF)))
    number = builder.fcmp_ordered("==", values[2], values[2])
    kept = builder.select(number, rounded, ir.Constant(I32, 0x7FC00000))
    builder.store(builder.trunc(builder.lshr(kept, ir.Constant(I32, 16)), I16), place)


@operation(types.void, INTEGER, INTEGER, INTEGER)
def put_integer(builder: Any, values: list[Any], _kinds: Any) -> None:
    """(address, index, value): write one int64."""
    builder.store(values[2], _place(builder, values[0], values[1], I64, I64))


@operation(INTEGER, INTEGER, INTEGER)
def get_integer(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(address, index): read one int64."""
    return builder.load(_place(builder, values[0], values[1], I64, I64))


@operation(INTEGER, ANY)
def itemsize(_builder: Any, _values: list[Any], kinds: Any) -> Any:
    """(kind): bytes of one element."""
    return ir.Constant(I64, 2 if kinds[0] == types.uint16 else 4)


@operation(lanes_type, FLOAT)
def splat(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(value): the same in every lane."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), values[0], ir.Constant(I32, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(I32, LANES), [0] * LANES))


@operation(lanes_type, lanes_type, lanes_type, lanes_type)
def multiply_add(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a, b, c): a · b + c."""
    return _call(builder, f"llvm.fmuladd.v{LANES}f32", vector, values)


@operation(lanes_type, lanes_type, lanes_type)
def add(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a, b): a + b."""
    return builder.fadd(*values)


@operation(lanes_type, lanes_type, lanes_type)
def multiply(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a, b): a · b."""
    return builder.fmul(*values)


@operation(lanes_type, lanes_type, lanes_type)
def divide(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a, b): a / b."""
    return builder.fdiv(*values)


@operation(lanes_type, lanes_type, lanes_type)
def larger(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a, b): a where it is larger, else b."""
    return builder.select(builder.fcmp_ordered(">", *values), *values)


@operation(FLOAT, lanes_type)
def total(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a): the sum of all lanes."""
    lanes = values[0]
    half = LANES
    while half > 1:
        half //= 2
        order = [(lane + half) % LANES for lane in range(LANES)]
        lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, lanes, ir.Constant(ir.VectorType(I32, LANES), order)))
    return builder.extract_element(lanes, ir.Constant(I32, 0))


@operation(lanes_type, lanes_type)
def exponential(builder: Any, values: list[Any], _kinds: Any) -> Any:
    """(a): e to the power of each lane, to 2 units in the last place; beyond ±87.3 as at ±87.3. NaN stays NaN.

    Cephes' expf: 2^n times a polynomial on [−ln 2 / 2, ln 2 / 2].
    """

    def all_lanes(value: float) -> Any:
        return ir.Constant(vector, [value] * LANES)

    def fused(a: Any, b: Any, c: Any) -> Any:
        return _call(builder, f"llvm.fmuladd.v{LANES}f32", vector, [a, b, c])

    x = values[0]
    for bound, sign in ((87.3125, ">"), (-87.3125, "<")):
        x = builder.select(builder.fcmp_ordered(sign, x, all_lanes(bound)), all_lanes(bound), x)
    n = _call(builder, f"llvm.rint.v{LANES}f32", vector, [builder.fmul(x, all_lanes(1.44269502162933349609375))])
    r = fused(n, all_lanes(-0.693359375), x)
    r = fused(n, all_lanes(2.12194440054690583e-4), r)
    y = all_lanes(1.98756915e-4)
    for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        y = fused(y, r, all_lanes(factor))
    y = fused(builder.fmul(r, r), y, builder.fadd(r, all_lanes(1.0)))
    whole = ir.VectorType(I32, LANES)
    biased = builder.add(builder.fptosi(n, whole), ir.Constant(whole, [127] * LANES))
    power = builder.bitcast(builder.shl(biased, ir.Constant(whole, [23] * LANES)), vector)
    # What a NaN becomes as an integer is undefined, so its lane is taken from the input.
    return builder.select(builder.fcmp_unordered("uno", x, x), x, builder.fmul(y, power))
