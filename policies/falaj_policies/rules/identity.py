"""IAM-02 and IAM-06: workloads have identities instead of keys, people come through the identity provider."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact
from falaj_policies.model import Admission, Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.reading import POD_KINDS, RAY_KINDS, containers, get, items, pod_specs
from falaj_policies.rules.requiring import all_of, at_least, is_true, not_true, one_of, satisfies, undecided

__all__ = ["RULES", "container_definitions"]

# Variables whose text is a credential, by the end of their name.
_CREDENTIAL: Final = (
    "(?i)(PASSWORD|PASSWD|(^|_)(SECRET|TOKEN|API_?KEY|SECRET_?KEY|ACCESS_KEY|ACCESS_KEY_ID|PRIVATE_KEY|CREDENTIALS?))$"
)
# Which of them, as NAME=value, hold none: short numbers and truth values, other variables, and the path of a file where
# that is what the name is for (GOOGLE_APPLICATION_CREDENTIALS; names that end in FILE or PATH are no credentials').
_HARMLESS: Final = "(?i)([^=]*=([0-9.]{0,5}|true|false|[$][(].*)|[^=]*CREDENTIALS?=/.*)"
_SECRET: Final = re.compile(_CREDENTIAL)
_NO_SECRET: Final = re.compile(_HARMLESS)
_TOKEN_SECRET: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type's name
_ACCOUNT: Final = "kubernetes.io/service-account.name"
# Long-lived tokens that have a reason: (namespace, service account). Vault asks the cluster whose token it was given,
# after years and without a restart; this account may do nothing else.
LASTING_TOKENS: Final = frozenset({("falaj-system", "openbao-reviewer")})
_IMDS: Final = "hands its role's credentials to whoever gets it to make a request (IMDSv1)"


def _static(message: str) -> Check:
    def check(_: ResourceFact) -> Iterator[Objection]:
        yield Objection(message)

    return check


def _metadata_service(resource: ResourceFact) -> Iterator[Objection]:
    """An instance answers for its role's credentials only to a session, or not at all, or as its template says."""
    options = resource.inputs.get("metadataOptions")
    tokens, endpoint = get(options, "httpTokens"), get(options, "httpEndpoint")
    if tokens == "required" or endpoint == "disabled" or resource.inputs.get("launchTemplate") is not None:
        return
    if tokens is UNKNOWN:
        yield undecided("metadataOptions.httpTokens")
    else:
        yield Objection(_IMDS, path="metadataOptions.httpTokens")


def _aws_provider(resource: ResourceFact) -> Iterator[Objection]:
    """Keys that come with a session's token are short-lived; all others are static, whatever their value."""
    if resource.inputs.get("token") is None:
        for key in ("accessKey", "secretKey"):
            if resource.inputs.get(key) is not None:
                yield Objection("logs in with a static key", path=key)


def _azure_provider(resource: ResourceFact) -> Iterator[Objection]:
    for key in ("clientSecret", "clientCertificatePath"):
        if resource.inputs.get(key) is not None:
            yield Objection("logs in with a static credential", path=key)


def _own_principal(resource: ResourceFact) -> Iterator[Objection]:
    """A service principal of the cluster has a secret that somebody keeps; `msi` stands for none."""
    principal = resource.inputs.get("servicePrincipalProfile")
    if principal is UNKNOWN:
        yield undecided("servicePrincipalProfile")
    elif isinstance(principal, Mapping) and principal.get("clientId") != "msi":
        yield Objection("logs in as a service principal with a secret", path="servicePrincipalProfile")


def _long_lived_token(resource: ResourceFact) -> Iterator[Objection]:
    kind = resource.inputs.get("type")
    if kind is UNKNOWN:
        yield undecided("type")
    elif kind == _TOKEN_SECRET:
        metadata = resource.inputs.get("metadata")
        namespace, account = get(metadata, "namespace"), get(metadata, "annotations", _ACCOUNT)
        for allowed in LASTING_TOKENS:
            if _matches(namespace, allowed[0]) and _matches(account, allowed[1]):
                if namespace is UNKNOWN or account is UNKNOWN:
                    yield Objection("it is not known yet whose token it is", path="metadata", undecided=True)
                return
        yield Objection("holds a service account's token that has no end", path="type")


def _matches(value: Any, wanted: str) -> bool:
    return value is UNKNOWN or (isinstance(value, str) and value == wanted)


