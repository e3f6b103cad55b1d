"""Debian packages through apt, in a root of its own: the machine's package state is neither read nor changed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from falaj_platform.errors import FetchError, ToolError
from falaj_platform.image import process
from falaj_platform.image.contents import DEBIAN_ARCHITECTURE, DEBIAN_OMITTED, DEBIAN_ROOTS, DEBIAN_SUITE
from falaj_platform.image.lockfile import DebianLock, DebianPackage

MIRROR_VARIABLE = "FALAJ_DEBIAN_MIRROR"
_REMEDY = f"build on Debian, or name a mirror in {MIRROR_VARIABLE}"
_SOURCES = Path("/etc/apt")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_BATCH = 40


@dataclass(frozen=True)
class Substitute:
    """A package whose locked version the mirror no longer has, and the version taken in its place."""

    name: str
    locked: str
    taken: str


def able() -> None:
    """Raises ToolError where there is no apt, or no Debian mirror for it."""
    for program in ("apt-get", "apt-cache"):
        process.find(program, _REMEDY)
    _mirror()


@contextmanager
def private_apt() -> Iterator[Apt]:
    """An apt with the locked suite's lists, read from the machine's Debian mirror. Raises ToolError, FetchError."""
    able()
    with TemporaryDirectory(prefix="falaj-apt-") as folder:
        apt = Apt(Path(folder))
        apt.update()
        yield apt


class Apt:
    """apt-get and apt-cache with state, cache and sources under `root`."""

    def __init__(self, root: Path) -> None:
        for name in ("state/lists/partial", "cache/archives/partial"):
            (root / name).mkdir(parents=True)
        (root / "status").touch()
        (root / "sources.list").write_text(_sources(_mirror()), encoding="utf-8")
        config = root / "apt.conf"
        config.write_text(
            f'Dir::State "{root}/state";\nDir::State::status "{root}/status";\nDir::Cache "{root}/cache";\n'
            f'Dir::Etc::sourcelist "{root}/sources.list";\nDir::Etc::sourceparts "-";\n'
            f'APT::Architecture "{DEBIAN_ARCHITECTURE}";\nAPT::Architectures {{ "{DEBIAN_ARCHITECTURE}"; }};\n'
            'APT::Install-Recommends "false";\nAPT::Update::Error-Mode "any";\nAcquire::Languages "none";\n'
            'Acquire::Retries "3";\n' + ('APT::Sandbox::User "root";\n' if os.geteuid() == 0 else ""),
            encoding="utf-8",
        )
        # apt's translations would break what is parsed here.
        self._env = {"APT_CONFIG": str(config), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}

    def update(self) -> None:
        """Fetch the package lists. Raises FetchError."""
        try:
            process.output(["apt-get", "update", "-q"], env=self._env)
        except ToolError as error:
            raise FetchError(
                f"the Debian mirror cannot be read: {error}; check the network or {MIRROR_VARIABLE}"
            ) from error

    def closure(self, roots: Sequence[str] = DEBIAN_ROOTS) -> list[tuple[str, str]]:
        """(name, version) of `roots` and all they depend on, in installation order, without what is left out."""
        text = process.output(["apt-get", "install", "-y", "--print-uris", *roots], env=self._env)
        found = [parse_file_name(line.split()[1]) for line in text.splitlines() if line.startswith("'")]
        return [(name, version) for name, version in found if name not in DEBIAN_OMITTED]

    def records(self, names: Sequence[str]) -> dict[str, list[DebianPackage]]:
        """What the mirror says of packages: every version it has of each name, newest first."""
        found: dict[str, list[DebianPackage]] = {}
        for package in parse_records(process.output(["apt-cache", "show", *names], env=self._env, check=False)):
            found.setdefault(package.name, []).append(package)
        return found

    def download(self, packages: Sequence[DebianPackage], folder: Path, staging: Path) -> None:
        """Fetch packages to `folder`, each as `<sha256>.deb`, after its hash was compared. Raises FetchError.

        `staging` is an empty folder on the same disk.
        """
        for start in range(0, len(packages), _BATCH):
            names = [f"{package.name}={package.version}" for package in packages[start : start + _BATCH]]
            try:
                process.output(["apt-get", "download", "-q", *names], env=self._env, cwd=staging)
            except ToolError as error:
                raise FetchError(f"a Debian package cannot be fetched: {error}; check the network") from error
        found = {parse_file_name(path.name): path for path in staging.glob("*.deb")}
        for package in packages:
            path = found.get((package.name, package.version))
            if path is None:
                raise FetchError(f"the mirror did not give {package.name} {package.version}; run it again")
            accept(path, package)
            path.replace(folder / f"{package.sha256}.deb")


def settle(
    lock: DebianLock, offered: Mapping[str, Sequence[DebianPackage]]
) -> tuple[tuple[DebianPackage, ...], tuple[Substitute, ...]]:
    """The packages to take now: the locked ones, or the mirror's newest version of those that it no longer has.

    Raises FetchError where the mirror has a locked version with another content, or no version at all.
    """
    taken, substitutes = [], []
    for package in lock.packages:
        versions = offered.get(package.name, ())
        if not versions:
            raise FetchError(f"the mirror has no {package.name} at all; make a new lock with `falaj image lock`")
        same = next((other for other in versions if other.version == package.version), None)
        if same is None:
            substitutes.append(Substitute(package.name, package.version, versions[0].version))
        elif same.sha256 != package.sha256:
            raise FetchError(
                f"the mirror's {package.name} {package.version} is not the locked one (SHA-256 differs): "
                "distrust the mirror, or renew the lock with `falaj image lock`"
            )
        taken.append(same or versions[0])
    return tuple(taken), tuple(substitutes)


def parse_records(text: str) -> list[DebianPackage]:
    """Packages of apt-cache's stanzas, in their order."""
    packages = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if re.match(r"[A-Z][A-Za-z0-9-]*: ", line))
        if "SHA256" in fields:
            packages.append(
                DebianPackage(
                    name=fields["Package"],
                    version=fields["Version"],
                    architecture=fields["Architecture"],
                    sha256=fields["SHA256"],
                    size=int(fields["Size"]),
                )
            )
    return packages


