"""Pods under the `restricted` Pod Security Standard: one shape for every service. Pure functions, manifests out.

Manifests are mappings in Kubernetes' own spelling, as its API documents them; they may hold Pulumi outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "API_TOKEN_PATH",
    "FALAJ_SECRETS_PATH",
    "Manifest",
    "api_token",
    "claim",
    "container",
    "falaj_tokens",
    "labels",
    "pod",
    "scratch",
]

Manifest = Any

USER = 65532
VAULT_AUDIENCE = "falaj-vault"
# Files and their audiences: a token opens the one door it is for.
FALAJ_TOKENS = {"vault-token": VAULT_AUDIENCE, "audit-token": "falaj-audit"}
TOKEN_SECONDS = 3600
API_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
FALAJ_SECRETS_PATH = "/var/run/secrets/falaj"


def labels(name: str) -> dict[str, str]:
    """The labels by which a service's pods are found, by its Service and by network policies."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "falaj"}


def container(
    *,
    name: str,
    image: Any,
    command: Sequence[str],
    port: int,
    readiness: Manifest,
    cpu: str,
    memory: str,
    memory_limit: str,
    environment: Mapping[str, Any] | None = None,
    mounts: Mapping[str, str] | None = None,
    read_only: Sequence[str] = (),
    startup_seconds: int = 300,
    restarted_when_silent: bool = True,
) -> Manifest:
    """One container. `environment` maps names to text or to a `valueFrom`; `mounts` maps volumes to paths.

    A container that answered `readiness` once and then is silent for two minutes is restarted, unless told otherwise.
    `cpu` and `memory` are requested; memory is limited, CPU is not: it would throttle a service on an idle machine.
    """
    liveness = {**readiness, "periodSeconds": 30, "timeoutSeconds": 20, "failureThreshold": 4}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        # The first process reaps what the programs leave behind, and passes signals on.
        "command": ["/usr/bin/tini", "--", *command],
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "env": [
            {"name": key, "valueFrom": value} if isinstance(value, Mapping) else {"name": key, "value": value}
            for key, value in sorted((environment or {}).items())
        ],
        "volumeMounts": [
            {"name": volume, "mountPath": path, **({"readOnly": True} if volume in read_only else {})}
            for volume, path in sorted((mounts or {}).items())
        ],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory_limit}},
        "startupProbe": {
            **readiness,
            "periodSeconds": 2,
            "timeoutSeconds": 5,
            "failureThreshold": startup_seconds // 2,
        },
        "readinessProbe": {**readiness, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        **({"livenessProbe": liveness} if restarted_when_silent else {}),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def pod(*, name: str, account: Any, containers: Sequence[Manifest], volumes: Sequence[Manifest]) -> Manifest:
    """A pod template. No token is mounted unless a volume asks for one; the image's own user runs everything."""
    return {
        "metadata": {"labels": labels(name)},
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                # Ownership of a large volume is set once, not on every start; PostgreSQL also insists on its modes.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": list(containers),
            "volumes": list(volumes),
        },
    }


def scratch(name: str, size: str, *, memory: bool = False) -> Manifest:
    """An empty directory that lives as long as the pod; in memory, it counts against the container's limit."""
    return {"name": name, "emptyDir": {"sizeLimit": size, **({"medium": "Memory"} if memory else {})}}


def claim(name: str, claim_name: Any) -> Manifest:
    """A volume that outlives the pod."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}


def falaj_tokens(name: str) -> Manifest:
    """The pod's own identity for Vault and for the audit service, an hour long and renewed by the kubelet: the files
    `vault-token` and `audit-token`."""
    sources = [
        {"serviceAccountToken": {"audience": audience, "expirationSeconds": TOKEN_SECONDS, "path": path}}
        for path, audience in FALAJ_TOKENS.items()
    ]
    return {"name": name, "projected": {"defaultMode": 0o440, "sources": sources}}


def api_token(name: str) -> Manifest:
    """The pod's own identity for the API server with its CA: what automounting gives, asked for by name."""
    return {
        "name": name,
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ],
        },
    }
