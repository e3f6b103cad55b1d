"""Cases of IAM-02 and IAM-06: identities instead of keys, the identity provider instead of local accounts."""

from __future__ import annotations

import json
from typing import Any, Final

from falaj_policies.facts import ResourceFact
from falaj_policies.testing.build import HERE, REMOVED, broken, good
from falaj_policies.testing.case import Case

_POD: Final = "kubernetes:core:Pod"
_AKS: Final = "azure-native:containerservice:ManagedCluster"
_TASK: Final = "aws:ecs:TaskDefinition"
_TEXT: Final = "acme" * 4
_SECRET_ENV: Final = [{"name": "AWS_SECRET_ACCESS_KEY", "value": _TEXT}]
_FROM_SECRET: Final = [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]

# Rule, kind, the input that is broken, its value, what that is in words.
_BROKEN: Final[tuple[tuple[str, str, str, Any, str], ...]] = (
    ("IAM-02", "aws:ec2:Instance", "metadataOptions.httpTokens", "optional", "an instance with IMDSv1"),
    ("IAM-02", "aws:ec2:Instance", "metadataOptions", REMOVED, "an instance with the default metadata service"),
    ("IAM-02", "aws:ec2:LaunchTemplate", "metadataOptions.httpTokens", "optional", "a template with IMDSv1"),
    ("IAM-02", "aws:ec2:LaunchConfiguration", "metadataOptions", REMOVED, "a launch configuration with IMDSv1"),
    ("IAM-02", "aws:lambda:Function", "environment.variables.DB_PASSWORD", _TEXT, "a function's password"),
    ("IAM-02", "aws:sagemaker:Model", "primaryContainer.environment.HF_TOKEN", "hf_acme", "a model's token as text"),
    (
        "IAM-02",
        _AKS,
        "servicePrincipalProfile",
        {"clientId": "acme", "secret": _TEXT},
        "an AKS cluster with a secret of its own",
    ),
    ("IAM-02", _AKS, "oidcIssuerProfile.enabled", False, "an AKS cluster without an OIDC issuer"),
    ("IAM-02", _AKS, "securityProfile.workloadIdentity", REMOVED, "an AKS cluster without workload identity"),
    (
        "IAM-02",
        "azure-native:cognitiveservices:Account",
        "properties.disableLocalAuth",
        False,
        "a model service with static keys",
    ),
    ("IAM-02", "azure-native:cosmosdb:DatabaseAccount", "disableLocalAuth", False, "a database with static keys"),
    (
        "IAM-02",
        "azure-native:machinelearningservices:OnlineEndpoint",
        "properties.authMode",
        "Key",
        "a model's endpoint with a static key",
    ),
    ("IAM-02", _POD, "spec.containers[0].env", _SECRET_ENV, "a pod with a key as text"),
    *(
        ("IAM-02", _POD, "spec.containers[0].env", [{"name": name, "value": value}], what)
        for name, value, what in (
            ("db_password", _TEXT, "a password under a name in lower case"),
            ("PGPASSWORD", _TEXT, "a password under PostgreSQL's name for it"),
            ("ADMIN_PASSWORD", "12345678", "a password of digits"),
            ("AWS_SECRET_ACCESS_KEY", f"/{_TEXT}", "a key that begins with a slash"),
        )
    ),
    (
        "IAM-02",
        "kubernetes:ray.io:RayCluster",
        "spec.workerGroupSpecs[0].template.spec.containers[0].env",
        _SECRET_ENV,
        "a Ray worker with a key as text",
    ),
    (
        "IAM-02",
        "kubernetes:apps:Deployment",
        "spec.template.spec.initContainers",
        [{**good(_POD).inputs["spec"]["containers"][0], "name": "i", "env": _SECRET_ENV}],  # type: ignore[index]
        "a key as text in an init container",
    ),
    ("IAM-06", "aws:eks:Cluster", "accessConfig", REMOVED, "an EKS cluster that takes people from a ConfigMap"),
    ("IAM-06", "aws:eks:Cluster", "accessConfig.authenticationMode", "CONFIG_MAP", "an EKS cluster without entries"),
    ("IAM-06", "aws:iam:AccountPasswordPolicy", "minimumPasswordLength", 13, "short passwords"),
    ("IAM-06", "aws:iam:AccountPasswordPolicy", "passwordReusePrevention", 23, "passwords used again"),
    ("IAM-06", "aws:cognito:UserPool", "mfaConfiguration", "OPTIONAL", "people without a second factor"),
    (
        "IAM-06",
        "azure-native:compute:VirtualMachine",
        "osProfile.linuxConfiguration",
        {"disablePasswordAuthentication": False},
        "a virtual machine that takes passwords",
    ),
    ("IAM-06", _AKS, "disableLocalAccounts", False, "an AKS cluster with local accounts"),
    ("IAM-06", _AKS, "aadProfile", REMOVED, "an AKS cluster outside of Microsoft Entra ID"),
    ("IAM-06", _AKS, "enableRBAC", False, "an AKS cluster without RBAC"),
    ("IAM-06", "azure-native:containerregistry:Registry", "adminUserEnabled", True, "a registry's administrator"),
    ("IAM-06", "azure-native:storage:StorageAccount", "allowSharedKeyAccess", REMOVED, "a storage account's key"),
    ("IAM-06", "azure-native:dbforpostgresql:Server", "authConfig.passwordAuth", "Enabled", "passwords of PostgreSQL"),
    (
        "IAM-06",
        "azure-native:dbforpostgresql:Server",
        "authConfig.activeDirectoryAuth",
        "Disabled",
        "a PostgreSQL without Microsoft Entra ID",
    ),
    (
        "IAM-06",
        "azure-native:sql:Server",
        "administrators.azureADOnlyAuthentication",
        False,
        "a SQL server with logins of its own",
    ),
    (
        "IAM-06",
        "azure-native:keyvault:Vault",
        "properties.enableRbacAuthorization",
        False,
        "a key vault with access policies of its own",
    ),
)
# Kinds that no program has any use for, with what stands in their place.
_STATIC: Final = (
    ("IAM-02", "aws:iam/accessKey:AccessKey", {"user": "acme"}, "aws:iam:Role", "an access key"),
    (
        "IAM-02",
        "azuread:index/applicationPassword:ApplicationPassword",
        {"applicationId": "acme"},
        "aws:iam:Role",
        "a password of an application",
    ),
    ("IAM-06", "aws:iam/userLoginProfile:UserLoginProfile", {"user": "acme"}, "aws:iam:Role", "a user's password"),
)