def accept(path: Path, package: DebianPackage) -> None:
    """Raise FetchError unless the file has the package's size and SHA-256."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if path.stat().st_size != package.size or digest != package.sha256:
        raise FetchError(
            f"{package.name} {package.version}: SHA-256 is {digest}, the lock says {package.sha256}; nothing was used"
        )


def parse_file_name(text: str) -> tuple[str, str]:
    """(name, version) of a .deb's file name, in which apt writes a version's colon as %3a."""
    name, version, _ = unquote(text.removesuffix(".deb")).split("_")
    return name, version


def _mirror() -> str:
    """The machine's own Debian mirror, without a trailing slash. Raises ToolError where none is configured."""
    if named := os.environ.get(MIRROR_VARIABLE, "").rstrip("/"):
        return named
    texts = []
    for path in [_SOURCES / "sources.list", *sorted((_SOURCES / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            texts.append(path.read_text(encoding="utf-8", errors="replace"))
    if (found := find_mirror("\n".join(texts))) is None:
        raise ToolError(f"no Debian mirror is configured here: {_REMEDY}")
    return found


def find_mirror(sources: str) -> str | None:
    """The first Debian archive among apt's sources, in either of its formats."""
    lines = [line for line in sources.splitlines() if not line.lstrip().startswith("#")]
    found = re.search(r"\b(?:https?|file|mirror\+file):/{1,2}[^\s]*?/debian(?=/?(?:\s|$))", "\n".join(lines))
    return found.group(0) if found else None


def _sources(mirror: str) -> str:
    signed = f" signed-by={_KEYRING}" if _KEYRING.is_file() else ""
    option = f"[arch={DEBIAN_ARCHITECTURE}{signed}]"
    # A mirror keeps security updates beside the archive, under the same name with this suffix.
    rows = (
        (mirror, DEBIAN_SUITE),
        (mirror, f"{DEBIAN_SUITE}-updates"),
        (f"{mirror}-security", f"{DEBIAN_SUITE}-security"),
    )
    return "".join(f"deb {option} {address} {suite} main\n" for address, suite in rows)
