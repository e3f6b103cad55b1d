"""Where a stack is, from its configuration: what every place that judges resources goes by.

A stack of Falaj's says it in `falaj:stack`: a region itself, a tenant through the stack file of its region. Any other
project says it in keys of its own: `falaj:jurisdiction`, `falaj:regime`, `falaj:cloud`, `falaj:region`, and where they
apply `falaj:tenant`, `falaj:transfer_basis`, `falaj:standby`. What nobody says is unknown, never assumed; without a
jurisdiction RES-01 refuses every resource.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from falaj_infra.errors import PlaceError
from falaj_policies import UNKNOWN, Place

__all__ = ["KEY", "backend_of", "place_of", "stack_folders"]

KEY: Final = "falaj:stack"
_STACK_NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,99}")


def place_of(stack: str, config: Mapping[str, object], folders: Sequence[Path]) -> Place:
    """Where `stack` is.

    `config` is its configuration by full key, the project's own defaults included; objects as such or as JSON text.
    `folders` is where a tenant's region has its `Pulumi.<region>.yaml`, the first that has it counts.
    Raises PlaceError: what is said leads nowhere, or cannot be read.
    """
    where = f"Pulumi.{stack}.yaml"
    if config.get(KEY) is None:
        return _plain(config, where)
    own = _mapping(config[KEY], f"{where}: {KEY}")
    kind = own.get("kind")
    if kind == "region":
        region = own
    elif kind == "tenant":
        region = _region(_text(own, "region", where), folders, where)
    else:
        raise PlaceError(f"{where}: {KEY}.kind must be `region` or `tenant`, so it is not known in what jurisdiction")
    return Place(
        cloud=_text(region, "cloud", where),
        region=_text(region, "region", where),
        jurisdiction=_text(region, "jurisdiction", where),
        tenant=_text(own, "tenant", where) if kind == "tenant" else None,
        regime=_optional(own, "regime", where),
        transfer_basis=_optional(own, "transfer_basis", where),
        standby=_standby(own.get("standby", region.get("standby")), f"{where}: {KEY}.standby"),
    )


def stack_folders(root: Path) -> list[Path]:
    """Where a project's stack files are, the local ones first: `root` is the directory of its Pulumi.yaml.

    Raises PlaceError: Pulumi.yaml cannot be read.
    """
    home = os.environ.get("FALAJ_HOME")
    file = root / "Pulumi.yaml"
    said = _read(file).get("stackConfigDir", ".") if file.is_file() else "."
    return [*([Path(home) / "stacks"] if home else []), root / ".falaj" / "stacks", root / str(said)]


def backend_of(root: Path) -> str:
    """The URL of the state, as Pulumi would take it: from the environment, else from Pulumi.yaml, else the one that
    this user last logged in to; empty if nothing says it.

    Raises PlaceError: Pulumi.yaml, or what Pulumi remembers of the login, cannot be read.
    """
    file = root / "Pulumi.yaml"
    said = _read(file).get("backend") if file.is_file() else None
    told = os.environ.get("PULUMI_BACKEND_URL") or (said if isinstance(said, Mapping) else {}).get("url")
    return str(told or _logged_in())


def _logged_in() -> str:
    """`current` of Pulumi's credentials, of which nothing else is looked at. Raises PlaceError."""
    home = os.environ.get("PULUMI_CREDENTIALS_PATH") or os.environ.get("PULUMI_HOME")
    try:
        text = (Path(home or Path.home() / ".pulumi") / "credentials.json").read_text(encoding="utf-8")
        said = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RuntimeError):
        said = None
    current = said.get("current", "") if isinstance(said, Mapping) else None
    if not isinstance(current, str):
        raise PlaceError("credentials.json of Pulumi cannot be read, so it is not known where the state is")
    return current


def _plain(config: Mapping[str, object], where: str) -> Place:
    said = {key: config.get(f"falaj:{key}") for key in ("cloud", "region", "jurisdiction", "regime", "tenant")}
    said["transfer_basis"] = config.get("falaj:transfer_basis")
    for key, value in said.items():
        if value is not None and not isinstance(value, str):
            raise PlaceError(f"{where}: falaj:{key} must be text")
    texts = {key: str(value) for key, value in said.items() if value}
    return Place(
        cloud=texts.get("cloud", UNKNOWN),
        region=texts.get("region", UNKNOWN),
        jurisdiction=texts.get("jurisdiction", ""),
        tenant=texts.get("tenant"),
        regime=texts.get("regime", ""),
        transfer_basis=texts.get("transfer_basis", ""),
        standby=_standby(config.get("falaj:standby"), f"{where}: falaj:standby"),
    )


def _region(name: str, folders: Sequence[Path], where: str) -> Mapping[str, Any]:
    """`falaj:stack` of the region's stack file."""
    if _STACK_NAME.fullmatch(name):
        for folder in folders:
            file = folder / f"Pulumi.{name}.yaml"
            if file.is_file():
                config = _mapping(_read(file).get("config") or {}, f"{file.name}: config")
                found = _mapping(config.get(KEY), f"{file.name}: {KEY}")
                if found.get("kind") != "region":
                    raise PlaceError(f"{where}: {KEY}.region: the stack {name} is not a region, so no jurisdiction")
                return found
    raise PlaceError(
        f"{where}: {KEY}.region: there is no Pulumi.{name}.yaml, so it is not known in what jurisdiction the tenant is"
    )


def _standby(value: object, where: str) -> tuple[str, str] | None:
    if value is None:
        return None
    pair = _mapping(value, where)
    if set(pair) != {"cloud", "region"}:
        raise PlaceError(f"{where}: must be a `cloud` and a `region`")
    return _text(pair, "cloud", where), _text(pair, "region", where)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise PlaceError(f"{where}: must be a mapping that leads to a jurisdiction")
    return value


def _text(mapping: Mapping[str, Any], key: str, where: str) -> str:
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise PlaceError(f"{where}: {KEY} leads to no {key}: say it, so that the jurisdiction can be judged")
    return value


def _optional(mapping: Mapping[str, Any], key: str, where: str) -> str:
    return "" if mapping.get(key) is None else _text(mapping, key, where)


def _read(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise PlaceError(f"{file.name}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise PlaceError(f"{file.name}: not valid YAML") from None
    return _mapping(document, file.name)
