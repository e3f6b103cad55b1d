"""Where a stack is: what its configuration says, never what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from falaj_infra.errors import PlaceError
from falaj_infra.place import backend_of, place_of, stack_folders
from falaj_policies import UNKNOWN, Place

REGION = {"kind": "region", "cloud": "on-premises", "region": "local", "jurisdiction": "uae"}
TENANT = {"kind": "tenant", "tenant": "acme", "region": "region-x", "regime": "pdpl"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a folder"
    made.mkdir()
    (made / "Pulumi.region-x.yaml").write_text(yaml.safe_dump({"config": {"falaj:stack": REGION}}))
    return made


def test_a_region_says_it_itself() -> None:
    expected = Place(cloud="on-premises", region="local", jurisdiction="uae")
    assert place_of("s", {"falaj:stack": REGION}, []) == expected
    assert place_of("s", {"falaj:stack": json.dumps(REGION)}, []) == expected


def test_a_tenant_is_where_its_region_is(folder: Path) -> None:
    own = {**TENANT, "regime": "difc", "transfer_basis": "scc", "standby": {"cloud": "azure", "region": "uaenorth"}}
    assert place_of("s", {"falaj:stack": own}, [folder.parent, folder]) == Place(
        cloud="on-premises",
        region="local",
        jurisdiction="uae",
        tenant="acme",
        regime="difc",
        transfer_basis="scc",
        standby=("azure", "uaenorth"),
    )


def test_the_first_folder_that_has_the_region_counts(folder: Path, tmp_path: Path) -> None:
    local = tmp_path / "stacks"
    local.mkdir()
    moved = {"config": {"falaj:stack": {**REGION, "region": "elsewhere"}}}
    (local / "Pulumi.region-x.yaml").write_text(yaml.safe_dump(moved))
    assert place_of("s", {"falaj:stack": TENANT}, [local, folder]).region == "elsewhere"


def test_any_other_project_says_it_key_by_key() -> None:
    assert place_of("s", {}, []) == Place(cloud=UNKNOWN, region=UNKNOWN, jurisdiction="")
    said = {"falaj:jurisdiction": "uae", "falaj:regime": "cbuae", "falaj:cloud": "aws", "falaj:region": "me-central-1"}
    said |= {"falaj:tenant": "acme", "falaj:standby": '{"cloud": "azure", "region": "uaenorth"}'}
    assert place_of("s", said, []) == Place(
        cloud="aws",
        region="me-central-1",
        jurisdiction="uae",
        tenant="acme",
        regime="cbuae",
        standby=("azure", "uaenorth"),
    )


@pytest.mark.parametrize(
    "config",
    [
        {"falaj:stack": "not JSON"},
        {"falaj:stack": []},
        {"falaj:stack": {}},
        {"falaj:stack": {**REGION, "kind": "zone"}},
        {"falaj:stack": {**REGION, "jurisdiction": ""}},
        {"falaj:stack": {**REGION, "cloud": 5}},
        {"falaj:stack": {**REGION, "standby": {"cloud": "aws"}}},
        {"falaj:stack": {**TENANT, "region": "region-unheard-of"}},
        {"falaj:stack": {**TENANT, "region": "../a folder/region-x"}},
        {"falaj:stack": {**TENANT, "tenant": None}},
        {"falaj:jurisdiction": ["uae"]},
        {"falaj:standby": "aws"},
    ],
)
def test_what_leads_nowhere_is_an_error_of_one_line(config: dict[str, object], folder: Path) -> None:
    with pytest.raises(PlaceError) as caught:
        place_of("s", config, [folder])
    assert str(caught.value).startswith("Pulumi.s.yaml: ")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "text", [b"config: [", b"\xff\xfe", b"config: 3", b"[1]", b"config: {'falaj:stack': {kind: tenant}}"]
)
def test_a_regions_file_that_cannot_be_read_is_one_too(text: bytes, folder: Path) -> None:
    (folder / "Pulumi.region-x.yaml").write_bytes(text)
    with pytest.raises(PlaceError):
        place_of("s", {"falaj:stack": TENANT}, [folder])


def test_a_projects_stack_files_are_found_where_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FALAJ_HOME", raising=False)
    assert stack_folders(tmp_path) == [tmp_path / ".falaj" / "stacks", tmp_path / "."]
    (tmp_path / "Pulumi.yaml").write_text("name: acme\nstackConfigDir: stacks/config\n")
    monkeypatch.setenv("FALAJ_HOME", str(tmp_path / "home"))
    assert stack_folders(tmp_path) == [
        tmp_path / "home" / "stacks",
        tmp_path / ".falaj" / "stacks",
        tmp_path / "stacks" / "config",
    ]


# Where the state is


@pytest.fixture
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Pulumi remembers its login."""
    home = tmp_path / "pulumi home"
    home.mkdir()
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CREDENTIALS_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(home))
    return home / "credentials.json"


def test_the_state_is_where_pulumi_would_keep_it(folder: Path, login: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend_of(folder) == ""
    login.write_text('{"current": "https://api.pulumi.com", "accessTokens": {"https://api.pulumi.com": "t"}}')
    assert backend_of(folder) == "https://api.pulumi.com"
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(folder))
    assert backend_of(folder) == ""
    monkeypatch.delenv("PULUMI_CREDENTIALS_PATH")
    (folder / "Pulumi.yaml").write_text("name: acme\nbackend: {url: 's3://state?region=me-central-1'}\n")
    assert backend_of(folder) == "s3://state?region=me-central-1"
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///state")
    assert backend_of(folder) == "file:///state"


def test_without_a_home_of_its_own_pulumis_is_the_users(
    folder: Path, login: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULUMI_HOME")
    monkeypatch.setenv("HOME", str(folder))
    assert backend_of(folder) == ""
    (folder / ".pulumi").mkdir()
    (folder / ".pulumi" / "credentials.json").write_text('{"current": "azblob://state"}')
    assert backend_of(folder) == "azblob://state"


@pytest.mark.parametrize("text", ['{"current": 3}', "[]", '{"accessTokens": {"a": "hunter2"}', "\udcff"])
def test_a_login_that_cannot_be_read_is_one_line_without_its_tokens(folder: Path, login: Path, text: str) -> None:
    login.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PlaceError, match="not known where the state is") as caught:
        backend_of(folder)
    assert "hunter2" not in str(caught.value)


def test_an_empty_login_says_nothing(folder: Path, login: Path) -> None:
    for text in ("", "{}"):
        login.write_text(text)
        assert backend_of(folder) == ""
