"""TLS: nothing that is declared listens in clear, or with a version that is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Check, Objection, Severity
from falaj_policies.rules.declare import rule
from falaj_policies.rules.pairing import beside, of_kind
from falaj_policies.rules.reading import get, items
from falaj_policies.rules.requiring import all_of, is_true, not_false, not_true, one_of, satisfies, undecided, unless

__all__ = ["RULES"]

_IN_CLEAR: Final = "traffic may go in clear"
_OLD_TLS: Final = "a version of TLS below 1.2 is accepted"
_ENCRYPTED: Final = ("HTTPS", "TLS")
# What a load balancer only passes on: whether it is TLS is decided behind it.
_PASSED_ON: Final = ("TCP", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC")
# The policies of AWS that start at TLS 1.2; left out, a listener has one that starts at 1.0.
_MODERN_POLICIES: Final = (
    "ELBSecurityPolicy-TLS13-1-2-",
    "ELBSecurityPolicy-TLS13-1-3-",
    "ELBSecurityPolicy-FS-1-2-",
    "ELBSecurityPolicy-TLS-1-2-",
)
_DATABASE_SWITCHES: Final = {
    "redshift": ("require_ssl", "true"),
    "docdb": ("tls", "enabled"),
    "postgres": ("rds.force_ssl", "1"),
    "aurora-postgresql": ("rds.force_ssl", "1"),
    "sqlserver": ("rds.force_ssl", "1"),
    "mysql": ("require_secure_transport", "1"),
    "aurora-mysql": ("require_secure_transport", "ON"),
    "mariadb": ("require_secure_transport", "1"),
}
_ON: Final = frozenset({"1", "on", "true", "enabled", "tls1.2+", "tls1.3+", "fips-140-3"})


def _is_of_a_gateway(resource: ResourceFact) -> bool:
    """A gateway load balancer's listener passes on every packet and has neither protocol nor port.

    Its balancer's ARN says so too, where it is known; no other balancer gets a listener without a port.
    """
    balancer = resource.inputs.get("loadBalancerArn")
    return all(resource.inputs.get(key) is None for key in ("protocol", "port")) and (
        balancer is UNKNOWN or (isinstance(balancer, str) and ":loadbalancer/gwy/" in balancer)
    )


def _listener(resource: ResourceFact) -> Iterator[Objection]:
    protocol = resource.inputs.get("protocol")
    if protocol is UNKNOWN:
        yield undecided("protocol")
    elif protocol in _ENCRYPTED:
        policy = resource.inputs.get("sslPolicy")
        if policy is UNKNOWN:
            yield undecided("sslPolicy")
        elif not isinstance(policy, str) or not policy.startswith(_MODERN_POLICIES):
            yield Objection(_OLD_TLS, path="sslPolicy")
    elif protocol not in _PASSED_ON:
        yield from _only_redirects(resource)


def _only_redirects(resource: ResourceFact) -> Iterator[Objection]:
    """A listener in clear is there to send callers to the one that is not."""
    actions = list(items(resource.inputs, "defaultActions", ""))
    if not actions:
        yield Objection(_IN_CLEAR, path="protocol")
    for at, action in actions:
        protocol = UNKNOWN if action is UNKNOWN else get(action, "redirect", "protocol")
        if protocol is UNKNOWN:
            yield undecided(f"{at}.redirect.protocol")
        elif protocol != "HTTPS":
            yield Objection(_IN_CLEAR, path="protocol")


def _classic_listeners(resource: ResourceFact) -> Iterator[Objection]:
    for at, one in items(resource.inputs, "listeners", ""):
        protocol = get(one, "lbProtocol")
        if protocol is UNKNOWN:
            yield undecided(f"{at}.lbProtocol")
        elif str(protocol).lower() not in ("https", "ssl"):
            yield Objection(_IN_CLEAR, path=f"{at}.lbProtocol")


def _of_aurora(resource: ResourceFact) -> bool:
    """Whether the switch is not the instance's: Aurora has it in the parameter group of the cluster."""
    family = resource.inputs.get("family")
    return isinstance(family, str) and family.startswith("aurora")


def _parameter_group(resource: ResourceFact) -> Iterator[Objection]:
    family = resource.inputs.get("family")
    if family is UNKNOWN:
        yield undecided("family")
        return
    switch = next((s for engine, s in _DATABASE_SWITCHES.items() if str(family).startswith(engine)), None)
    if switch is None:
        return
    name, value = switch
    found = [(get(one, "name"), get(one, "value")) for _, one in items(resource.inputs, "parameters", "")]
    said = [UNKNOWN if key is UNKNOWN else set_to for key, set_to in found if key in (name, UNKNOWN)]
    if UNKNOWN in said:
        yield undecided("parameters")
    elif not said or not all(_is_on(one) for one in said):
        yield Objection(f"connections may be in clear: it does not set {name} to {value}", path="parameters")


def _is_on(value: Any) -> bool:
    return value == 1 or str(value).lower() in _ON


