"""The image's bill of materials: CycloneDX 1.6, every Debian package and wheel with its hash and package URL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from falaj_platform.image.contents import CREATED, NAME
from falaj_platform.image.lockfile import DebianPackage, Wheel

MEDIA_TYPE = "application/vnd.cyclonedx+json"


def bill(debian: Iterable[DebianPackage], wheels: Iterable[Wheel], own: Sequence[Wheel]) -> bytes:
    """The bill as canonical JSON: the same packages give the same bytes."""
    components = [
        *(_component(package, _deb_url(package)) for package in debian),
        *(_component(wheel, _pypi_url(wheel)) for wheel in wheels),
        *(_component(wheel, _pypi_url(wheel), kind="application") for wheel in own),
    ]
    content = json.dumps(components, sort_keys=True)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # Required to be unique for each content, and here also the same for the same content.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {
            "timestamp": CREATED,
            "component": {"type": "container", "bom-ref": NAME, "name": NAME},
        },
        "components": components,
        "dependencies": [{"ref": NAME, "dependsOn": [component["bom-ref"] for component in components]}],
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _component(package: DebianPackage | Wheel, url: str, kind: str = "library") -> Mapping[str, Any]:
    return {
        "type": kind,
        "bom-ref": url,
        "name": package.name,
        "version": package.version,
        "purl": url,
        "hashes": [{"alg": "SHA-256", "content": package.sha256}],
    }


def _deb_url(package: DebianPackage) -> str:
    name, version = quote(package.name, safe=""), quote(package.version, safe="")
    return f"pkg:deb/debian/{name}@{version}?arch={package.architecture}&distro=debian-12"


def _pypi_url(wheel: Wheel) -> str:
    return f"pkg:pypi/{wheel.name}@{quote(wheel.version, safe='')}"
