"""Supply chain: what runs is what was reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ProjectFact, ResourceFact
from falaj_policies.model import Admission, Check, Objection, Severity, Stage
from falaj_policies.rules.declare import rule
from falaj_policies.rules.dependencies import locked
from falaj_policies.rules.identity import container_definitions
from falaj_policies.rules.reading import POD_KINDS, RAY_KINDS, containers, get, items, pod_specs
from falaj_policies.rules.requiring import is_true, one_of, undecided

__all__ = ["ALL_IMAGES", "RULES"]

_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


def images_by_digest(resource: ResourceFact) -> Iterator[Objection]:
    for path, spec in pod_specs(resource):
        if spec is UNKNOWN:
            yield Objection("its pods are not known yet", path=path, undecided=True)
        for at, container in containers(spec, path) if spec is not UNKNOWN else ():
            yield from _by_digest(get(container, "image"), f"{at}.image")


def _by_digest(image: Any, at: str) -> Iterator[Objection]:
    if image is UNKNOWN:
        yield Objection("the image is not known yet", path=at, undecided=True)
    elif not isinstance(image, str) or not _BY_DIGEST.fullmatch(image):
        yield Objection(f"the image {image!r} is not pinned by digest", path=at)


def _lambda(resource: ResourceFact) -> Iterator[Objection]:
    if resource.inputs.get("imageUri") is not None:
        yield from _by_digest(resource.inputs["imageUri"], "imageUri")


def _task(resource: ResourceFact) -> Iterator[Objection]:
    definitions = container_definitions(resource.inputs.get("containerDefinitions"))
    # What cannot be read is IAM-02's to say: once is enough.
    if isinstance(definitions, Objection):
        if definitions.undecided:
            yield definitions
        return
    for index, definition in enumerate(definitions):
        yield from _by_digest(get(definition, "image"), f"containerDefinitions[{index}].image")


def _model(resource: ResourceFact) -> Iterator[Objection]:
    primary = resource.inputs.get("primaryContainer")
    if primary is UNKNOWN:
        yield undecided("primaryContainer")
    # A model package of the registry names its images itself.
    elif get(primary, "image") is not None:
        yield from _by_digest(get(primary, "image"), "primaryContainer.image")
    for at, container in items(resource.inputs, "containers", ""):
        if get(container, "image") is not None:
            yield from _by_digest(get(container, "image"), f"{at}.image")


def _listed(*keys: str) -> Check:
    """Every container of the lists at a path of Azure's."""

    def check(resource: ResourceFact) -> Iterator[Objection]:
        holder = get(resource.inputs, *keys)
        if holder is UNKNOWN:
            yield undecided(".".join(keys))
        for key in ("containers", "initContainers"):
            for at, container in items(holder, key, ".".join(keys)):
                if container is UNKNOWN:
                    yield undecided(at)
                else:
                    yield from _by_digest(get(container, "image"), f"{at}.image")

    return check


# A container type has no common CEL type with the others, so images are joined rather than containers.
ALL_IMAGES: Final = (
    "(object.spec.containers.map(c, c.image)"
    " + (has(object.spec.initContainers) ? object.spec.initContainers.map(c, c.image) : [])"
    " + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers.map(c, c.image) : []))"
)
_ALL_BY_DIGEST: Final = f"{ALL_IMAGES}.all(i, i.matches('^[^@\\\\s]+@sha256:[0-9a-f]{{64}}$'))"

_IMAGES: Final[Mapping[str, Check]] = {
    **dict.fromkeys(POD_KINDS | RAY_KINDS, images_by_digest),
    "aws:ecr:Repository": one_of("imageTagMutability", ("IMMUTABLE",), "lets tags be moved to other images"),
    "aws:lambda:Function": _lambda,
    "aws:ecs:TaskDefinition": _task,
    "aws:sagemaker:Model": _model,
    "azure-native:containerinstance:ContainerGroup": _listed(),
    "azure-native:app:ContainerApp": _listed("template"),
}

RULES = (
    rule(
        "SUP-04",
        rationale="A tag can be moved to other bytes after they were reviewed.",
        severity=Severity.HIGH,
        remedy="write the image as name@sha256:digest, and let no tag be moved",
        check=_IMAGES,
        admission=(
            Admission(("pods", "pods/ephemeralcontainers"), _ALL_BY_DIGEST, "write the image as name@sha256:digest"),
        ),
    ),
    rule(
        "SUP-05",
        rationale="A vulnerability that nobody looks for is found by somebody else.",
        severity=Severity.MEDIUM,
        remedy="set scanOnPush",
        check={
            "aws:ecr:Repository": is_true(
                "imageScanningConfiguration.scanOnPush", "does not look for known vulnerabilities in what is pushed"
            )
        },
    ),
    rule(
        "SUP-06",
        rationale="A version can be published anew with other bytes; a hash cannot.",
        severity=Severity.HIGH,
        remedy="lock the dependencies with hashes: `uv lock`, `poetry lock`, or `pip-compile --generate-hashes`",
        check=locked,
        applies_to=ProjectFact,
        stages=frozenset({Stage.PULL_REQUEST}),
    ),
)
