"""The configuration: what is accepted, and which one line a mistake gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from falaj_stacks.config import KEY, RegionConfig, TenantConfig, parse
from falaj_stacks.errors import ConfigError

Config = Callable[[str], dict[str, Any]]


def _mistake(data: Any, where: Path = Path("Pulumi.x.yaml")) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(data, where=where)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_repositorys_own_stacks_are_valid(config_of: Config) -> None:
    assert isinstance(parse(config_of("region-local"), where=Path("x")), RegionConfig)
    for stack in ("tenant-demo", "tenant-other"):
        assert isinstance(parse(config_of(stack), where=Path("x")), TenantConfig)


def test_a_typo_names_file_line_key_and_the_nearest_right_name(tmp_path: Path, config_of: Config) -> None:
    data = config_of("tenant-demo")
    data["quota"] = {("cpus" if key == "cpu" else key): value for key, value in data["quota"].items()}
    file = tmp_path / "Pulumi.tenant-demo.yaml"
    text = yaml.safe_dump({"config": {KEY: data}}, sort_keys=False)
    file.write_text(text, encoding="utf-8")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "cpus" in row)
    assert _mistake(data, file) == (
        f"Pulumi.tenant-demo.yaml, line {line}: falaj:stack.quota.cpus: no such key: did you mean `cpu`?"
    )


@pytest.mark.parametrize("key", ["jurisdiction", "region", "cloud"])
def test_a_region_has_no_defaults(config_of: Config, key: str) -> None:
    data = config_of("region-local")
    del data[key]
    assert f"falaj:stack.{key}: missing" in _mistake(data)


@pytest.mark.parametrize("key", ["region", "regime", "quota", "members", "tenant"])
def test_a_tenant_has_no_defaults(config_of: Config, key: str) -> None:
    data = config_of("tenant-demo")
    del data[key]
    assert f"falaj:stack.{key}: missing" in _mistake(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "regoin"}, "`kind` must be `region` or `tenant`"),
        ({"tenant": "a-b"}, "falaj:stack.tenant"),
        ({"members": {}}, "falaj:stack.members"),
        ({"members": {"serving": ["operator"]}}, "one of the tenant's own workloads"),
        ({"members": {"eve": ["root"]}}, "falaj:stack.members.eve.0"),
        ({"members": {"eve": []}}, "falaj:stack.members.eve"),
        ({"regoin": "x"}, "did you mean `region`?"),
        ({"zzzz": "x"}, "known are"),
        ({"regime": "pdlp"}, "falaj:stack.regime"),
        ({"regime": "difc"}, "RES-05"),
    ],
)
def test_what_a_tenant_cannot_say(config_of: Config, change: dict[str, Any], said: str) -> None:
    assert said in _mistake({**config_of("tenant-demo"), **change})


@pytest.mark.parametrize("image", ["localhost/falaj/platform:latest", "localhost/falaj/platform@sha256:abc", ""])
def test_an_image_is_named_by_digest(config_of: Config, image: str) -> None:
    assert "falaj:stack.image" in _mistake({**config_of("region-local"), "image": image})


def test_a_zone_says_on_what_it_rests_a_transfer(config_of: Config) -> None:
    data = {**config_of("tenant-demo"), "regime": "difc", "transfer_basis": "standard-clauses"}
    assert isinstance(parse(data, where=Path("x")), TenantConfig)


def test_vault_speaks_tls_only(config_of: Config) -> None:
    data = config_of("region-local")
    data["vault"] = {**data["vault"], "url": "http://127.0.0.1:8200"}
    assert "falaj:stack.vault.url" in _mistake(data)


@pytest.mark.parametrize("data", [None, "region", [], {}])
def test_something_else_altogether(data: Any) -> None:
    assert "falaj:stack" in _mistake(data)
