"""The parts of `falaj check` in this process: where values come from, secrets, malformed configurations."""

from __future__ import annotations

import string
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from falaj_infra.stack_files import position
from falaj_platform.check.confine import scrubbed
from falaj_platform.check.imports import imported_by
from falaj_platform.check.locate import Sources
from falaj_platform.check.program import at
from falaj_platform.check.project import files_of, open_project
from falaj_platform.check.secrets import find_secrets, hidden

STACK = """config:
  # A comment, so that lines are not keys.
  shop:image: nginx:1.29
  shop:nested:
    zones:
      - me-central-1
      - eu-west-1
    storage_class: gold
    size: 7
  aws:region: eu-west-1
  shop:code: "007"
  shop:hidden:
    secure: v1:abc
"""


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nconfig:\n  aws:region: me-south-1\n  kind:\n    default: big\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(STACK)
    return Sources.read(tmp_path, tmp_path / "Pulumi.prod.yaml", tmp_path / "Pulumi.yaml", "shop")


def _keys(sources: Sources, value: Any, path: str) -> list[tuple[str, bool]]:
    return [(sources.leaves[index].shown, sure) for index, sure in sources.candidates(value, path)]


def test_every_leaf_has_its_line(sources: Sources) -> None:
    assert {leaf.shown: (leaf.file, leaf.line, leaf.value) for leaf in sources.leaves} == {
        "shop:kind": ("Pulumi.yaml", 5, "big"),
        "shop:image": ("Pulumi.prod.yaml", 3, "nginx:1.29"),
        "shop:nested.zones[0]": ("Pulumi.prod.yaml", 6, "me-central-1"),
        "shop:nested.zones[1]": ("Pulumi.prod.yaml", 7, "eu-west-1"),
        "shop:nested.storage_class": ("Pulumi.prod.yaml", 8, "gold"),
        "shop:nested.size": ("Pulumi.prod.yaml", 9, 7),
        "aws:region": ("Pulumi.prod.yaml", 10, "eu-west-1"),
        "shop:code": ("Pulumi.prod.yaml", 11, "007"),
    }


def test_a_text_that_is_there_once_is_certain_and_a_part_of_one_is_not(sources: Sources) -> None:
    assert _keys(sources, "nginx:1.29", "spec.image") == [("shop:image", True)]
    assert _keys(sources, "registry.acme.example/nginx:1.29", "spec.image") == [("shop:image", False)]
    assert _keys(sources, "nothing like it", "spec.image") == []


def test_of_equal_texts_the_one_with_the_inputs_name_is_certain(sources: Sources) -> None:
    assert dict(_keys(sources, "eu-west-1", "location"))["aws:region"] is True
    assert set(_keys(sources, "eu-west-1", "destination")) == {("shop:nested.zones[1]", False), ("aws:region", False)}


def test_numbers_are_certain_only_under_the_inputs_name(sources: Sources) -> None:
    assert _keys(sources, 7, "spec.size") == [("shop:nested.size", True)]
    assert _keys(sources, 7, "spec.replicas") == [("shop:nested.size", False), ("shop:code", False)]
    assert _keys(sources, 8, "spec.size") == []
    assert _keys(sources, True, "spec.size") == []


def test_a_changed_leaf_leaves_all_else_as_it_is(sources: Sources) -> None:
    (index,) = [number for number, leaf in enumerate(sources.leaves) if leaf.shown == "shop:nested.zones[1]"]
    assert sources.changed(index) == {
        "shop:nested": {"zones": ["me-central-1", "eu-west-1x"], "storage_class": "gold", "size": 7}
    }
    assert sources.config["shop:nested"]["zones"][1] == "eu-west-1"


@pytest.mark.parametrize(("text", "other"), [('"true"', "false"), ('"22"', "23"), ("true", False), ("22", 23)])
def test_a_setting_written_as_text_is_changed_as_what_it_means(tmp_path: Path, text: str, other: Any) -> None:
    own, stack = tmp_path / "Pulumi.yaml", tmp_path / "Pulumi.prod.yaml"
    own.write_text("name: shop\n")
    stack.write_text(f"config:\n  shop:open: {text}\n")
    sources = Sources.read(tmp_path, stack, own, "shop")
    value = not other if isinstance(other, bool) else {"false": True}.get(other, 22)
    assert _keys(sources, value, "publiclyAccessible") == [("shop:open", False)]
    assert sources.changed(0) == {"shop:open": other}