def _server_parameter(resource: ResourceFact) -> Iterator[Objection]:
    name, value = resource.inputs.get("configurationName"), resource.inputs.get("value")
    if name == "require_secure_transport":
        if value is UNKNOWN:
            yield undecided("value")
        elif not _is_on(value):
            yield Objection(_IN_CLEAR, path="value")
    elif name == "ssl_min_protocol_version":
        if value is UNKNOWN:
            yield undecided("value")
        elif value not in ("TLSv1.2", "TLSv1.3"):
            yield Objection(_OLD_TLS, path="value")


def _ingress(resource: ResourceFact) -> Iterator[Objection]:
    tls = get(resource.inputs, "spec", "tls")
    if tls is UNKNOWN:
        yield undecided("spec.tls")
    elif not tls:
        yield Objection("the Ingress has no certificate", path="spec.tls")


_TRANSPORT: Final[Mapping[str, Check]] = {
    "aws:lb:Listener": unless(_is_of_a_gateway, _listener),
    "aws:alb:Listener": unless(_is_of_a_gateway, _listener),
    "aws:elb:LoadBalancer": _classic_listeners,
    "aws:rds:ParameterGroup": unless(_of_aurora, _parameter_group),
    "aws:rds:ClusterParameterGroup": _parameter_group,
    "aws:docdb:ClusterParameterGroup": _parameter_group,
    "aws:redshift:ParameterGroup": _parameter_group,
    "aws:rds:Proxy": is_true("requireTls", _IN_CLEAR),
    "aws:elasticache:ReplicationGroup": all_of(
        is_true("transitEncryptionEnabled", _IN_CLEAR),
        one_of("transitEncryptionMode", ("required",), _IN_CLEAR, default=True),
    ),
    "aws:msk:Cluster": all_of(
        one_of("encryptionInfo.encryptionInTransit.clientBroker", ("TLS",), _IN_CLEAR, default=True),
        not_false("encryptionInfo.encryptionInTransit.inCluster", _IN_CLEAR),
    ),
    "aws:opensearch:Domain": all_of(
        is_true("domainEndpointOptions.enforceHttps", _IN_CLEAR),
        satisfies(
            "domainEndpointOptions.tlsSecurityPolicy",
            lambda policy: isinstance(policy, str) and policy.startswith("Policy-Min-TLS-1-2-"),
            _OLD_TLS,
        ),
        is_true("nodeToNodeEncryption.enabled", _IN_CLEAR),
    ),
    "aws:apigateway:DomainName": one_of("securityPolicy", ("TLS_1_2",), _OLD_TLS),
    "azure-native:storage:StorageAccount": all_of(
        not_false("enableHttpsTrafficOnly", _IN_CLEAR),
        one_of("minimumTlsVersion", ("TLS1_2", "TLS1_3"), _OLD_TLS),
    ),
    "azure-native:dbforpostgresql:Configuration": _server_parameter,
    "azure-native:web:WebApp": all_of(
        is_true("httpsOnly", _IN_CLEAR),
        one_of("siteConfig.minTlsVersion", ("1.2", "1.3"), _OLD_TLS, default=True),
        one_of("siteConfig.ftpsState", ("FtpsOnly", "Disabled"), _IN_CLEAR, default=True),
    ),
    "azure-native:redis:Redis": all_of(
        not_true("enableNonSslPort", _IN_CLEAR),
        one_of("minimumTlsVersion", ("1.2",), _OLD_TLS),
    ),
    "azure-native:eventhub:Namespace": one_of("minimumTlsVersion", ("1.2",), _OLD_TLS),
    "azure-native:servicebus:Namespace": one_of("minimumTlsVersion", ("1.2",), _OLD_TLS),
    "azure-native:sql:Server": one_of("minimalTlsVersion", ("1.2", "1.3"), _OLD_TLS),
    "kubernetes:networking:Ingress": _ingress,
    "kubernetes:extensions:Ingress": _ingress,
}


def buckets_by_tls_only(stack: StackFact) -> Iterator[Objection]:
    """Each bucket has a policy that denies whatever does not come over TLS."""
    message = "no policy denies requests to the bucket that come in clear"
    buckets = of_kind(stack, "aws:s3:Bucket")
    yield from beside(stack, buckets, "aws:s3:BucketPolicy", "bucket", "bucket", _denies_in_clear, message)


def _denies_in_clear(policy: ResourceFact) -> bool:
    """Whether a bucket's policy does so; one that is only known later, because it names the bucket, counts."""
    document = policy.inputs.get("policy")
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return False
    if document is UNKNOWN:
        return True
    statements = get(document, "Statement")
    for one in statements if isinstance(statements, list | tuple) else [statements]:
        if one is UNKNOWN:
            return True
        secure = get(one, "Condition", "Bool", "aws:SecureTransport")
        if get(one, "Effect") == "Deny" and (secure is UNKNOWN or str(secure).lower() == "false"):
            return True
    return False


RULES = (
    rule(
        "CRY-03",
        rationale="What goes over a network in clear is read there.",
        severity=Severity.HIGH,
        remedy="accept TLS 1.2 or later only",
        check=_TRANSPORT,
    ),
    rule(
        "CRY-03",
        rationale="A bucket answers over plain HTTP unless its policy denies it.",
        severity=Severity.MEDIUM,
        remedy="declare a BucketPolicy that denies `aws:SecureTransport` = false",
        check=buckets_by_tls_only,
        applies_to=StackFact,
    ),
)
