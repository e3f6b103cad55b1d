"""Builds the platform image: three layers (Debian, wheels, Falaj's own code), each made once for the same inputs."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from falaj_platform.errors import ImageError, SpaceError, ToolError
from falaj_platform.image import oci, process, sbom, wheels
from falaj_platform.image.apt import able, accept, private_apt, settle
from falaj_platform.image.bytecode import compile_tree
from falaj_platform.image.cache import Cache, LayerRecord, cache_root, digest_of
from falaj_platform.image.contents import DEBIAN_ARCHITECTURE, FOLDERS, LIBRARY_FOLDER, PYTHON
from falaj_platform.image.lockfile import (
    DEBIAN_LOCK,
    WHEEL_LOCK,
    DebianLock,
    Wheel,
    WheelLock,
    load_debian,
    load_wheels,
)
from falaj_platform.image.rootfs import DPKG_REMEDY, unpack
from falaj_platform.image.tarball import pack
from falaj_site.home import private_folder
from falaj_site.progress import Progress, Silent, step

ARCHIVE, RECORD, BILL = "platform.oci.tar", "image.json", "platform.cdx.json"
OWN_PACKAGES = ("falaj-policies", "falaj")
_OWN_FOLDERS = ("policies", "runtime")
_STEPS = {"debian": "Debian layer", "wheels": "wheels layer", "falaj": "Falaj's layer"}
_TRIES = 3
# Our own archive. Python's later patch releases want to be told; the first ones of 3.11 do not know the argument.
_TRUSTED: dict[str, Any] = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


class BuiltImage(BaseModel):
    """A built image. `archive` and `bill` (its SBOM) are files; `size` in bytes; `substitutes` are Debian packages

    (name, locked version, version taken) that the mirror no longer had as locked: the digest then is not the lock's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    digest: str
    archive: Path
    bill: Path
    size: int
    substitutes: tuple[tuple[str, str, str], ...] = ()
    key: str
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True)
class _Inputs:
    """What the image is made from; the keys say so layer by layer."""

    root: Path
    debian: DebianLock
    wheels: WheelLock
    keys: dict[str, str]
    installed: str
    documents: str

    @property
    def key(self) -> str:
        return hashlib.sha256("\n".join([*self.keys.values(), self.documents]).encode()).hexdigest()


def build_image(home: Path, progress: Progress | None = None) -> BuiltImage:
    """Build the image, or find it built, with its archive under `home/image/`. Raises ImageError."""
    show = progress or Silent()
    began = time.monotonic()
    folder = home / "image"
    with _disk(folder):
        private_folder(private_folder(home) / "image")
        found = built(home)
        if found and found.key == _inputs().key:
            return found.model_copy(update={"cached": True, "seconds": time.monotonic() - began})
        cache = Cache(cache_root())
        with cache.locked(lambda: show.note("another build of the image is running; waiting for it")):
            made = _build(cache, folder, show)
        return made.model_copy(update={"seconds": time.monotonic() - began})


def check(home: Path) -> None:
    """Raises ToolError if the image has yet to be built and this machine cannot build it. Changes nothing."""
    inputs, found = _inputs(), built(home)
    if found is None or found.key != inputs.key:
        cache = Cache(cache_root())
        _able([kind for kind, key in inputs.keys.items() if cache.record(key) is None])


def built(home: Path) -> BuiltImage | None:
    """The image that was built last under `home`, or None."""
    folder = home / "image"
    try:
        found = BuiltImage.model_validate_json((folder / RECORD).read_bytes())
        if (folder / ARCHIVE).stat().st_size != found.size or not (folder / BILL).is_file():
            return None
    except (OSError, ValidationError):
        return None
    # The folder may have moved since.
    return found.model_copy(update={"archive": folder / ARCHIVE, "bill": folder / BILL})


