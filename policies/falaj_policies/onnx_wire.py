"""Recognises an ONNX model by protobuf's wire format alone, without an ONNX or protobuf library.

Strict on purpose: every field of the outermost message must be one that ModelProto has, with its wire type, and the
bytes must end where the last field ends. Tensors whose data lives in another file are a problem: such a path is read
by whoever loads the model, outside what was signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["OnnxProblem", "check_onnx"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32
_MAX_FIELDS = 20_000_000

# ModelProto: field number -> wire type.
_MODEL: Final = {1: _VARINT, 2: _LENGTH, 3: _LENGTH, 4: _LENGTH, 5: _VARINT, 6: _LENGTH, 7: _LENGTH, 8: _LENGTH,
                 14: _LENGTH, 20: _LENGTH, 25: _LENGTH, 26: _LENGTH}  # fmt: skip
_GRAPH, _OPSET, _TRAINING, _FUNCTION = 7, 8, 20, 25


class OnnxProblem(ValueError):
    """It is ONNX, and it points outside itself."""


class _Malformed(ValueError):
    pass


def check_onnx(content: bytes | memoryview) -> bool:
    """Whether `content` is one ONNX model that is whole in itself. Raises OnnxProblem if it names external data."""
    try:
        return _Walk().model(memoryview(content))
    except _Malformed:
        return False


class _Walk:
    """One pass over a model, with a bound on how much there is to look at."""

    def __init__(self) -> None:
        self._left = _MAX_FIELDS

    def model(self, view: memoryview) -> bool:
        seen: set[int] = set()
        for number, wire, value in self._fields(view):
            if _MODEL.get(number) != wire:
                return False
            seen.add(number)
            if not isinstance(value, memoryview):
                continue
            if number == _GRAPH:
                self._graph(value, 0)
            elif number == _TRAINING:
                # TrainingInfoProto: 1 initialization, 2 algorithm, both GraphProto.
                for part in self._messages(value, 1, 2):
                    self._graph(part, 0)
            elif number == _FUNCTION:
                # FunctionProto: 7 node.
                for part in self._messages(value, 7):
                    self._node(part, 0)
        # ir_version and a graph are what makes a model; an opset is required since IR version 3.
        return {1, _GRAPH, _OPSET} <= seen

    def _graph(self, view: memoryview, depth: int) -> None:
        """GraphProto: 1 node, 5 initializer (TensorProto), 15 sparse_initializer."""
        if depth > _MAX_DEPTH:
            raise _Malformed("graphs nested too deeply")
        for number, _, value in self._fields(view):
            if not isinstance(value, memoryview):
                continue
            if number == 1:
                self._node(value, depth)
            elif number == 5:
                self._tensor(value)
            elif number == 15:
                self._sparse(value)

    def _node(self, view: memoryview, depth: int) -> None:
        """NodeProto: 5 attribute. AttributeProto: 5 t, 6 g, 10 tensors, 11 graphs, 22 and 23 sparse tensors."""
        for attribute in self._messages(view, 5):
            for number, _, value in self._fields(attribute):
                if not isinstance(value, memoryview):
                    continue
                if number in (5, 10):
                    self._tensor(value)
                elif number in (6, 11):
                    self._graph(value, depth + 1)
                elif number in (22, 23):
                    self._sparse(value)

    def _sparse(self, view: memoryview) -> None:
        """SparseTensorProto: 1 values, 2 indices, both TensorProto."""
        for tensor in self._messages(view, 1, 2):
            self._tensor(tensor)

    def _tensor(self, view: memoryview) -> None:
        """TensorProto: 13 external_data, 14 data_location (1 = EXTERNAL)."""
        for number, _, value in self._fields(view):
            if number == 13 or (number == 14 and value != 0):
                raise OnnxProblem("a tensor's data is in another file")

    def _messages(self, view: memoryview, *numbers: int) -> Iterator[memoryview]:
        for number, _, value in self._fields(view):
            if number in numbers and isinstance(value, memoryview):
                yield value

    def _fields(self, view: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
        """(field number, wire type, number or bytes) of a message; fixed-width numbers come as their bytes."""
        position, end = 0, len(view)
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise _Malformed("more fields than a model has")
            tag, position = _varint(view, position)
            number, wire = tag >> 3, tag & 7
            if number == 0:
                raise _Malformed("field number 0")
            if wire == _VARINT:
                value, position = _varint(view, position)
                yield number, wire, value
                continue
            if wire == _LENGTH:
                length, position = _varint(view, position)
            elif wire in (_FIXED64, _FIXED32):
                length = 8 if wire == _FIXED64 else 4
            else:
                raise _Malformed("wire type")
            if length > end - position:
                raise _Malformed("a field runs past the end")
            yield number, wire, view[position : position + length]
            position += length


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(view):
            raise _Malformed("a number runs past the end")
        byte = view[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
    raise _Malformed("a number is too long")
