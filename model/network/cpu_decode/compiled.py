"""The seam to numba: functions compiled to machine code, and operations written as LLVM instructions.

numba has no types, so everything untyped about it is here.
"""

from collections.abc import Callable
from hashlib import sha256
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import config, njit, types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model

from model.network.cpu_decode.cache_folder import cache_folder

Build = Callable[[ir.IRBuilder, list[ir.Value], Any], ir.Value | None]

# As many float32 as a vector register holds: with more, the sums that a loop keeps in registers no longer fit there.
LANES = 16 if get_host_cpu_features().get("avx512f") else 8


def _sources() -> str:
    """A name for this version of all kernels. numba looks at the one file of the function it caches, no further."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return "kernels-" + sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


_settings: Any = config
_settings.CACHE_DIR = str(cache_folder(_sources(), asked=_settings.CACHE_DIR))


_Type: Any = types.Type
_unliteral: Any = types.unliteral


class _LanesType(_Type):  # type: ignore[misc]  # a class without types
    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


lanes_type: Any = _LanesType()
vector = ir.VectorType(ir.FloatType(), LANES)


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, vector)  # type: ignore[no-untyped-call]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile for the types it is called with; inlined into its callers where that pays."""
    return _for_types_alone(njit(nogil=True, error_model="numpy")(function))


def entry(function: Callable[..., Any]) -> Any:
    """Compile what Python calls, keep the machine code on disk, and let other Python threads run meanwhile."""
    return njit(nogil=True, error_model="numpy", cache=True)(function)


def _for_types_alone(dispatcher: Any) -> Any:
    """Without this numba compiles a function anew for every constant it is called with."""
    template = dispatcher.get_call_template
    dispatcher.get_call_template = lambda arguments, named: template(
        tuple(_unliteral(each) for each in arguments),
        {name: _unliteral(each) for name, each in named.items()},
    )
    return dispatcher


def operation(result: Any, *arguments: Any) -> Callable[[Build], Any]:
    """Make a compiled function of a builder of LLVM instructions. An argument of type None may have any type.

    The builder gets the instruction builder, the argument values and their types.
    """

    def decorate(build: Build) -> Any:
        def typed(_context: Any, *given: Any) -> Any:
            signature = result(*(want or have for want, have in zip(arguments, given, strict=True)))

            def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                made = build(builder, list(values), signature.args)
                return context.get_dummy_value() if made is None else made

            return signature, generate

        typed.__name__ = build.__name__
        names = ("context", *(f"argument{index}" for index in range(len(arguments))))
        plain = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        typed.__signature__ = Signature(plain)  # type: ignore[attr-defined]  # numba reads it and knows no *given
        return intrinsic(typed)

    return decorate
