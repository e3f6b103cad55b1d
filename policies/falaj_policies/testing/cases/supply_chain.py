"""Cases of the supply chain rules over resources and projects."""

from __future__ import annotations

import json
from typing import Any, Final

from falaj_policies.facts import ProjectFact
from falaj_policies.testing.build import REMOVED, broken, good
from falaj_policies.testing.case import Case

_POD: Final = "kubernetes:core:Pod"
_TASK: Final = "aws:ecs:TaskDefinition"
_CONTAINER: Final = good(_POD).inputs["spec"]["containers"][0]  # type: ignore[index]
_TAGGED: Final = "registry.example/platform:1.0"

# Rule, kind, the input that is broken, its value, what that is in words.
_BROKEN: Final[tuple[tuple[str, str, str, Any, str], ...]] = (
    ("SUP-04", _POD, "spec.containers[0].image", "nginx:1.29", "an image by tag"),
    ("SUP-04", _POD, "spec.containers[0].image", "nginx@sha256:abc", "an image by half a digest"),
    (
        "SUP-04",
        _POD,
        "spec.initContainers",
        [{**_CONTAINER, "name": "i", "image": _TAGGED}],
        "an init container's image by tag",
    ),
    *(
        (
            "SUP-04",
            f"kubernetes:ray.io:{kind}",
            f"spec.{path}.template.spec.containers[0].image",
            _TAGGED,
            f"an image of a {kind}",
        )
        for kind, path in (
            ("RayCluster", "headGroupSpec"),
            ("RayCluster", "workerGroupSpecs[0]"),
            ("RayJob", "rayClusterSpec.headGroupSpec"),
            ("RayService", "rayClusterConfig.headGroupSpec"),
        )
    ),
    (
        "SUP-04",
        "kubernetes:ray.io:RayJob",
        "spec.submitterPodTemplate.spec.containers",
        [{**_CONTAINER, "image": _TAGGED}],
        "an image of the pod that hands a job in",
    ),
    ("SUP-04", "kubernetes:apps:Deployment", "spec.template.spec.containers[0].image", _TAGGED, "a workload's image"),
    (
        "SUP-04",
        "kubernetes:batch:CronJob",
        "spec.jobTemplate.spec.template.spec.containers[0].image",
        _TAGGED,
        "a scheduled job's image by tag",
    ),
    ("SUP-04", "aws:ecr:Repository", "imageTagMutability", "MUTABLE", "a repository whose tags can be moved"),
    ("SUP-04", "aws:ecr:Repository", "imageTagMutability", REMOVED, "a repository with the default for tags"),
    ("SUP-04", "aws:lambda:Function", "imageUri", _TAGGED, "a function's image by tag"),
    ("SUP-04", "aws:sagemaker:Model", "primaryContainer.image", _TAGGED, "a model's image by tag"),
    ("SUP-04", "aws:sagemaker:Model", "containers", [{"image": _TAGGED}], "a model's second image by tag"),
    ("SUP-04", _TASK, "containerDefinitions", json.dumps([{"image": _TAGGED}]), "a task's image by tag"),
    ("SUP-04", "azure-native:containerinstance:ContainerGroup", "containers[0].image", _TAGGED, "an instance's image"),
    ("SUP-04", "azure-native:app:ContainerApp", "template.containers[0].image", _TAGGED, "an app's image by tag"),
    ("SUP-05", "aws:ecr:Repository", "imageScanningConfiguration", REMOVED, "a repository that looks for nothing"),
    ("SUP-05", "aws:ecr:Repository", "imageScanningConfiguration.scanOnPush", False, "a repository that scans nothing"),
)
_HASH: Final = "sha256:" + "a" * 64
_SOURCE: Final = 'source = { registry = "https://packages.example/simple" }'
_UV: Final = f'version = 1\n[[package]]\nname = "acme"\nversion = "1"\n{_SOURCE}\nsdist = {{ hash = "{_HASH}" }}\n'
_POETRY: Final = f'[[package]]\nname = "acme"\nversion = "1"\nfiles = [{{ file = "acme.whl", hash = "{_HASH}" }}]\n'
_PIPENV: Final = json.dumps({"default": {"acme": {"version": "==1", "hashes": [_HASH]}}, "develop": {}})
_PINNED: Final = f"acme==1 \\\n    --hash={_HASH}\n"


def _project(**files: str) -> ProjectFact:
    return ProjectFact("acme", {name.replace("__", "."): text for name, text in files.items()})


CASES = (
    *(Case(rule, what, good(kind), broken(kind, path, value)) for rule, kind, path, value, what in _BROKEN),
    Case(
        "SUP-06",
        "a requirement without a hash",
        _project(requirements__txt=_PINNED),
        _project(requirements__txt=_PINNED + "other==1\n"),
    ),
    Case(
        "SUP-06",
        "an editable requirement from elsewhere",
        _project(requirements__txt=_PINNED),
        _project(requirements__txt="-e git+https://packages.example/acme#egg=acme\n"),
    ),
    Case("SUP-06", "no lock file", _project(pyproject__toml="", uv__lock=_UV), _project(pyproject__toml="")),
    Case("SUP-06", "nothing at all", _project(uv__lock=_UV), _project()),
    Case("SUP-06", "a lock file that cannot be read", _project(uv__lock=_UV), _project(uv__lock="[[")),
    Case("SUP-06", "a lock without a hash", _project(uv__lock=_UV), _project(uv__lock=_UV.replace(_HASH, ""))),
    Case(
        "SUP-06",
        "a lock of Poetry's without a hash",
        _project(poetry__lock=_POETRY),
        _project(poetry__lock=_POETRY.replace(_HASH, "md5:0")),
    ),
    Case(
        "SUP-06",
        "a lock of Pipenv's without a hash",
        _project(Pipfile__lock=_PIPENV),
        _project(Pipfile__lock=_PIPENV.replace(f'"{_HASH}"', "")),
    ),
)
