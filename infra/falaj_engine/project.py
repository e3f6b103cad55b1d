"""Reading and writing a project's files: Pulumi.yaml and Pulumi.<stack>.yaml."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from falaj_engine.diff import parse_path
from falaj_engine.errors import ProjectError, UnsupportedError
from falaj_engine.requirements import require_version
from falaj_engine.secrets import Crypter
from falaj_engine.values import Secret, reveal

_STACK_KEYS = {"encryptionsalt", "secretsprovider", "encryptedkey", "config", "environment"}
# Settings of the engine itself.
_UNSUPPORTED_CONFIG = {"pulumi:disable-default-providers", "pulumi:autonaming"}
# Values in one file. A few hundred bytes of aliases of aliases would otherwise be thousands of millions.
_LARGEST = 100_000


@dataclass(frozen=True, slots=True)
class Project:
    """A Pulumi project. main: the directory or file of its program. config_dir: where its stack files are.

    defaults: configuration from Pulumi.yaml, by full key; what it declares secret is marked so. secret_keys: all that
    it declares secret, with a default or without.
    """

    name: str
    root: Path
    main: Path
    config_dir: Path
    defaults: dict[str, Any] = field(default_factory=dict)
    secret_keys: frozenset[str] = frozenset()


def load_project(folder: Path, *, driven: bool = True) -> Project:
    """The project in `folder` or above it. Raises ProjectError or UnsupportedError.

    driven: False where its program is only looked at; what this engine could not drive (another backend, plugins) is
    then no matter.
    """
    folder = folder.resolve()
    for root in (folder, *folder.parents):
        for name in ("Pulumi.yaml", "Pulumi.yml"):
            if (root / name).is_file():
                return _project(root, root / name, driven)
    raise ProjectError(f"no Pulumi.yaml in {folder} or above: name a project's directory with -C")


def _project(root: Path, path: Path, driven: bool) -> Project:
    document = read_document(path)
    name = document.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ProjectError(f"{path}: 'name' must be a project name")
    runtime = document.get("runtime")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise UnsupportedError(f"{path}: runtime {language!r}: the embedded engine runs Python programs only")
    if driven:
        _refuse_unsupported(document, path)
    main = root / str(document.get("main", "."))
    defaults: dict[str, Any] = {}
    secret_keys = set()
    config = document.get("config") or {}
    if not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise ProjectError(f"{path}:{_line_of(path, 'config')}: 'config' must be a mapping of keys to values")
    for key, value in config.items():
        full = key if ":" in key else f"{name}:{key}"
        if isinstance(value, dict):
            if value.get("secret"):
                secret_keys.add(full)
            if "value" in value or "default" in value:
                given = value.get("value", value.get("default"))
                defaults[full] = Secret(given) if value.get("secret") else given
        else:
            defaults[full] = value
    return Project(name, root, main, root / str(document.get("stackConfigDir", ".")), defaults, frozenset(secret_keys))


def _refuse_unsupported(document: dict[str, Any], path: Path) -> None:
    """Raise UnsupportedError for what would change how a stack behaves and would be ignored."""
    for key in ("backend", "plugins", "packages"):
        if document.get(key):
            raise UnsupportedError(
                f"{path}:{_line_of(path, key)}: {key!r} is not supported by the embedded engine: "
                "use the Pulumi CLI (--engine pulumi)"
            )
    options = document.get("options") or {}
    if not isinstance(options, dict):
        raise ProjectError(f"{path}:{_line_of(path, 'options')}: 'options' must be a mapping")
    for key, value in options.items():
        if value:
            raise UnsupportedError(
                f"{path}:{_line_of(path, 'options')}: options.{key} is not supported by the embedded engine: "
                "use the Pulumi CLI (--engine pulumi)"
            )
    if wanted := document.get("requiredPulumiVersion"):
        require_version(str(wanted), f"{path}:{_line_of(path, 'requiredPulumiVersion')}: requiredPulumiVersion")


@dataclass(slots=True)
class StackFile:
    """A Pulumi.<stack>.yaml. Config values stand as in the file, secrets as `{secure: ciphertext}`."""

    path: Path
    salt: str | None
    config: dict[str, Any]

    def values(
        self, defaults: dict[str, Any], decrypt: Callable[[str], str], *, driven: bool = True
    ) -> tuple[dict[str, str], list[str]]:
        """What the program gets: text (JSON for objects) by full key, and the keys that are secret."""
        merged = {**defaults, **self.config}
        texts, secret_keys = {}, []
        for key, value in merged.items():
            if driven and key in _UNSUPPORTED_CONFIG and value:
                raise UnsupportedError(
                    f"{self.path}: {key} is not supported by the embedded engine: use the Pulumi CLI (--engine pulumi)"
                )
            if isinstance(value, Secret) or has_secure(value):
                secret_keys.append(key)
            texts[key] = text_of(_opened(reveal(value), decrypt))
        return texts, sorted(secret_keys)

    def get(self, key: str, project: str, *, path: bool = False) -> Any:
        """One value as in the file. Raises ProjectError when it is not there."""
        full, parts = _split_key(key, project, path=path)
        value: Any = self.config
        try:
            for part in (full, *parts):
                value = value[part]
        except (KeyError, IndexError, TypeError):
            raise ProjectError(f"{self.path}: no configuration value {key!r}") from None
        return value

    def set(self, key: str, value: Any, project: str, *, path: bool = False) -> None:
        """Set one value; with `path`, inside an object."""
        full, parts = _split_key(key, project, path=path)
        target: Any = self.config
        steps = (full, *parts)
        for part, following in pairwise(steps):
            if isinstance(target, list):
                target = target[int(part)]
                continue
            if not isinstance(target.get(part), dict | list):
                target[part] = [] if isinstance(following, int) else {}
            target = target[part]
        last = steps[-1]
        if isinstance(target, list) and isinstance(last, int) and last == len(target):
            target.append(value)
        else:
            try:
                target[last] = value
            except (IndexError, TypeError):
                raise ProjectError(f"{self.path}: {key!r} cannot be set there") from None

    def save(self) -> None:
        """Write the file, whole or not at all, readable by its owner only."""
        document: dict[str, Any] = {}
        if self.salt is not None:
            document["encryptionsalt"] = self.salt
        document["config"] = self.config
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".yaml.{os.getpid()}.tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            yaml.safe_dump(document, file, sort_keys=False, allow_unicode=True, width=120)
        temporary.rename(self.path)


def load_stack_file(path: Path, project: str, *, driven: bool = True) -> StackFile:
    """Read a stack file; one that does not exist is empty. Raises ProjectError naming file, line and key.

    driven: as for `load_project`.
    """
    if not path.exists():
        return StackFile(path, None, {})
    document = read_document(path)
    for key in document:
        if key not in _STACK_KEYS:
            raise ProjectError(
                f"{path}:{_line_of(path, str(key))}: unknown key {key!r}; a stack file has {sorted(_STACK_KEYS)}"
            )
    for key in ("encryptedkey", "environment") if driven else ():
        if document.get(key):
            raise UnsupportedError(f"{path}: {key!r} is not supported by the embedded engine: use the Pulumi CLI")
    if driven and document.get("secretsprovider") not in (None, "passphrase"):
        raise UnsupportedError(
            f"{path}: secretsprovider {document['secretsprovider']!r}: the embedded engine has passphrase only"
        )
    config = document.get("config") or {}
    if not isinstance(config, dict):
        raise ProjectError(f"{path}:{_line_of(path, 'config')}: 'config' must be a mapping of keys to values")
    full = {}
    for key, value in config.items():
        if not isinstance(key, str):
            raise ProjectError(f"{path}: the configuration key {key!r} must be text")
        full[key if ":" in key else f"{project}:{key}"] = value
    return StackFile(path, document.get("encryptionsalt"), full)


def full_key(key: str, project: str) -> str:
    """The key with its namespace, the project's by default."""
    return key if ":" in key else f"{project}:{key}"


