"""Programs that need no cluster: dynamic resources, stack references, captures, and how failures are told."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from falaj_engine.capture import capture
from falaj_engine.errors import MissingPluginError, ProgramError, StackNotFoundError, UnsupportedError
from falaj_engine.values import UNKNOWN, Secret

NOTES = """
import json, os, pathlib
from pulumi.dynamic import *

class Notes(ResourceProvider):
    def create(self, props):
        if props["text"] == "bad":
            raise ValueError("bad note\\nsecond line")
        self._log("create", props)
        return CreateResult("id-" + props["text"], {**props, "length": len(props["text"])})
    def update(self, id, olds, news):
        self._log("update", news)
        return UpdateResult({**news, "length": len(news["text"])})
    def delete(self, id, props):
        self._log("delete", props)
    def _log(self, what, props):
        with open(os.environ["NOTES"], "a") as file:
            file.write(what + " " + props["text"] + "\\n")

class Note(Resource):
    length: "pulumi.Output[int]"
    def __init__(self, name, text, opts=None):
        super().__init__(Notes(), name, {"text": text, "length": None}, opts)
"""


@pytest.fixture
def log(space: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    space.module("notes", NOTES)
    path = tmp_path / "log"
    path.touch()
    monkeypatch.setenv("NOTES", str(path))
    return path


def test_a_dynamic_resource_from_its_making_to_its_end(space: Any, log: Any) -> None:
    program = "import pulumi\nfrom notes import Note\nn = Note('n', {})\npulumi.export('length', n.length)\n"
    space.program(program.format("pulumi.Output.secret('abc')"))
    assert space.workspace.preview("dev").counts == {"create": 2}
    assert log.read_text() == ""
    assert space.workspace.up("dev").counts == {"create": 2}
    assert space.workspace.outputs("dev") == {"length": 3}
    state = space.workspace.store.path("dev").read_text()
    assert "abc" not in state.replace("id-abc", "")
    assert space.workspace.up("dev").counts == {"same": 2}
    space.program(program.format("'abcd'"))
    assert space.workspace.up("dev").counts == {"same": 1, "update": 1}
    assert space.workspace.outputs("dev") == {"length": 4}
    assert space.workspace.destroy("dev").ok
    assert log.read_text().splitlines() == ["create abc", "update abcd", "delete abcd"]
    assert "notes" not in sys.modules


def test_what_a_dynamic_provider_raises_is_one_line(space: Any, log: Any) -> None:
    space.program("from notes import Note\nNote('n', 'bad')\n")
    result = space.workspace.up("dev")
    assert str(result.error) == "pulumi-python:dynamic:Resource::n: create failed: ValueError: bad note second line"
    assert not space.workspace.export("dev")["deployment"].get("pending_operations")


def test_order_of_deletes_and_explicit_dependencies(space: Any, log: Any) -> None:
    space.program(
        "from notes import Note\nfrom pulumi import ResourceOptions as O\n"
        "a = Note('a', 'a')\nb = Note('b', 'b', O(depends_on=[a]))\nc = Note('c', 'c', O(parent=b))\n"
    )
    assert space.workspace.up("dev").ok
    space.program("")
    assert space.workspace.up("dev").counts == {"same": 1, "delete": 3}
    assert log.read_text().split() == [
        "create",
        "a",
        "create",
        "b",
        "create",
        "c",
        "delete",
        "c",
        "delete",
        "b",
        "delete",
        "a",
    ]


def test_a_stack_reference_reads_the_other_stack(space: Any) -> None:
    (space.root / "Pulumi.other.yaml").write_text("config: {}\n")
    space.program(
        "import pulumi\n"
        "if pulumi.get_stack() == 'dev':\n"
        "    pulumi.export('plain', {'a': [1, True]})\n"
        "    pulumi.export('hidden', pulumi.Output.secret('hush'))\n"
        "else:\n"
        "    other = pulumi.StackReference('organization/case/dev')\n"
        "    pulumi.export('copy', other.require_output('plain'))\n"
        "    pulumi.export('hidden', other.require_output('hidden'))\n"
    )
    assert space.workspace.up("dev").ok
    result = space.workspace.up("other")
    assert result.error is None
    assert space.workspace.outputs("other") == {"copy": {"a": [1, True]}, "hidden": "[secret]"}
    assert space.workspace.outputs("other", show_secrets=True)["hidden"] == "hush"
    assert "hush" not in space.workspace.store.path("other").read_text()


def test_a_stack_reference_to_nothing(space: Any) -> None:
    space.program("import pulumi\npulumi.StackReference('nowhere').require_output('x')\n")
    assert "no stack 'nowhere'" in str(space.workspace.preview("dev").error)


def test_the_programs_own_error_names_its_line(space: Any) -> None:
    space.module("inner", "def fall():\n    raise KeyError('gone')\n")
    space.program("import pulumi\nimport inner\n\ninner.fall()\n")
    result = space.workspace.preview("dev")
    assert isinstance(result.error, ProgramError)
    assert str(result.error) == "inner.py:2: KeyError: 'gone'"
    assert "Traceback" in result.error.traceback


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import pulumi\nraise pulumi.RunError('CRY-04 not encrypted')\n", "CRY-04 not encrypted"),
        ("x = (\n", "__main__.py:1: SyntaxError: '(' was never closed"),
        ("raise SystemExit(3)\n", "the program called exit(3)"),
    ],
)
def test_errors_are_one_line(space: Any, program: str, message: str) -> None:
    space.program(program)
    assert str(space.workspace.preview("dev").error) == message


def test_a_gate_as_a_transformation_stops_the_resource(space: Any, log: Any) -> None:
    space.program(
        "import pulumi\nfrom notes import Note\n"
        "def gate(args):\n"
        "    def judge(text):\n"
        "        raise pulumi.RunError('SUP-01 ' + args.name)\n"
        "    props = {**args.props, 'text': pulumi.Output.from_input(args.props['text']).apply(judge)}\n"
        "    return pulumi.ResourceTransformationResult(props, args.opts)\n"
        "pulumi.runtime.register_stack_transformation(gate)\n"
        "Note('n', 'abc')\n"
    )
    for result in (space.workspace.preview("dev"), space.workspace.up("dev")):
        assert str(result.error) == "SUP-01 n"
    assert log.read_text() == ""


@pytest.mark.filterwarnings("ignore:coroutine.*was never awaited")  # the SDK's own, of what the failure cut off
def test_a_failed_apply_is_found_among_many(space: Any) -> None:
    space.program(
        "import pulumi\n"
        "def late(number):\n    if number == 150:\n        raise ValueError('the hundred-and-fiftieth')\n"
        "for number in range(200):\n    pulumi.Output.from_input(number).apply(late)\n"
    )
    assert "the hundred-and-fiftieth" in str(space.workspace.preview("dev").error)


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("Note('n', 'a', O(import_='x'))", "import_"),
        ("pulumi.runtime.register_resource_transform(lambda args: None)", "register_resource_transform"),
        ("Note('n', 'a', O(transforms=[lambda args: None]))", "transforms"),
        ("pulumi.runtime.invoke('aws:index/getRegion:getRegion', {})", "the function aws:index/getRegion:getRegion"),
        ("Note('n', 'a', O(replacement_trigger='x'))", "replacement_trigger"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(space: Any, log: Any, program: str, what: str) -> None:
    space.program(f"import pulumi\nfrom notes import Note\nfrom pulumi import ResourceOptions as O\n{program}\n")
    error = space.workspace.up("dev").error
    assert isinstance(error, UnsupportedError)
    assert what in str(error)
    assert error.exit_code == 2


def test_another_clouds_resource_names_the_plugin(space: Any) -> None:
    space.program("import pulumi\npulumi.CustomResource('aws:s3/bucket:Bucket', 'b', {'acl': 'private'})\n")
    error = space.workspace.preview("dev").error
    assert isinstance(error, MissingPluginError)
    assert "pulumi-resource-aws" in str(error)


def test_two_resources_with_one_urn(space: Any, log: Any) -> None:
    space.program("from notes import Note\nNote('n', 'a')\nNote('n', 'b')\n")
    assert "two resources of the program have the URN" in str(space.workspace.preview("dev").error)


def test_a_capture_sees_what_a_program_asks_for(space: Any) -> None:
    (space.root / "Pulumi.dev.yaml").write_text("config:\n  case:deep: {inner: [1]}\n  kubernetes:context: other\n")
    space.program(
        "import pulumi, pulumi_kubernetes as k8s\n"
        "config = pulumi.Config()\n"
        "other = pulumi.StackReference('region')\n"
        "text = str(config.require_object('deep')['inner'][0]); a = k8s.core.v1.ConfigMap('a',\n"
        "    metadata={'name': 'a'}, data={'x': text})\n"
        "b = k8s.core.v1.Secret('b', string_data={'p': pulumi.Output.secret('x')},\n"
        "    metadata={'name': 'b', 'labels': {'of': a.metadata.uid}}, opts=pulumi.ResourceOptions(protect=True))\n"
        "pulumi.export('image', other.require_output('image'))\n"
    )
    found = capture(space.root, "dev", {"deep": {"inner": [7]}}, references={"region": {"image": "i@sha256:1"}})
    resources = {entry.name: entry for entry in found.resources}
    assert resources["a"].inputs["data"] == {"x": "7"}
    assert resources["b"].inputs["stringData"] == Secret({"p": "x"})
    assert resources["b"].inputs["metadata"] == UNKNOWN or resources["b"].inputs["metadata"]["labels"] == {
        "of": UNKNOWN
    }
    assert resources["b"].protect
    assert resources["b"].property_dependencies["metadata"] == [resources["a"].urn]
    assert resources["a"].provider_inputs["context"] == "other"
    assert resources["a"].source == "project:///__main__.py#4"
    assert found.outputs == {"image": "i@sha256:1"}
    unknown = capture(space.root, "dev")
    assert unknown.outputs == {"image": UNKNOWN}
    assert not (space.home / "state").exists()


def test_an_unknown_stack(space: Any) -> None:
    space.program("")
    with pytest.raises(StackNotFoundError, match="falaj stack init -s nowhere"):
        space.workspace.up("nowhere")


def test_nothing_of_this_machine_is_in_the_state(space: Any, log: Any) -> None:
    space.program("from notes import Note\nNote('n', 'a')\n")
    assert space.workspace.up("dev").ok
    state = space.workspace.store.path("dev")
    assert str(space.root.parent) not in state.read_text()
    assert state.stat().st_mode & 0o777 == 0o600
    assert '"sourcePosition":"project:///notes.py#23"' in state.read_text()
