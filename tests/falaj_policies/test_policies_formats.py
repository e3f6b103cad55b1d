"""What a file is goes by its bytes: pickles of every protocol and disguise are refused, data formats are recognised."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from falaj_policies import Format, sniff
from falaj_policies.formats import METADATA, WEIGHTS


class Bomb:
    """Runs something when it is unpickled; no test here may ever set it off."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('a pickle was executed')",))


def onnx_model(external: bool = False) -> onnx.ModelProto:
    weights = numpy_helper.from_array(numpy.ones((2, 1), dtype=numpy.float32), "w")
    if external:
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="../../etc/passwd")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def safetensors(header: object, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


ONE_TENSOR = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [Bomb(), {"a": [1, 2]}, [], b"bytes"], ids=["bomb", "dict", "list", "bytes"])
@pytest.mark.parametrize(
    "name", ["model.onnx", "model.json", "model.yaml", "model.safetensors", "model.pkl", "MLmodel"]
)
def test_pickles_are_refused_whatever_their_protocol_and_name(protocol: int, value: object, name: str) -> None:
    assert sniff(name, pickle.dumps(value, protocol=protocol)) is Format.PICKLE


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_with_something_after_it_is_still_a_pickle(protocol: int) -> None:
    content = pickle.dumps(Bomb(), protocol=protocol)
    assert sniff("model.yaml", content + b"\nname: model\n") is Format.PICKLE
    assert sniff("model.onnx", content + onnx_model().SerializeToString()) is Format.PICKLE


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("end", [b"", b"\xff", b"\nname: model\n"], ids=["cut off", "garbage", "yaml"])
def test_a_pickle_without_its_end_is_still_a_pickle(protocol: int, end: bytes) -> None:
    """It has run what it runs by the time its loading fails."""
    content = pickle.dumps(Bomb(), protocol=protocol)
    assert content.endswith(b".")
    for name in ("model.yaml", "model.json", "model.onnx"):
        assert sniff(name, content[:-1] + end) is Format.PICKLE


@pytest.mark.parametrize(
    "content",
    [b"ccode\nfunction\n", b"(iCode\nfunction\n", b"(S'x'\nccode\nfunction\n", b"(ccode\nfunction\nS'x'\no"],
    ids=["global", "inst", "later", "obj"],
)
def test_what_only_imports_is_a_pickle(content: bytes) -> None:
    assert sniff("model.yaml", content) is Format.PICKLE


@pytest.mark.parametrize(
    "text",
    [
        "name: model\n",
        "(a: 1)\n",
        "c: 1\nd: 2\n",
        "i: 1\n",
        "cost: 1\nrate: 2\n",
        "- 1\n- 2\n",
        "import: a\nb: c\n",
        "[1, 2]\n",
    ],
)
def test_plain_yaml_is_no_pickle(text: str) -> None:
    """A line that begins with an opcode's letter is not yet an import: the names in one have no colon and space."""
    assert sniff("model.yaml", text.encode()) is Format.YAML


def test_what_hides_a_pickle_is_refused() -> None:
    bomb = pickle.dumps(Bomb())
    torch = io.BytesIO()
    with zipfile.ZipFile(torch, "w") as archive:
        archive.writestr("archive/data.pkl", bomb)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as bundle:
        info = tarfile.TarInfo("data.pkl")
        info.size = len(bomb)
        bundle.addfile(info, io.BytesIO(bomb))
    numpy_file = io.BytesIO()
    numpy.save(numpy_file, numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    disguises = {
        "torch.onnx": torch.getvalue(),
        "tar.onnx": tar.getvalue(),
        "joblib.onnx": zlib.compress(bomb),
        "gzip.onnx": gzip.compress(bomb),
        "numpy.onnx": numpy_file.getvalue(),
        "script.yaml": b"#!/usr/bin/env python3\nprint(1)\n",
        "elf.onnx": b"\x7fELF" + bytes(60),
        "tag.yaml": b"!!python/object/apply:os.system ['true']\n",
        "text.onnx": b"just text",
        "notes.txt": b"just text",
        "empty.onnx": b"",
    }
    for name, content in disguises.items():
        assert sniff(name, content) not in WEIGHTS | METADATA, name


def test_data_formats_are_recognised_by_content() -> None:
    assert sniff("model.onnx", onnx_model().SerializeToString()) is Format.ONNX
    assert sniff("anything.bin", onnx_model().SerializeToString()) is Format.ONNX
    assert sniff("w.safetensors", safetensors(ONE_TENSOR, bytes(8))) is Format.SAFETENSORS
    assert sniff("falaj.json", b'{"features": ["a"]}') is Format.JSON
    assert sniff("model.yaml", b"name: model\nversion: 1\n") is Format.YAML


def test_an_onnx_model_whose_data_lies_elsewhere_is_refused() -> None:
    assert sniff("model.onnx", onnx_model(external=True).SerializeToString()) is Format.EXTERNAL


def test_external_data_deep_in_a_subgraph_is_found() -> None:
    inner = onnx_model(external=True).graph
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([node], "outer", [], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    assert sniff("model.onnx", model.SerializeToString()) is Format.EXTERNAL


def test_files_that_only_cost_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sniff("m.yaml", b"N0" * 1_000_000) is Format.PICKLE
    assert sniff("m.yaml", b"# " + b"x" * 5_000_000) is Format.TOO_LARGE
    content = onnx_model().SerializeToString()
    monkeypatch.setattr("falaj_policies.onnx_wire._MAX_FIELDS", 10)
    assert sniff("m.onnx", content) not in WEIGHTS


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (ONE_TENSOR, bytes(7)),
        (ONE_TENSOR, bytes(9)),
        ({"w": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)),
        ({"w": {"dtype": "OBJECT", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
        (ONE_TENSOR | {"v": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, bytes(12)),
        ({}, b""),
        ([1], b""),
    ],
)
def test_safetensors_that_do_not_add_up_are_refused(header: object, data: bytes) -> None:
    assert sniff("w.safetensors", safetensors(header, data)) not in WEIGHTS | METADATA


def test_one_truncated_byte_is_noticed() -> None:
    content = onnx_model().SerializeToString()
    assert sniff("model.onnx", content[:-1]) not in WEIGHTS | METADATA
    assert sniff("model.onnx", content + b"\x80") not in WEIGHTS | METADATA


@given(st.binary(max_size=300), st.sampled_from(["m.onnx", "m.json", "m.yaml", "m.safetensors"]))
def test_any_bytes_get_an_answer(content: bytes, name: str) -> None:
    assert isinstance(sniff(name, content), Format)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    ),
    st.integers(0, 5),
)
def test_no_pickle_of_plain_values_passes(value: object, protocol: int) -> None:
    for name in ("m.onnx", "m.json", "m.yaml", "m.safetensors"):
        assert sniff(name, pickle.dumps(value, protocol=protocol)) not in WEIGHTS | METADATA
