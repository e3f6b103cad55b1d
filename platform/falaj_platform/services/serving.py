"""The serving replica: it loads the model that the ConfigMap `serving` names, once it has verified it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from falaj_platform.services import pods, service

__all__ = ["Serving", "ServingArgs"]

NAME = "serving"
PORT = 8080
# Below what the pod has: its volume holds a model once, its memory up to four times while one replaces another.
MAX_MODEL_BYTES = 160 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class ServingArgs(service.ServiceArgs):
    """`connection_config_map` holds the connection document."""

    connection_config_map: pulumi.Input[str]


class Serving(pulumi.ComponentResource):
    """The replica, the ConfigMap of what it should serve, and its right to read that and nothing else.

    The ConfigMap is made empty; what stands in it afterwards is the operator's business, and the stack leaves it alone.
    Outputs: `service`, the Service's name.
    """

    service: pulumi.Output[str]

    def __init__(self, name: str, args: ServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:serving:Serving", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        desired = ConfigMap(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace},
            data={},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["data"]),
        )
        account = service.account(NAME, args.namespace, child)
        role = Role(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace},
            rules=[
                {
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": [desired.metadata["name"]],
                    "verbs": ["get"],
                }
            ],
            opts=child,
        )
        RoleBinding(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace},
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role.metadata["name"]},
            subjects=[
                {"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": args.namespace},
            ],
            opts=child,
        )
        front = service.cluster_service(NAME, {"http": PORT}, args.namespace, child)
        Deployment(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace, "labels": pods.labels(NAME)},
            spec=service.workload_spec(
                NAME,
                pods.pod(
                    name=NAME,
                    account=account.metadata["name"],
                    containers=[
                        pods.container(
                            name=NAME,
                            image=args.image,
                            command=["python3", "-m", "falaj.serving"],
                            port=PORT,
                            # Alive, not ready in the protocol's sense: its status is read before the first model.
                            readiness={"httpGet": {"path": "/healthz", "port": PORT}},
                            cpu="50m",
                            memory="192Mi",
                            memory_limit="1Gi",
                            environment={
                                "HOME": "/tmp",  # noqa: S108 - a mount in the pod
                                "FALAJ_NAMESPACE": args.namespace,
                                "FALAJ_CONNECTION": "/etc/falaj/connection.json",
                                "FALAJ_MAX_MODEL_BYTES": str(MAX_MODEL_BYTES),
                                "TMPDIR": "/var/lib/falaj",
                            },
                            mounts={
                                "api-token": pods.API_TOKEN_PATH,
                                "connection": "/etc/falaj",
                                "data": "/var/lib/falaj",
                                "falaj-tokens": pods.FALAJ_SECRETS_PATH,
                                "tmp": "/tmp",  # noqa: S108
                            },
                            read_only=["api-token", "connection", "falaj-tokens"],
                        )
                    ],
                    volumes=[
                        pods.api_token("api-token"),
                        {"name": "connection", "configMap": {"name": args.connection_config_map}},
                        pods.scratch("data", "1Gi"),
                        pods.scratch("tmp", "256Mi"),
                        pods.falaj_tokens("falaj-tokens"),
                    ],
                ),
            ),
            opts=child,
        )
        self.service = front.metadata["name"]
        self.register_outputs({"service": self.service})
