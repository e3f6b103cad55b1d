"""What a file is, judged by its bytes (SUP-02). Nothing here executes or deserialises what it reads.

A model may hold weights in formats that are data only (ONNX, safetensors) and metadata (JSON, YAML). Everything that
is not recognised as one of these is refused, so that a renamed or unknown format fails closed; recognising pickles,
archives and executables by name only makes the message better.
"""

from __future__ import annotations

import json
import pickletools
import re
import struct
from enum import StrEnum
from typing import Final

from falaj_policies.onnx_wire import OnnxProblem, check_onnx

__all__ = ["METADATA", "WEIGHTS", "Format", "sniff"]

_MAX_SAFETENSORS_HEADER = 100_000_000
_MAX_METADATA = 4 * 1024 * 1024
_MAX_OPCODES = 200_000
# Importing a module by name runs it, and calling what was imported runs that. An import written as two lines is one
# only if they are names, or every text that begins with the opcode's letter would be.
_EXECUTING: Final = frozenset({"STACK_GLOBAL", "REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "EXT1", "EXT2", "EXT4"})
_IMPORTING: Final = frozenset({"GLOBAL", "INST"})
_IMPORT: Final = re.compile(r"[\w.]+ [\w.]+")
_DTYPE_BYTES: Final = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip


class Format(StrEnum):
    ONNX = "onnx"
    SAFETENSORS = "safetensors"
    JSON = "json"
    YAML = "yaml"
    PICKLE = "pickle"
    ARCHIVE = "archive"
    COMPRESSED = "compressed"
    EXECUTABLE = "executable"
    HDF5 = "hdf5"
    NUMPY = "numpy"
    EMPTY = "empty"
    TOO_LARGE = "metadata too large"
    EXTERNAL = "onnx with data outside the file"
    UNKNOWN = "unknown"


WEIGHTS: Final = frozenset({Format.ONNX, Format.SAFETENSORS})
METADATA: Final = frozenset({Format.JSON, Format.YAML})

_MAGIC: Final = (
    (b"PK\x03\x04", Format.ARCHIVE),
    (b"PK\x05\x06", Format.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Format.ARCHIVE),
    (b"\x1f\x8b", Format.COMPRESSED),
    (b"BZh", Format.COMPRESSED),
    (b"\xfd7zXZ\x00", Format.COMPRESSED),
    (b"\x28\xb5\x2f\xfd", Format.COMPRESSED),
    (b"\x04\x22\x4d\x18", Format.COMPRESSED),
    (b"\x7fELF", Format.EXECUTABLE),
    (b"MZ", Format.EXECUTABLE),
    (b"#!", Format.EXECUTABLE),
    (b"\xcf\xfa\xed\xfe", Format.EXECUTABLE),
    (b"\x89HDF\r\n\x1a\n", Format.HDF5),
    (b"\x93NUMPY", Format.NUMPY),
)


def sniff(name: str, content: bytes | memoryview) -> Format:
    """The format of a file called `name` (only JSON and YAML go by the name as well) with all its bytes `content`.

    A memoryview of a mapped file is not copied, except for what metadata or a header may have.
    """
    if not content:
        return Format.EMPTY
    for magic, found in _MAGIC:
        if content[: len(magic)] == magic:
            return found
    # A tar archive has its magic late; a zlib stream (joblib) has none, only a checked two-byte header.
    if content[257:262] == b"ustar":
        return Format.ARCHIVE
    if content[0] == 0x78 and len(content) > 1 and (content[0] * 256 + content[1]) % 31 == 0:
        return Format.COMPRESSED
    if content[0] == 0x80 and len(content) > 1 and content[1] <= 5:
        return Format.PICKLE
    if _is_safetensors(content):
        return Format.SAFETENSORS
    try:
        if check_onnx(content):
            return Format.ONNX
    except OnnxProblem:
        return Format.EXTERNAL
    # Last, because it reads opcodes until one is wrong: pickles of protocols 0 and 1 have no magic.
    if _is_pickle(content):
        return Format.PICKLE
    return _metadata(name, content)


def _is_pickle(content: bytes | memoryview) -> bool:
    """Whether the bytes up to a STOP opcode are a pickle, or whether loading them would run something before it fails:
    what is executed is executed, whether or not a STOP follows.

    Only as far as metadata may go: what is longer is refused by its size anyway.
    """
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(bytes(content[:_MAX_METADATA]))):
            if number > _MAX_OPCODES or opcode.name in _EXECUTING:
                return True
            if opcode.name in _IMPORTING and _IMPORT.fullmatch(str(argument)):
                return True
    except Exception:  # noqa: BLE001 - any complaint of the disassembler means that it is no pickle
        return False
    return True


def _is_safetensors(content: bytes | memoryview) -> bool:
    """Strict: the header is a JSON object whose tensors cover the rest of the file, without gap or overlap."""
    if len(content) < 10 or content[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(_MAX_SAFETENSORS_HEADER, len(content) - 8):
        return False
    try:
        header = json.loads(bytes(content[8 : 8 + length]))
    except (ValueError, RecursionError):
        return False
    if not isinstance(header, dict):
        return False
    header.pop("__metadata__", None)
    spans: list[tuple[int, int]] = []
    for tensor in header.values():
        span = _tensor_span(tensor)
        if span is None:
            return False
        spans.append(span)
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            return False
        position = end
    return bool(spans) and position == len(content) - 8 - length


def _tensor_span(tensor: object) -> tuple[int, int] | None:
    if not isinstance(tensor, dict) or set(tensor) != {"dtype", "shape", "data_offsets"}:
        return None
    shape, offsets, width = tensor["shape"], tensor["data_offsets"], _DTYPE_BYTES.get(str(tensor["dtype"]))
    if width is None or not isinstance(shape, list) or not isinstance(offsets, list) or len(offsets) != 2:
        return None
    if not all(type(number) is int and number >= 0 for number in (*shape, *offsets)):
        return None
    size = width
    for dimension in shape:
        size *= dimension
    begin, end = offsets
    return (begin, end) if end - begin == size else None


def _metadata(name: str, content: bytes | memoryview) -> Format:
    suffix = name.rsplit("/", 1)[-1].rsplit(".", 1)[-1].lower()
    if suffix not in {"json", "yaml", "yml"}:
        return Format.UNKNOWN
    if len(content) > _MAX_METADATA:
        return Format.TOO_LARGE
    try:
        text = bytes(content).decode("utf-8")
        if suffix == "json":
            json.loads(text)
            return Format.JSON
    except (ValueError, RecursionError):
        return Format.UNKNOWN
    # Readers of YAML differ, so it is only required to be text without control characters and without tags: a tag
    # (`!!python/object`) is how a YAML file asks to be executed.
    if any(ord(sign) < 32 and sign not in "\n\r\t" for sign in text) or "!!python" in text or "!<" in text:
        return Format.UNKNOWN
    return Format.YAML
