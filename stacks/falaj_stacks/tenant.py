"""The tenant's program: a namespace, a part of Vault, and the services in it."""

from __future__ import annotations

from typing import Any, cast

import pulumi
from pulumi.output import contains_unknowns

from falaj.connection import Connection, Gate, Jurisdiction, Vault
from falaj_infra import gate
from falaj_infra.tokens import RandomToken
from falaj_platform.services.audit import Audit, AuditArgs
from falaj_platform.services.connection import ConnectionDocument, ConnectionDocumentArgs
from falaj_platform.services.mlflow import MLflow, MLflowArgs
from falaj_platform.services.postgres import Postgres, PostgresArgs
from falaj_platform.services.ray import Ray, RayArgs
from falaj_platform.services.serving import Serving, ServingArgs
from falaj_platform.services.tenant import Quota, Tenant, TenantArgs
from falaj_platform.services.vault import VaultTenant, VaultTenantArgs
from falaj_policies import RULE_SET_VERSION, Place
from falaj_stacks.config import TenantConfig
from falaj_stacks.outputs import RegionOutputs, of_region

__all__ = ["program"]


def program(config: TenantConfig) -> None:
    """Declare the tenant. Raises pulumi.RunError: its region has no outputs yet, or a rule refuses it."""
    region = of_region(config.region)
    gate.attach(
        region.apply(
            lambda here: Place(
                cloud=here.cloud,
                region=here.region,
                jurisdiction=here.jurisdiction,
                tenant=config.tenant,
                regime=config.regime,
                transfer_basis=config.transfer_basis or "",
                standby=None if config.standby is None else (config.standby.cloud, config.standby.region),
            )
        )
    )

    tenant = Tenant(
        config.tenant,
        TenantArgs(
            tenant=config.tenant,
            quota=Quota(**config.quota.model_dump()),
            members=config.members,
            control_plane=region.apply(lambda here: here.control_plane),
        ),
    )
    ray_token = RandomToken("ray-token")
    database_password = RandomToken("postgres-password")
    vault = VaultTenant(
        config.tenant,
        VaultTenantArgs(
            tenant=config.tenant,
            namespace=tenant.namespace,
            auth_mount=region.apply(lambda here: here.vault_auth_mount),
            members=config.members,
            secrets={"ray": {"token": ray_token.value}, "postgres": {"password": database_password.value}},
        ),
    )
    connection = pulumi.Output.all(
        region=region,
        namespace=tenant.namespace,
        kv_mount=vault.kv_mount,
        transit_mount=vault.transit_mount,
        role_prefix=vault.role_prefix,
    ).apply(lambda known: _document(config, **known))
    document = ConnectionDocument(
        config.tenant, ConnectionDocumentArgs(namespace=tenant.namespace, connection=connection)
    )

    common: dict[str, Any] = {
        "namespace": tenant.namespace,
        "image": region.apply(lambda here: here.image),
        "storage_class": region.apply(lambda here: here.storage_class),
    }
    postgres = Postgres("postgres", PostgresArgs(**common, password=database_password.value))
    mlflow = MLflow("mlflow", MLflowArgs(**common, database_secret=postgres.secret_name))
    Ray(
        "ray",
        RayArgs(**common, token=ray_token.value, mlflow_url=pulumi.Output.format("http://{0}:5000", mlflow.service)),
    )
    Serving("serving", ServingArgs(**common, connection_config_map=document.config_map))
    Audit("audit", AuditArgs(**common, token_reviewer_role=region.apply(lambda here: here.token_reviewer_role)))

    pulumi.export("namespace", tenant.namespace)
    pulumi.export("connection", connection.apply(lambda made: made.model_dump(mode="json", exclude_none=True)))


def _document(
    config: TenantConfig, *, region: RegionOutputs, namespace: str, kv_mount: str, transit_mount: str, role_prefix: str
) -> Connection:
    if contains_unknowns(vars(region)):
        # At preview, in a region whose site is not there yet.
        return cast(Connection, pulumi.UNKNOWN)
    return Connection(
        tenant=config.tenant,
        namespace=namespace,
        jurisdiction=Jurisdiction(name=region.jurisdiction, cloud=region.cloud, region=region.region),
        regime=config.regime,
        vault=Vault(
            url=region.vault_url,
            internal_url=region.vault_internal_url,
            ca=region.vault_ca,
            auth_mount=region.vault_auth_mount,
            kv_mount=kv_mount,
            transit_mount=transit_mount,
            role_prefix=role_prefix,
        ),
        gate=Gate(rule_set_version=RULE_SET_VERSION),
    )
