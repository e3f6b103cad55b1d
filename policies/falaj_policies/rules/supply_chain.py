"""Supply chain: what runs is what was reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import POD_KINDS, containers, get, pod_spec

__all__ = ["RULES"]

_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


def images_by_digest(resource: ResourceFact) -> Iterator[Objection]:
    path, spec = pod_spec(resource)
    if spec is UNKNOWN:
        yield Objection("its pods are not known yet", path=path, undecided=True)
        return
    for at, container in containers(spec, path):
        image = get(container, "image")
        if image is UNKNOWN:
            yield Objection("the image is not known yet", path=f"{at}.image", undecided=True)
        elif not isinstance(image, str) or not _BY_DIGEST.fullmatch(image):
            yield Objection(f"the image {image!r} is not pinned by digest", path=f"{at}.image")


# A container type has no common CEL type with the others, so images are joined rather than containers.
_ALL_BY_DIGEST = (
    "(object.spec.containers.map(c, c.image)"
    " + (has(object.spec.initContainers) ? object.spec.initContainers.map(c, c.image) : [])"
    " + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers.map(c, c.image) : []))"
    ".all(i, i.matches('^[^@\\\\s]+@sha256:[0-9a-f]{64}$'))"
)

RULES = (
    rule(
        "SUP-04",
        rationale="A tag can be moved to other bytes after they were reviewed.",
        severity=Severity.HIGH,
        remedy="write the image as name@sha256:digest",
        check=images_by_digest,
        kinds=POD_KINDS,
        admission=(
            Admission(("pods", "pods/ephemeralcontainers"), _ALL_BY_DIGEST, "write the image as name@sha256:digest"),
        ),
    ),
)