@pytest.mark.parametrize("value", ["[]", "null"])
def test_a_leaf_that_does_not_count_changes_nothing(tmp_path: Path, value: str) -> None:
    own, stack = tmp_path / "Pulumi.yaml", tmp_path / "Pulumi.prod.yaml"
    own.write_text(f"name: shop\nconfig:\n  falaj:stack:\n    value: {value}\n    default: [a]\n")
    stack.write_text("")
    sources = Sources.read(tmp_path, stack, own, "shop")
    assert [sources.changed(index) for index, leaf in enumerate(sources.leaves) if leaf.value == "a"] == [{}]


def test_the_line_of_what_is_not_there_is_its_parents(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("config:\n  falaj:stack:\n    quota:\n      cpu: 1\n")
    assert position(file, ["falaj:stack", "quota", "cpu"]) == 4
    assert position(file, ["falaj:stack", "quota", "gpu"]) == 3
    assert position(file, ["falaj:stack", "standby"]) == 2
    assert position(file, ["other"]) == 0
    assert position(tmp_path / "none", ["a"]) == 0


def test_paths_of_findings_are_followed_as_rules_write_them() -> None:
    inputs = {"spec": {"c": [{"image": "x"}]}, "metadata": {"labels": {"falaj.io/tenant": "acme"}}}
    assert at(inputs, "spec.c[0].image") == "x"
    assert at(inputs, "metadata.labels.'falaj.io/tenant'") == "acme"
    assert at(inputs, "metadata.labels.falaj.io/tenant") == "acme"
    assert at(inputs, "spec.c[4].image") is None
    assert at(inputs, "spec.absent.image") is None


def test_imports_of_a_program_are_those_from_outside_that_it_starts_with(tmp_path: Path) -> None:
    program = """
import json, acme.parts
from helpers import x
try:
    from deep import inner
except ImportError:
    pass
def f():
    import slow_one
"""
    (tmp_path / "__main__.py").write_text(program)
    (tmp_path / "helpers.py").write_text("from pulumi_aws import s3\nimport broken\nimport helpers\n")
    (tmp_path / "broken.py").write_text("def (\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "__init__.py").write_text("")
    (tmp_path / "deep" / "inner.py").write_text("from . import side\nfrom .side import y\n")
    (tmp_path / "deep" / "side.py").write_text("import pulumi_kubernetes.core.v1\n")
    (tmp_path / "unused.py").write_text("import never\n")
    assert imported_by(tmp_path) == ["acme.parts", "json", "pulumi_aws", "pulumi_kubernetes.core.v1"]


def test_an_environment_without_credentials() -> None:
    mine = {
        "PATH": "/bin",
        "LC_ALL": "C",
        "PYTHONPATH": "p",
        "HOME": "h",
        "A_TOKEN": "a",
        "KUBECONFIG": "c",
        "TAG": "7",
    }
    told = scrubbed(mine, "/empty", ["TAG"])
    assert {key: told[key] for key in mine if key in told} == {
        "PATH": "/bin", "LC_ALL": "C", "PYTHONPATH": "p", "HOME": "/empty", "KUBECONFIG": "/dev/null", "TAG": "7",
    }  # fmt: skip


# Secrets: each is put together here, so that this file holds none.
KEY = "".join(("AKIA", "Q3EGXMPL5ZYXW4V2"))
RANDOM = "".join(("9f2c7b1e", "84d05a36", "c1f97e20", "b3d8465a"))
PASSWORD = "".join(("Tr0ub4dor", "&3"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f"key = '{KEY}'"),
        ("a.txt", f"export KEY={KEY}"),
        ("a.py", f"token = '{RANDOM}'"),
        ("a.yaml", f"  token: {RANDOM}"),
        ("a.env", f"TOKEN = {RANDOM}"),
        ("a.py", f"password = '{PASSWORD}'"),
        ("a.yaml", f"db_password: {PASSWORD}"),
        ("a.tf", f'secret = "{PASSWORD}"'),
        ("a.env", f"TOKEN={RANDOM}"),
        ("a.env", f"export TOKEN={RANDOM}"),
        ("a.properties", f"token={RANDOM}"),
        (".env", f"DB_PASSWORD={PASSWORD}"),
        (".env", f"DB_PASSWORD={PASSWORD}  # of production"),
        (".env.production", f"export DB_PASSWORD={PASSWORD}"),
        ("a.cfg", f"password = {PASSWORD}"),
        ("a.js", f"var x = {'{}'.join(['a'] * 3000)}; var password = '{PASSWORD}';"),
        ("a.md", f"postgres://admin:{RANDOM}@db/x"),
        ("a.pem", "-----BEGIN RSA " + "PRIVATE KEY-----"),
    ],
)
def test_a_secret_is_found_where_it_is_and_not_shown(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(f"first line\n{line}\n")
    found = find_secrets(tmp_path, [tmp_path / name]).found
    assert {(secret.file, secret.line) for secret in found} == {(name, 2)}
    assert not any(part in repr(found) for part in (KEY, RANDOM, PASSWORD))
    allowed = f"first line\n{line}  # pragma: allowlist secret\n"
    (tmp_path / name).write_text(allowed)
    marked = find_secrets(tmp_path, [tmp_path / name])
    assert marked.found == ()
    assert marked.notes == (f"1 line is marked `pragma: allowlist`, and would be a secret: {name}:2",)
    (tmp_path / name).write_text(f"# pragma: allowlist nextline secret\n{line}\n")
    assert find_secrets(tmp_path, [tmp_path / name]).found == ()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", f"image = 'registry.acme.example/x@sha256:{RANDOM * 2}'"),
        ("a.py", f"digest = '{RANDOM * 2}'"),
        ("a.yaml", f"    secure: v1:{RANDOM}:{RANDOM}"),
        ("a.yaml", f"    secure: {RANDOM}"),
        ("a.yaml", f"encryptionsalt: v1:{RANDOM}"),
        ("a.yaml", "secretsprovider: awskms://alias/acme"),
        ("a.py", "password = config.require_secret('db')"),
        ("a.py", "password = os.environ['DB_PASSWORD']"),
        ("a.py", "PASSWORD = 'ACME_DB_PASSWORD'"),
        ("a.py", "secret_path = 'tenant-demo/kv/postgres'"),
        ("a.yaml", "secretName: postgres-credentials"),
        ("a.yaml", "  passwordAuthentication: disabled"),
        ("a.py", "password = f'{user}-{host}'"),
        (".env", "DB_PASSWORD=${DB_PASSWORD}"),
        (".env", "DB_PASSWORD="),
        ("a.env", "COMPOSE_PROJECT_NAME=tenant-demo-of-acme"),
        ("uv.lock", f"hash = '{RANDOM}'"),
    ],
)
def test_what_only_looks_like_a_secret(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(f"{line}\n")
    assert find_secrets(tmp_path, [tmp_path / name]).found == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_a_secret_is_found_in_every_encoding_that_editors_write(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.py").write_bytes(f"# ü\npassword = '{PASSWORD}'\n".encode(encoding))
    assert [secret.line for secret in find_secrets(tmp_path, [tmp_path / "a.py"]).found] == [2]


def test_what_is_not_looked_at_is_said(tmp_path: Path) -> None:
    line = f"password = '{PASSWORD}'\n".encode()
    for name, content in (
        ("large.py", line + b"#" * (1 << 20)),
        ("image.png", b"\x89PNG\0\x01" + line),
        ("uv.lock", line),
        ("a.lock", line),
        ("a\x1b[2J.bin", b"\x89\0\x01" + line),
    ):
        (tmp_path / name).write_bytes(content)
    scanned = find_secrets(tmp_path, [*files_of(tmp_path), tmp_path / "gone.py"])
    assert [secret.file for secret in scanned.found] == ["a.lock"]
    assert scanned.left_out == (
        "secrets in 1 file (large.py) of more than 1 MiB",
        "secrets in 1 file (gone.py) that cannot be read",
    )
    assert scanned.notes == (
        "secrets are not looked for in 2 binary files (a?[2J.bin, image.png)",
        "secrets are not looked for in 1 lock file (uv.lock)",
    )


def test_a_complaint_holds_no_secret() -> None:
    told = hidden(f"cannot use {KEY} with password={PASSWORD} and {RANDOM} at __main__.py:7")
    assert not any(part in told for part in (KEY, PASSWORD, RANDOM))
    assert told.endswith("at __main__.py:7")


def test_files_without_git_leave_environments_out(tmp_path: Path) -> None:
    for name in ("a.py", ".venv/b.py", "venv/pyvenv.cfg", "venv/c.py", "node_modules/d.js", "deep/e.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in files_of(tmp_path)] == ["a.py", "deep/e.py"]


def _repository(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


def _names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in files_of(root))


def test_a_project_that_git_ignores_has_files_all_the_same(tmp_path: Path) -> None:
    _repository(tmp_path, "out/shop/a.py", "out/shop/deep/b.py", "out/shop/.venv/c.py", "out/Pulumi.yaml")
    (tmp_path / ".gitignore").write_text("/out/\n")
    assert _names(tmp_path / "out" / "shop") == ["a.py", "deep/b.py"]
    # One of them is tracked: that is not all of the project.
    subprocess.run(["git", "-C", str(tmp_path), "add", "-f", "out/shop/a.py"], check=True)
    assert _names(tmp_path / "out" / "shop") == ["a.py", "deep/b.py"]
    assert _names(tmp_path) == [".gitignore", "out/shop/a.py"]


def test_a_repository_inside_a_project_belongs_to_it(tmp_path: Path) -> None:
    _repository(tmp_path, "a.py")
    _repository(tmp_path / "inner", "b.py", "ignored.py", "deep/c.py")
    (tmp_path / "inner" / ".gitignore").write_text("ignored.py\n")
    assert _names(tmp_path) == ["a.py", "inner/.gitignore", "inner/b.py", "inner/deep/c.py"]


# Malformed configurations.

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.text(string.printable, max_size=20)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "region", "tenant", "cloud", "secure", "value", "default", "jurisdiction", "x"])
            | st.integers()
            | st.text(max_size=8),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_KEYS = st.sampled_from(
    ["falaj:stack", "falaj:jurisdiction", "falaj:standby", "falaj:region", "aws:region", "shop:x", "y"]
) | st.text(max_size=8)
_CONFIGS = st.dictionaries(_KEYS, _VALUES, max_size=4)


def _yaml(document: object) -> bytes:
    dumped: bytes = yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), encoding="utf-8")
    return dumped


_DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"config": _CONFIGS | _VALUES}).map(_yaml),
    st.dictionaries(st.sampled_from(["config", "secretsprovider", "encryptionsalt", "environment"]), _VALUES).map(
        _yaml
    ),
    st.text(st.characters(codec="utf-8"), max_size=60).map(lambda text: text.encode()),
    st.binary(max_size=40),
    st.text(":-[]{}&*!|>'\"#%@ \n\taf123", max_size=40).map(lambda text: ("config:" + text).encode()),
)


def _fit_for_a_user(error: Exception) -> None:
    """An error that the command line shows as one line, with exit code 2."""
    assert getattr(type(error), "exit_code", None) == 2, repr(error)
    assert "\n" not in str(error)


@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(document=_DOCUMENTS, manifest=st.booleans())
def test_ten_thousand_malformed_configurations_are_read_or_refused_in_one_line(
    malformed: Path, document: bytes, manifest: bool
) -> None:
    """Whatever a file holds: a target with its place and its leaves, or an error with an exit code and one line."""
    from falaj_infra.place import place_of

    own, stack = malformed / "Pulumi.yaml", malformed / "Pulumi.prod.yaml"
    own.write_bytes(b"name: shop\nruntime: python\n" + (document if manifest else b""))
    stack.write_bytes(b"" if manifest else document)
    try:
        target = open_project(malformed)
        (found,) = target.stacks
        place_of(found.name, found.config, [target.config_dir])
    except Exception as error:
        _fit_for_a_user(error)
    sources = Sources.read(malformed, stack, own, "shop")
    for index, leaf in enumerate(sources.leaves):
        sources.candidates(leaf.value, "spec.x")
        sources.changed(index)


@pytest.fixture(scope="module")
def malformed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mal formed")
    (root / "__main__.py").write_text("")
    return root
