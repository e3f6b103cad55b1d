"""PostgreSQL, behind the tenant's registry: one server, one database, one login."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apps.v1 import StatefulSet
from pulumi_kubernetes.core.v1 import Secret

from falaj_platform.services import pods, service

__all__ = ["Postgres", "PostgresArgs"]

NAME = "postgres"
PORT = 5432
DATABASE = "mlflow"

# The database is made beside its place and moved there when it is whole: a start that is killed half-way leaves nothing
# that a later start would take for a database. The password is set on every start, so that the Secret is what counts.
START = """
set -eu
data=/var/lib/postgresql/data
password=$(cat /etc/falaj/postgres/password)
alone() { postgres --single -c exit_on_error=true -D "$1" postgres >/dev/null; }
if [ ! -s "$data/PG_VERSION" ]; then
  rm -rf "$data.new"
  initdb --pgdata="$data.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 \\
    --pwfile=/etc/falaj/postgres/password
  printf 'host mlflow mlflow all scram-sha-256\\n' > "$data.new/pg_hba.conf"
  printf '%s\\n' "CREATE ROLE mlflow LOGIN" "CREATE DATABASE mlflow OWNER mlflow" | alone "$data.new"
  mv "$data.new" "$data"
fi
chmod 0700 "$data"
# A server that was killed leaves this behind; there is only ever one.
rm -f "$data/postmaster.pid"
printf '%s\\n' "ALTER ROLE mlflow PASSWORD '$password'" | alone "$data"
exec postgres -D "$data" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql \\
  -c shared_buffers=64MB -c max_connections=60 -c password_encryption=scram-sha-256
"""


@dataclass(frozen=True, kw_only=True)
class PostgresArgs(service.ServiceArgs):
    """`password` is hexadecimal text; `storage` the size of the volume as a Kubernetes quantity."""

    password: pulumi.Input[str]
    storage: str = "1Gi"


class Postgres(pulumi.ComponentResource):
    """A StatefulSet over one volume, reached as `postgres:5432` from the tenant's registry only.

    Outputs: `secret_name`, the Secret whose key `uri` is the registry's whole connection string.
    """

    secret_name: pulumi.Output[str]

    def __init__(self, name: str, args: PostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:postgres:Postgres", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        secret = Secret(
            NAME,
            metadata={"name": NAME, "namespace": args.namespace},
            string_data={
                "password": args.password,
                "uri": pulumi.Output.format("postgresql://{0}:{1}@{2}:{3}/{0}", DATABASE, args.password, NAME, PORT),
            },
            opts=child,
        )
        account = service.account(NAME, args.namespace, child)
        volume = service.claim(NAME, args.storage, args, child)
        front = service.cluster_service(NAME, {"postgres": PORT}, args.namespace, child)
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
                            command=["/bin/sh", "-c", START],
                            port=PORT,
                            readiness={"exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-p", str(PORT)]}},
                            cpu="50m",
                            memory="128Mi",
                            memory_limit="512Mi",
                            mounts={
                                "data": "/var/lib/postgresql",
                                "run": "/run/postgresql",
                                "tmp": "/tmp",  # noqa: S108 - a mount in the pod
                                "password": "/etc/falaj/postgres",
                            },
                            read_only=["password"],
                            # It may be silent while it recovers from a crash, and would begin anew each time.
                            restarted_when_silent=False,
                        )
                    ],
                    volumes=[
                        pods.claim("data", volume.metadata["name"]),
                        pods.scratch("run", "1Mi"),
                        pods.scratch("tmp", "256Mi"),
                        {
                            "name": "password",
                            "secret": {
                                "secretName": secret.metadata["name"],
                                "defaultMode": 0o440,
                                "items": [{"key": "password", "path": "password"}],
                            },
                        },
                    ],
                ),
                stateful=True,
            ),
            opts=child,
        )
        self.secret_name = secret.metadata["name"]
        self.register_outputs({"secret_name": self.secret_name})