def _pods(resource: ResourceFact) -> Iterator[Objection]:
    """A tenant's pods mount the tokens that they ask for; nobody's environment holds a credential as text."""
    for path, spec in pod_specs(resource):
        if spec is UNKNOWN:
            yield undecided(path)
        else:
            yield from _pod(resource, path, spec)


def _pod(resource: ResourceFact, path: str, spec: Any) -> Iterator[Objection]:
    if resource.tenant is not None and spec is not None:
        at = f"{path}.automountServiceAccountToken"
        mounted = get(spec, "automountServiceAccountToken")
        if mounted is UNKNOWN:
            yield undecided(at)
        elif mounted is not False:
            yield Objection("mounts a token that it did not ask for", path=at)
    for at, container in containers(spec, path):
        for place, variable in items(container, "env", at):
            if variable is UNKNOWN:
                yield undecided(place)
            yield from _variable(get(variable, "name"), get(variable, "value"), place)


def _variable(name: Any, value: Any, at: str) -> Iterator[Objection]:
    if not isinstance(name, str) or not _SECRET.search(name):
        return
    if value is UNKNOWN:
        yield Objection(f"the variable {name} may hold a credential as text", path=at, undecided=True)
    elif isinstance(value, str) and not _NO_SECRET.fullmatch(f"{name}={value}"):
        yield Objection(f"the variable {name} holds a credential as text", path=at)


def _variables(*keys: str) -> Check:
    """The mapping of variables at a path holds no credential as text."""
    path = ".".join(keys)

    def check(resource: ResourceFact) -> Iterator[Objection]:
        found = get(resource.inputs, *keys)
        if found is UNKNOWN:
            yield undecided(path)
        elif isinstance(found, Mapping):
            for name, value in found.items():
                yield from _variable(name, value, f"{path}.{name}")

    return check


def _task(resource: ResourceFact) -> Iterator[Objection]:
    definitions = container_definitions(resource.inputs.get("containerDefinitions"))
    if isinstance(definitions, Objection):
        yield definitions
        return
    for index, definition in enumerate(definitions):
        for at, variable in items(definition, "environment", f"containerDefinitions[{index}]"):
            yield from _variable(get(variable, "name"), get(variable, "value"), at)


def container_definitions(value: Any) -> tuple[Any, ...] | Objection:
    """The containers of an ECS task, from the JSON text that says them; what is wrong where they cannot be read."""
    path = "containerDefinitions"
    if value is UNKNOWN:
        return undecided(path)
    found = _parsed(value) if isinstance(value, str) else None
    return found if found is not None else Objection("is not a list of containers in JSON", path=path)


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Any, ...] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tuple(found) if isinstance(found, list) else None


def _no_passwords(resource: ResourceFact) -> Iterator[Objection]:
    """A virtual machine with Linux takes keys alone; where nothing is said of its system, an image decides."""
    linux = get(resource.inputs, "osProfile", "linuxConfiguration")
    if linux is not None:
        path = "osProfile.linuxConfiguration.disablePasswordAuthentication"
        yield from is_true(path, "lets people in with passwords")(resource)


_ENV_CEL: Final = (
    "object.spec.{key}.all(c, !has(c.env) || c.env.all(e, !has(e.value)"
    f" || !e.name.matches('{_CREDENTIAL}') || (e.name + '=' + e.value).matches('^{_HARMLESS}$')))"
)
_NO_CREDENTIALS: Final = " && ".join(
    (
        _ENV_CEL.replace("{key}", "containers"),
        *(
            f"(!has(object.spec.{key}) || {_ENV_CEL.replace('{key}', key)})"
            for key in ("initContainers", "ephemeralContainers")
        ),
    )
)
_PODS: Final = ("pods", "pods/ephemeralcontainers")

