"""Ray: where the tenant's training runs. One cluster per tenant, because its token opens all of it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Secret

from falaj_platform.services import pods, service

__all__ = ["Ray", "RayArgs"]

NAME = "ray"
PORT = 8265
GCS_PORT = 6379
OBJECT_STORE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class RayArgs(service.ServiceArgs):
    """`token` opens the whole cluster; `mlflow_url` is where jobs log to; `cpus` is how many tasks may run at once."""

    token: pulumi.Input[str]
    mlflow_url: pulumi.Input[str]
    cpus: int = 1


class Ray(pulumi.ComponentResource):
    """A head that also works, reached as `ray:8265` (jobs, dashboard) through the API server's service proxy.

    Outputs: `service`, the Service's name.
    """

    service: pulumi.Output[str]

    def __init__(self, name: str, args: RayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:ray:Ray", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        secret = Secret(
            "ray-token",
            metadata={"name": "ray-token", "namespace": args.namespace},
            string_data={"token": args.token},
            opts=child,
        )
        account = service.account(NAME, args.namespace, child)
        front = service.cluster_service(NAME, {"http": PORT, "gcs": GCS_PORT}, args.namespace, child)
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
                            command=[
                                "ray",
                                "start",
                                "--head",
                                "--block",
                                f"--port={GCS_PORT}",
                                "--dashboard-host=0.0.0.0",
                                f"--dashboard-port={PORT}",
                                f"--num-cpus={args.cpus}",
                                f"--object-store-memory={OBJECT_STORE_BYTES}",
                                "--temp-dir=/tmp/ray",
                                "--disable-usage-stats",
                            ],
                            port=PORT,
                            # The one answer that Ray gives without its token.
                            readiness={"httpGet": {"path": "/api/gcs_healthz", "port": PORT}},
                            cpu="200m",
                            memory="1Gi",
                            memory_limit="3Gi",
                            environment={
                                "HOME": "/tmp",  # noqa: S108 - a mount in the pod
                                "RAY_AUTH_MODE": "token",
                                "RAY_AUTH_TOKEN_PATH": "/etc/falaj/ray/token",
                                "RAY_USAGE_STATS_ENABLED": "0",
                                "MLFLOW_TRACKING_URI": args.mlflow_url,
                            },
                            mounts={
                                "tmp": "/tmp",  # noqa: S108
                                "shm": "/dev/shm",  # noqa: S108
                                "token": "/etc/falaj/ray",
                            },
                            read_only=["token"],
                        )
                    ],
                    volumes=[
                        pods.scratch("tmp", "4Gi"),
                        pods.scratch("shm", "512Mi", memory=True),
                        {
                            "name": "token",
                            "secret": {"secretName": secret.metadata["name"], "defaultMode": 0o440},
                        },
                    ],
                ),
            ),
            opts=child,
        )
        self.service = front.metadata["name"]
        self.register_outputs({"service": self.service})