def secure(value: str, crypter: Crypter) -> dict[str, str]:
    """A secret as a stack file writes it."""
    return {"secure": crypter.encrypt(value)}


def _split_key(key: str, project: str, *, path: bool) -> tuple[str, tuple[str | int, ...]]:
    if not path:
        return full_key(key, project), ()
    try:
        first, *rest = parse_path(key)
    except ValueError as error:
        raise ProjectError(str(error)) from None
    return full_key(str(first), project), tuple(rest)


def read_document(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping, or nothing. Raises ProjectError naming file and line."""
    try:
        document = _loaded(path) or {}
    except OSError as error:
        raise ProjectError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}" if mark is not None else ""
        raise ProjectError(f"{path}{place}: not valid YAML: {getattr(error, 'problem', None) or 'malformed'}") from None
    except (ValueError, RecursionError):
        # Not UTF-8, a date that is none, a nesting without end.
        raise ProjectError(f"{path}:1: not valid YAML: malformed") from None
    if not isinstance(document, dict):
        raise ProjectError(f"{path}:1: must be a mapping")
    return document


def _loaded(path: Path) -> Any:
    """What the file holds. Raises ProjectError: its aliases make it too large, or make it hold itself."""
    # The C parser is ten times faster, and not in every build of PyYAML.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text(encoding="utf-8"))
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        # Before anything is made of it: merging (`<<`) writes out what aliases name.
        if _size(root, {}) > _LARGEST:
            raise ProjectError(f"{path}: more than {_LARGEST} values with its aliases written out: write fewer")
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, float]) -> float:
    """How many nodes there are with every alias written out; infinite where one is inside of what it names."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = (part for item in node.value for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


def _line_of(path: Path, key: str) -> int:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith((f"{key}:", f'"{key}"', f"'{key}'")):
            return number
    return 1


def has_secure(value: Any) -> bool:
    """True when a part is encrypted (`{secure: ciphertext}`)."""
    if isinstance(value, dict):
        return (len(value) == 1 and isinstance(value.get("secure"), str)) or any(map(has_secure, value.values()))
    return isinstance(value, list) and any(map(has_secure, value))


def _opened(value: Any, decrypt: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get("secure"), str):
            return decrypt(value["secure"])
        return {key: _opened(child, decrypt) for key, child in value.items()}
    return [_opened(child, decrypt) for child in value] if isinstance(value, list) else value


def text_of(value: Any) -> str:
    """A configuration value as a program reads it: objects, lists and truth values as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, dict | list | bool) or value is None else str(value)