_KEYLESS: Final[Mapping[str, Check]] = {
    "aws:iam:AccessKey": _static("is a key without an end"),
    "azuread:index:ApplicationPassword": _static("is a password of an application"),
    "azuread:index:ServicePrincipalPassword": _static("is a password of a service principal"),
    "aws:iam:ServiceSpecificCredential": _static("is a password without an end"),
    "pulumi:providers:aws": _aws_provider,
    "pulumi:providers:azure-native": _azure_provider,
    **dict.fromkeys(
        ("aws:ec2:Instance", "aws:ec2:SpotInstanceRequest", "aws:ec2:LaunchTemplate", "aws:ec2:LaunchConfiguration"),
        _metadata_service,
    ),
    "aws:lambda:Function": _variables("environment", "variables"),
    "aws:ecs:TaskDefinition": _task,
    "aws:sagemaker:Model": _variables("primaryContainer", "environment"),
    "azure-native:containerservice:ManagedCluster": all_of(
        _own_principal,
        is_true("oidcIssuerProfile.enabled", "gives its workloads no identities (OIDC issuer)"),
        is_true("securityProfile.workloadIdentity.enabled", "gives its workloads no identities"),
    ),
    "azure-native:cognitiveservices:Account": is_true("properties.disableLocalAuth", "can be called with a static key"),
    "azure-native:cosmosdb:DatabaseAccount": is_true("disableLocalAuth", "can be reached with a static key"),
    "azure-native:machinelearningservices:OnlineEndpoint": one_of(
        "properties.authMode", ("AADToken", "AMLToken"), "is called with a static key"
    ),
    "kubernetes:core:Secret": _long_lived_token,
    **dict.fromkeys(POD_KINDS | RAY_KINDS, _pods),
}
_FEDERATED: Final[Mapping[str, Check]] = {
    "aws:iam:UserLoginProfile": _static("is a password of a user of the account, beside the identity provider"),
    "aws:iam:AccountPasswordPolicy": all_of(
        at_least("minimumPasswordLength", 14, "allows passwords of less than 14 characters", default=6),
        at_least("passwordReusePrevention", 24, "allows a password again before 24 others", default=0),
    ),
    "aws:cognito:UserPool": one_of("mfaConfiguration", ("ON",), "lets people in without a second factor"),
    "aws:eks:Cluster": one_of(
        "accessConfig.authenticationMode",
        ("API", "API_AND_CONFIG_MAP"),
        "takes people from a ConfigMap alone instead of access entries",
    ),
    "azure-native:containerservice:ManagedCluster": all_of(
        is_true("disableLocalAccounts", "has local accounts beside the identity provider"),
        satisfies("aadProfile", lambda value: isinstance(value, Mapping), "is not joined to Microsoft Entra ID"),
        satisfies("enableRBAC", lambda value: value in (None, True), "has role-based access control off"),
    ),
    "azure-native:containerregistry:Registry": not_true("adminUserEnabled", "has an administrator with a password"),
    "azure-native:storage:StorageAccount": satisfies(
        "allowSharedKeyAccess", lambda value: value is False, "can be reached with the account's shared key"
    ),
    "azure-native:dbforpostgresql:Server": all_of(
        one_of("authConfig.passwordAuth", ("Disabled",), "lets people in with passwords"),
        one_of("authConfig.activeDirectoryAuth", ("Enabled",), "does not take Microsoft Entra identities"),
    ),
    "azure-native:compute:VirtualMachine": _no_passwords,
    "azure-native:sql:Server": is_true(
        "administrators.azureADOnlyAuthentication", "lets people in beside Microsoft Entra ID"
    ),
    "azure-native:keyvault:Vault": is_true(
        "properties.enableRbacAuthorization", "keeps access policies of its own beside Microsoft Entra roles"
    ),
}

RULES = (
    rule(
        "IAM-02",
        rationale="A key that nobody renews is found one day by somebody else; an identity has nothing to find.",
        severity=Severity.CRITICAL,
        remedy="give the workload an identity (role, workload identity, projected token) and keep secrets in the vault",
        check=_KEYLESS,
        admission=(
            Admission(
                _PODS,
                "has(object.spec.automountServiceAccountToken) && !object.spec.automountServiceAccountToken",
                "a tenant's pod sets automountServiceAccountToken: false and asks for the tokens it needs",
            ),
            Admission(_PODS, _NO_CREDENTIALS, "no variable of a tenant's pod holds a credential as text"),
            Admission(
                ("secrets",),
                f"!has(object.type) || object.type != '{_TOKEN_SECRET}'",
                "no long-lived service account tokens in a tenant's namespace",
            ),
        ),
    ),
    rule(
        "IAM-06",
        rationale="An account beside the identity provider knows no second factor and outlives whoever had it.",
        severity=Severity.HIGH,
        remedy="turn local accounts, shared keys and passwords off; let people in through the identity provider",
        check=_FEDERATED,
    ),
)