def _resource(token: str, **inputs: Any) -> ResourceFact:
    here = HERE.get(token.split(":", 1)[0], HERE["aws"])
    where = {"region": here.region, "location": here.region}
    return here.resource(token, "r", inputs, urn=f"urn:pulumi:dev::acme::{token}::r", provider=where)


def _provider(package: str, **inputs: Any) -> ResourceFact:
    here = HERE[package]
    token = f"pulumi:providers:{package}"
    where = {"region": here.region} if package == "aws" else {"location": here.region}
    return here.resource(token, "r", {**where, **inputs}, urn=f"urn:pulumi:dev::acme::{token}::r")


def _task(**container: Any) -> ResourceFact:
    definition = json.loads(str(good(_TASK).inputs["containerDefinitions"]))[0]
    return good(_TASK, containerDefinitions=json.dumps([{**definition, **container}]))


CASES = (
    *(Case(rule, what, good(kind), broken(kind, path, value)) for rule, kind, path, value, what in _BROKEN),
    *(Case(rule, what, good(instead), _resource(token, **inputs)) for rule, token, inputs, instead, what in _STATIC),
    Case(
        "IAM-02",
        "a provider that logs in with a static key",
        _provider("aws"),
        _provider("aws", accessKey="acme", secretKey=_TEXT),
    ),
    Case(
        "IAM-02",
        "a provider that logs in with a client's secret",
        _provider("azure-native", useOidc=True),
        _provider("azure-native", clientSecret=_TEXT),
    ),
    Case("IAM-02", "a task with a key as text", _task(environment=[]), _task(environment=_SECRET_ENV)),
    Case("IAM-02", "a task that is no JSON", good(_TASK), good(_TASK, containerDefinitions="[")),
    Case(
        "IAM-02",
        "a password as text instead of from a Secret",
        broken(_POD, "spec.containers[0].env", _FROM_SECRET),
        broken(_POD, "spec.containers[0].env", [{"name": "DB_PASSWORD", "value": _TEXT}]),
    ),
    Case(
        "IAM-02",
        "a tenant's pod that mounts a token nobody asked for",
        good(_POD, tenant="acme"),
        broken(_POD, "spec.automountServiceAccountToken", True, tenant="acme"),
    ),
    Case(
        "IAM-02",
        "a tenant's pod that leaves the token to the default",
        good(_POD, tenant="acme"),
        broken(_POD, "spec.automountServiceAccountToken", tenant="acme"),
    ),
    Case(
        "IAM-02",
        "a token of a service account without an end",
        good("kubernetes:core:Secret"),
        good(
            "kubernetes:core:Secret",
            type="kubernetes.io/service-account-token",
            metadata={
                "name": "r",
                "namespace": "tenant-acme",
                "annotations": {"kubernetes.io/service-account.name": "default"},
            },
        ),
    ),
)
