"""Container images: a site pulls none, it is given archives (OCI image layout, in a tar)."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from falaj_site.errors import CannotRun, ComponentFailed

__all__ = ["Containerd", "archive_reference", "program_archive"]

_REF_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_NAMESPACE = "k8s.io"


class Containerd:
    """The site's containerd, asked through `ctr` over the socket `socket`."""

    def __init__(self, ctr: Path, socket: Path) -> None:
        self._command = [str(ctr), f"--address={socket}", f"--namespace={_NAMESPACE}"]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ComponentFailed(f"containerd: {' '.join(arguments[:2])}: {said[:300]}")
        return done.stdout

    def names(self) -> list[str]:
        """The names of the images that the site holds, sorted."""
        names = self._run("images", "list", "--quiet").split()
        return sorted(name for name in names if not name.startswith("sha256:"))

    def load(self, archive: Path) -> str:
        """Imports the one image in `archive` and returns the reference by digest under which pods can name it.

        Nothing is done where that reference is there already. Raises CannotRun for a file that is no such archive.
        """
        name, digest = archive_reference(archive)
        reference = f"{name.rpartition(':')[0] if ':' in name.rpartition('/')[2] else name}@{digest}"
        present = self.names()
        if reference in present and name in present:
            return reference
        self._run("images", "import", str(archive))
        if name not in self.names():
            raise ComponentFailed(f"{archive}: containerd imported no image named {name}")
        # Images are named by digest in pods; only a pull would make that name by itself.
        self._run("images", "tag", "--force", name, reference)
        return reference


def archive_reference(archive: Path) -> tuple[str, str]:
    """The image's name and its manifest's digest (`sha256:…`), from the archive's index."""
    try:
        with tarfile.open(archive) as tar:
            index = next((tar.extractfile(member) for member in tar if member.name.lstrip("./") == "index.json"), None)
            manifests = json.load(index)["manifests"] if index is not None else []
    except (OSError, tarfile.TarError, ValueError, KeyError) as error:
        raise CannotRun(f"{archive}: cannot be read as an OCI image archive ({error})") from error
    if len(manifests) != 1:
        raise CannotRun(f"{archive}: holds {len(manifests)} images in its index.json, one is needed")
    notes = manifests[0].get("annotations", {})
    name = next((notes[key] for key in _REF_NAMES if "/" in notes.get(key, "")), None)
    if name is None:
        raise CannotRun(f"{archive}: its index.json gives the image no full name ({' or '.join(_REF_NAMES)})")
    return str(name), str(manifests[0]["digest"])


def program_archive(program: Path, image: str, target: Path) -> None:
    """Writes to `target` the archive of an image named `image` that holds one static program and runs it."""
    layer = _tar({program.name: (program.read_bytes(), 0o755)})
    config = {
        "architecture": _MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = _digest(content)
        blobs[f"blobs/sha256/{digest.removeprefix('sha256:')}"] = content
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(content)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(_json(config), "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar")],
    }
    entry = blob(_json(manifest), "manifest.v1+json")
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**entry, "annotations": {_REF_NAMES[0]: image}}],
    }
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(index), **blobs}
    target.write_bytes(_tar({name: (content, 0o644) for name, content in files.items()}))


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """A tar of root's files, always the same for the same content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, (content, mode) in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