def _build(cache: Cache, folder: Path, show: Progress) -> BuiltImage:
    for _ in range(_TRIES):
        inputs = _inputs()
        missing = [kind for kind, key in inputs.keys.items() if cache.record(key) is None]
        if missing:
            _able(missing)
            cache.room()
        show.plan([*(_STEPS[kind] for kind in missing), "archive"])
        makers = {"debian": _make_debian, "wheels": _make_wheels, "falaj": _make_own}
        for kind in missing:
            with step(show, _STEPS[kind]):
                makers[kind](cache, inputs, show)
        if _inputs().keys == inputs.keys:
            break
        show.note("Falaj's sources changed during the build; building their layer again")
    else:
        raise ImageError(f"{inputs.root}: the sources keep changing; build again when they rest")
    with step(show, "archive"):
        made = _assemble(cache, inputs, folder)
    cache.prune(inputs.keys)
    for name, locked, taken in made.substitutes:
        show.note(f"{name} {locked} is no longer on the mirror: {taken} was taken, and the digest is not the lock's")
    return made


def _able(missing: Sequence[str]) -> None:
    """Raise ToolError, before anything is changed, if this machine cannot make the missing layers."""
    if not missing:
        return
    if platform.machine() not in ("x86_64", "amd64"):
        raise ToolError(f"the image is locked for {DEBIAN_ARCHITECTURE}, this machine is {platform.machine()}")
    process.find("uv", wheels.UV_REMEDY)
    if "debian" in missing:
        process.find("dpkg-deb", DPKG_REMEDY)
        able()


def _assemble(cache: Cache, inputs: _Inputs, folder: Path) -> BuiltImage:
    records = {kind: cache.record(key) for kind, key in inputs.keys.items()}
    found = {kind: record for kind, record in records.items() if record is not None}
    if len(found) != len(records):
        raise ImageError(f"{cache.layers}: a layer vanished during the build; build again")
    layers = [oci.Layer(_STEPS[kind], record.blob, cache.tar(inputs.keys[kind])) for kind, record in found.items()]
    bill = sbom.bill(found["debian"].debian, found["wheels"].wheels, found["falaj"].wheels)
    substitutes = found["debian"].substitutes
    annotations = {
        "falaj.io/lock": "sha256:" + digest_of([DEBIAN_LOCK, WHEEL_LOCK], DEBIAN_LOCK.parent),
        "falaj.io/sbom": oci.blob_of(bill).digest,
    }
    if substitutes:
        annotations["falaj.io/substitutes"] = ",".join(f"{name}={taken}" for name, _, taken in substitutes)
    made = oci.documents(layers, annotations)
    # The record goes first and comes last: between the two there is no built image.
    (folder / RECORD).unlink(missing_ok=True)
    oci.write_archive(made, layers, folder / ARCHIVE)
    (folder / BILL).write_bytes(bill)
    image = BuiltImage(
        reference=made.reference,
        digest=made.digest,
        archive=folder / ARCHIVE,
        bill=folder / BILL,
        size=(folder / ARCHIVE).stat().st_size,
        substitutes=substitutes,
        key=inputs.key,
    )
    draft = folder / f".{RECORD}"
    draft.write_text(image.model_dump_json(indent=1), encoding="utf-8")
    draft.replace(folder / RECORD)
    return image


def _make_debian(cache: Cache, inputs: _Inputs, show: Progress) -> None:
    packages = inputs.debian.packages
    substitutes: tuple[tuple[str, str, str], ...] = ()
    if any(not (cache.debs / f"{package.sha256}.deb").is_file() for package in packages):
        with private_apt() as apt:
            packages, substituted = settle(inputs.debian, apt.records([package.name for package in packages]))
            substitutes = tuple((each.name, each.locked, each.taken) for each in substituted)
            wanted = [package for package in packages if not (cache.debs / f"{package.sha256}.deb").is_file()]
            show.note(f"fetching {len(wanted)} Debian packages, {sum(each.size for each in wanted) / 1e6:.0f} MB")
            apt.download(wanted, cache.debs, cache.work("debs"))
    for package in packages:
        accept(cache.debs / f"{package.sha256}.deb", package)
    tree = cache.work("debian")
    unpack([(package.name, cache.debs / f"{package.sha256}.deb") for package in packages], tree)
    compile_tree(tree, tree)
    _keep(cache, inputs.keys["debian"], tree, debian=packages, substitutes=substitutes)


