"""The images that a site or a cluster needs, by digest."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from falaj_platform.image.build import built
from falaj_platform.image.contents import NAME


class NeededImage(BaseModel):
    """An image that is needed: `reference` names it by digest, or is None where `remedy` says how to have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    use: str
    reference: str | None = None
    size: int | None = None
    remedy: str | None = None


def images(home: Path) -> tuple[NeededImage, ...]:
    """What every tenant's containers run, and what holds a pod's namespaces on the embedded site.

    A cluster of one's own has its own pause image: only the first need be pushed there.
    """
    image = built(home)
    platform = NeededImage(
        name=NAME,
        use="every container of a tenant",
        reference=image.reference if image else None,
        size=image.size if image else None,
        remedy=None if image else "not built yet: run `falaj image build`",
    )
    return platform, _pause()


def _pause() -> NeededImage:
    from falaj_site.images import archive_reference, program_archive
    from falaj_site.layout import PAUSE_IMAGE
    from falaj_site.tools import ensure, missing

    name = PAUSE_IMAGE.rpartition(":")[0]
    use = "each pod's namespaces on the embedded site"
    if missing(["pause"]):
        return NeededImage(name=name, use=use, remedy="not built yet: `falaj site up` builds it")
    with TemporaryDirectory(prefix="falaj-pause-") as folder:
        archive = Path(folder) / "pause.tar"
        program_archive(ensure(["pause"])["pause"], PAUSE_IMAGE, archive)
        _, digest = archive_reference(archive)
        return NeededImage(name=name, use=use, reference=f"{name}@{digest}", size=archive.stat().st_size)
