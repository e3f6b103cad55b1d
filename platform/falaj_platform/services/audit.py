"""The tenant's audit log: one writer, one hash chain, one volume."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.rbac.v1 import ClusterRoleBinding

from falaj_platform.services import pods, service

__all__ = ["Audit", "AuditArgs"]

NAME = "audit"
PORT = 8080


@dataclass(frozen=True, kw_only=True)
class AuditArgs(service.ServiceArgs):
    """`token_reviewer_role` is the region's ClusterRole that may only review tokens; `storage` the log's volume."""

    token_reviewer_role: pulumi.Input[str]
    storage: str = "1Gi"


class Audit(pulumi.ComponentResource):
    """The audit server. It asks the API server whose token a writer shows, so that the actor is known, never claimed.

    Outputs: `service`, the Service's name.
    """

    service: pulumi.Output[str]

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:audit:Audit", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        account = service.account(NAME, args.namespace, child)
        ClusterRoleBinding(
            NAME,
            metadata={"name": pulumi.Output.format("{0}-{1}", args.namespace, NAME)},
            role_ref={
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": args.token_reviewer_role,
            },
            subjects=[{"kind": "ServiceAccount", "name": account.metadata["name"], "namespace": args.namespace}],
            opts=child,
        )
        volume = service.claim(NAME, args.storage, args, child)
        front = service.cluster_service(NAME, {"http": PORT}, args.namespace, child)
        StatefulSet(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace, "labels": pods.labels(NAME)},
            spec=service.workload_spec(
                front.metadata["name"],
                pods.pod(
                    name=NAME,
                    account=account.metadata["name"],
                    containers=[
                        pods.container(
                            name=NAME,
                            image=args.image,
                            command=["python3", "-m", "falaj.audit.server"],
                            port=PORT,
                            readiness={"httpGet": {"path": "/healthz", "port": PORT}},
                            cpu="25m",
                            memory="64Mi",
                            memory_limit="256Mi",
                            environment={
                                "HOME": "/tmp",  # noqa: S108 - a mount in the pod
                                "FALAJ_NAMESPACE": args.namespace,
                            },
                            mounts={
                                "api-token": pods.API_TOKEN_PATH,
                                "log": "/var/lib/falaj",
                                "tmp": "/tmp",  # noqa: S108
                            },
                            read_only=["api-token"],
                        )
                    ],
                    volumes=[
                        pods.api_token("api-token"),
                        pods.claim("log", volume.metadata["name"]),
                        pods.scratch("tmp", "64Mi"),
                    ],
                ),
                stateful=True,
            ),
            opts=child,
        )
        self.service = front.metadata["name"]
        self.register_outputs({"service": self.service})