def _make_wheels(cache: Cache, inputs: _Inputs, show: Progress) -> None:
    packages = inputs.wheels.packages
    show.note(f"installing {len(packages)} wheels, {sum(wheel.size for wheel in packages) / 1e6:.0f} MB")
    tree = cache.work("wheels")
    wheels.install_locked(packages, tree)
    compile_tree(tree, _interpreter(cache, inputs))
    _keep(cache, inputs.keys["wheels"], tree, wheels=packages)


def _make_own(cache: Cache, inputs: _Inputs, show: Progress) -> None:
    # From a copy, under the copy's key: someone may be editing the checkout.
    copy = cache.work("sources")
    for path in _own_sources(inputs.root):
        target = copy / path.relative_to(inputs.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    files = wheels.build_own(copy, OWN_PACKAGES, cache.work("own"))
    tree = cache.work("falaj")
    wheels.install_files(files, tree)
    compile_tree(tree, _interpreter(cache, inputs))
    _keep(cache, _own_key(inputs.installed, copy), tree, wheels=tuple(_own_wheel(file) for file in files))


def _own_wheel(file: Path) -> Wheel:
    name, version, _ = file.name.split("-", 2)
    content = file.read_bytes()
    return Wheel(
        name=name.replace("_", "-"),
        version=version,
        file=file.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )


def _keep(cache: Cache, key: str, tree: Path, **facts: object) -> None:
    draft = cache.work("tar") / "layer.tar"
    blob = pack(tree, draft, FOLDERS)
    cache.keep(key, LayerRecord.model_validate({"digest": blob.digest, "size": blob.size, **facts}), draft)


def _interpreter(cache: Cache, inputs: _Inputs) -> Path:
    """The Debian layer's Python with its libraries, unpacked for this build."""
    tree = cache.work("interpreter")
    folders = (f"usr/lib/python{PYTHON}/", f"{LIBRARY_FOLDER}/", "usr/bin/python", "usr/lib64/")
    with tarfile.open(cache.tar(inputs.keys["debian"])) as archive:
        for member in archive:
            if member.name.startswith(folders):
                archive.extract(member, tree, **_TRUSTED)
    return tree


def _inputs() -> _Inputs:
    root = _checkout()
    here = Path(__file__).parent
    debian = _key(_recipe("bytecode", "contents", "rootfs", "tarball"), digest_of([DEBIAN_LOCK], here))
    installed = _key(debian, _recipe("wheels"))
    keys = {
        "debian": f"debian-{debian}",
        "wheels": f"wheels-{_key(installed, digest_of([WHEEL_LOCK], here))}",
        "falaj": _own_key(installed, root),
    }
    documents = _recipe("build", "contents", "oci", "sbom")
    return _Inputs(root, load_debian(), load_wheels(), keys, installed, documents)


def _recipe(*modules: str) -> str:
    here = Path(__file__).parent
    return digest_of([here / f"{name}.py" for name in modules], here)


def _own_key(installed: str, root: Path) -> str:
    return f"falaj-{_key(installed, digest_of(_own_sources(root), root))}"


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _own_sources(root: Path) -> list[Path]:
    """What the own wheels are built from: the workspace's definition and both packages, without what tools leave."""
    found = [root / "pyproject.toml"]
    for folder in _OWN_FOLDERS:
        for path in (root / folder).rglob("*"):
            parts = path.relative_to(root).parts
            if path.is_file() and not any(part.startswith(".") or part in ("__pycache__", "dist") for part in parts):
                found.append(path)
    return sorted(found)


def _checkout() -> Path:
    root = Path(__file__).resolve().parents[3]
    if not all((root / folder / "pyproject.toml").is_file() for folder in _OWN_FOLDERS):
        raise ImageError(
            f"{root}: the image is built from a checkout of Falaj, and this is none; clone it and run there"
        )
    return root


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SpaceError(f"{error.filename or folder}: the disk is full; free 5 GB, then build again") from error
        raise ImageError(
            f"{error.filename or folder}: {os.strerror(error.errno or errno.EIO)}; set right, then build again"
        ) from error
