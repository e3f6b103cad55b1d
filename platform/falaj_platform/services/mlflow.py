"""MLflow: the tenant's registry of runs and models, with its artifacts proxied through the server."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import Deployment

from falaj_platform.services import pods, service

__all__ = ["MLflow", "MLflowArgs"]

NAME = "mlflow"
PORT = 5000


@dataclass(frozen=True, kw_only=True)
class MLflowArgs(service.ServiceArgs):
    """`database_secret` is a Secret whose key `uri` is the backend store; `storage` is for artifacts."""

    database_secret: pulumi.Input[str]
    storage: str = "2Gi"


class MLflow(pulumi.ComponentResource):
    """The tracking and registry server, reached as `mlflow:5000` and through the API server's service proxy.

    It has no login of its own: the network lets only the tenant's workloads and the API server in, and the API server
    knows who asks. Outputs: `service`, the Service's name.
    """

    service: pulumi.Output[str]

    def __init__(self, name: str, args: MLflowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:mlflow:MLflow", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        account = service.account(NAME, args.namespace, child)
        volume = service.claim(NAME, args.storage, args, child)
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
                            command=[
                                "mlflow",
                                "server",
                                "--host=0.0.0.0",
                                f"--port={PORT}",
                                "--workers=1",
                                "--serve-artifacts",
                                "--artifacts-destination=/var/lib/mlflow/artifacts",
                                # Callers come through the API server, under whatever name that is known by: the
                                # Host header says nothing here, the network policy and the API server's RBAC do.
                                "--allowed-hosts=*",
                            ],
                            port=PORT,
                            readiness={"httpGet": {"path": "/health", "port": PORT}},
                            cpu="100m",
                            memory="512Mi",
                            memory_limit="1536Mi",
                            environment={
                                "HOME": "/tmp",  # noqa: S108 - a mount in the pod
                                "MLFLOW_BACKEND_STORE_URI": {
                                    "secretKeyRef": {"name": args.database_secret, "key": "uri"}
                                },
                                "MLFLOW_DISABLE_TELEMETRY": "true",
                                # A second way to run code, with workers of its own that outgrow the memory limit.
                                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                            },
                            mounts={"artifacts": "/var/lib/mlflow", "tmp": "/tmp"},  # noqa: S108
                        )
                    ],
                    volumes=[pods.claim("artifacts", volume.metadata["name"]), pods.scratch("tmp", "1Gi")],
                ),
            ),
            opts=child,
        )
        self.service = front.metadata["name"]
        self.register_outputs({"service": self.service})
