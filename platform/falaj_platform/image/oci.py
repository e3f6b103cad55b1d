"""The image as OCI says it: config, manifest, index, and the archive that holds them with the layers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from falaj_platform.errors import ImageError
from falaj_platform.image.contents import (
    CREATED,
    ENVIRONMENT,
    EPOCH,
    HOME,
    NAME,
    OCI_ARCHITECTURE,
    TAG,
    TITLE,
    USER_ID,
)
from falaj_platform.image.tarball import Blob

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Layer:
    """One layer: what it holds, and its uncompressed tar."""

    title: str
    blob: Blob
    path: Path


@dataclass(frozen=True)
class Documents:
    """The image's small documents, and its name by digest."""

    config: bytes
    manifest: bytes
    index: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest, `sha256:<hex>`."""
        return blob_of(self.manifest).digest

    @property
    def reference(self) -> str:
        """The image's name by digest, as a pod names it."""
        return f"{NAME}@{self.digest}"


def blob_of(content: bytes) -> Blob:
    """The digest and size of small content."""
    return Blob(f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def documents(layers: Sequence[Layer], annotations: Mapping[str, str]) -> Documents:
    """Config, manifest and index of an image with these layers, bottom first."""
    config = _json(
        {
            "architecture": OCI_ARCHITECTURE,
            "os": "linux",
            "created": CREATED,
            "config": {
                "User": f"{USER_ID}:{USER_ID}",
                "Env": [f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())],
                "Entrypoint": ["/usr/bin/tini", "--"],
                "Cmd": ["python3"],
                "WorkingDir": HOME,
                "Labels": dict(annotations),
            },
            "rootfs": {"type": "layers", "diff_ids": [layer.blob.digest for layer in layers]},
            "history": [{"created": CREATED, "created_by": layer.title} for layer in layers],
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _descriptor(CONFIG_TYPE, blob_of(config)),
            "layers": [
                {**_descriptor(LAYER_TYPE, layer.blob), "annotations": {"org.opencontainers.image.title": layer.title}}
                for layer in layers
            ],
            "annotations": {
                "org.opencontainers.image.created": CREATED,
                "org.opencontainers.image.title": TITLE,
                **annotations,
            },
        }
    )
    blob = blob_of(manifest)
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [
                {
                    **_descriptor(MANIFEST_TYPE, blob),
                    "platform": {"architecture": OCI_ARCHITECTURE, "os": "linux"},
                    # The first is read by containerd, the second by others. A name by digest is made at import.
                    "annotations": {
                        "io.containerd.image.name": f"{NAME}:{TAG}",
                        "org.opencontainers.image.ref.name": TAG,
                    },
                }
            ],
        }
    )
    return Documents(config, manifest, index)


def write_archive(made: Documents, layers: Sequence[Layer], target: Path) -> None:
    """Write the OCI archive: beside its place, flushed, renamed. Raises ImageError if a cached layer is damaged."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("wb") as raw:
            with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
                _add(archive, "index.json", made.index)
                for content in (made.manifest, made.config):
                    _add(archive, _blob_path(blob_of(content).digest), content)
                for layer in layers:
                    _add_layer(archive, layer)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


class _HashingReader:
    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _add_layer(archive: tarfile.TarFile, layer: Layer) -> None:
    if layer.path.stat().st_size != layer.blob.size:
        raise _damaged(layer)
    with layer.path.open("rb") as raw:
        reader = _HashingReader(raw)
        archive.addfile(_info(_blob_path(layer.blob.digest), layer.blob.size), reader)
    if reader.digest != layer.blob.digest:
        raise _damaged(layer)


def _damaged(layer: Layer) -> ImageError:
    return ImageError(f"{layer.path}: the cached layer is damaged; remove this file, then build again")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    archive.addfile(_info(name, len(content)), io.BytesIO(content))


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, EPOCH, 0o644
    return info


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _descriptor(media_type: str, blob: Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
