"""The image's documents, its archive and its bill of materials."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from falaj_platform.errors import ImageError
from falaj_platform.image import contents, oci, sbom
from falaj_platform.image.lockfile import DebianPackage, Wheel
from falaj_platform.image.registry import read_archive


@pytest.fixture
def layers(tmp_path: Path) -> list[oci.Layer]:
    made = []
    for name in ("first", "second"):
        content = name.encode() * 1000
        (tmp_path / name).write_bytes(content)
        made.append(oci.Layer(name, oci.blob_of(content), tmp_path / name))
    return made


def test_config_manifest_and_index_point_at_each_other(layers: list[oci.Layer]) -> None:
    made = oci.documents(layers, {"falaj.io/sbom": "sha256:x"})
    config, manifest, index = (json.loads(text) for text in (made.config, made.manifest, made.index))
    assert config["rootfs"]["diff_ids"] == [layer.blob.digest for layer in layers]
    assert manifest["config"]["digest"] == f"sha256:{hashlib.sha256(made.config).hexdigest()}"
    assert [layer["digest"] for layer in manifest["layers"]] == config["rootfs"]["diff_ids"]
    assert index["manifests"][0]["digest"] == made.digest == f"sha256:{hashlib.sha256(made.manifest).hexdigest()}"
    assert made.reference == f"localhost/falaj/platform@{made.digest}"
    assert manifest["annotations"]["falaj.io/sbom"] == config["config"]["Labels"]["falaj.io/sbom"] == "sha256:x"


def test_the_image_does_not_run_as_root_and_calls_nobody(layers: list[oci.Layer]) -> None:
    config = json.loads(oci.documents(layers, {}).config)["config"]
    assert config["User"] == "65532:65532"
    assert {"MLFLOW_DISABLE_TELEMETRY=true", "RAY_USAGE_STATS_ENABLED=0"} <= set(config["Env"])


def test_the_archive_is_the_same_twice_and_every_blob_has_its_digest(layers: list[oci.Layer], tmp_path: Path) -> None:
    made = oci.documents(layers, {})
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    oci.write_archive(made, layers, first)
    oci.write_archive(oci.documents(layers, {}), layers, second)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        for member in archive:
            if member.name.startswith("blobs/"):
                file = archive.extractfile(member)
                assert file is not None
                assert hashlib.sha256(file.read()).hexdigest() == member.name.removeprefix("blobs/sha256/")
    manifest, blobs = read_archive(first)
    assert manifest == made.manifest
    assert [blob.digest for blob in blobs] == [
        *(layer.blob.digest for layer in layers),
        oci.blob_of(made.config).digest,
    ]


@pytest.mark.parametrize("damage", [lambda old: old[:-1], lambda old: old + b"x", lambda old: b"X" + old[1:]])
def test_a_damaged_cached_layer_makes_no_archive(layers: list[oci.Layer], tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    layers[0].path.write_bytes(damage(layers[0].path.read_bytes()))
    with pytest.raises(ImageError, match="cached layer is damaged"):
        oci.write_archive(oci.documents(layers, {}), layers, tmp_path / "image.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


@pytest.mark.parametrize(
    "damage", [lambda old: old[:700], lambda old: b"", lambda old: old.replace(b"sha256", b"sha255")]
)
def test_a_damaged_archive_is_one_line(layers: list[oci.Layer], tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    path = tmp_path / "image.tar"
    oci.write_archive(oci.documents(layers, {}), layers, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ImageError, match="archive is damaged"):
        read_archive(path)


DEBIAN = DebianPackage(name="libstdc++6", version="1:12.2+x-1", architecture="amd64", sha256="a" * 64, size=1)
WHEEL = Wheel(name="ray", version="2.60.0", file="ray-2.60.0-py3-none-any.whl", sha256="b" * 64, size=1)
OWN = Wheel(name="falaj", version="0.1.0", file="falaj-0.1.0-py3-none-any.whl", sha256="c" * 64, size=1)


def test_the_bill_lists_every_part_with_hash_and_url() -> None:
    bill = json.loads(sbom.bill([DEBIAN], [WHEEL], [OWN]))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert [component["purl"] for component in bill["components"]] == [
        "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2%2Bx-1?arch=amd64&distro=debian-12",
        "pkg:pypi/ray@2.60.0",
        "pkg:pypi/falaj@0.1.0",
    ]
    assert [component["hashes"][0]["content"][0] for component in bill["components"]] == ["a", "b", "c"]
    assert bill["components"][2]["type"] == "application"
    references = {component["bom-ref"] for component in bill["components"]}
    assert len(references) == 3
    assert set(bill["dependencies"][0]["dependsOn"]) == references
    assert bill["metadata"]["component"]["name"] == contents.NAME


def test_the_bill_is_the_same_for_the_same_parts_and_differs_for_others() -> None:
    assert sbom.bill([DEBIAN], [WHEEL], [OWN]) == sbom.bill([DEBIAN], [WHEEL], [OWN])
    serials = {json.loads(sbom.bill(debian, [WHEEL], [OWN]))["serialNumber"] for debian in ([DEBIAN], [])}
    assert len(serials) == 2
