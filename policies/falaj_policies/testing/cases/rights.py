"""Cases of IAM-03 and IAM-04: rights that are named, APIs that ask who is calling."""

from __future__ import annotations

import json
from typing import Any, Final

from falaj_policies.facts import ResourceFact
from falaj_policies.testing.aws_access import allowing
from falaj_policies.testing.build import HERE, REMOVED, broken, change, good
from falaj_policies.testing.case import Case

_POD: Final = "kubernetes:core:Pod"
_ROLE: Final = "kubernetes:rbac:Role"
_BINDING: Final = "kubernetes:rbac:RoleBinding"
_FEATURES: Final = "arn:aws:s3:::acme-features/*"
_RAY: Final = ["ray", "start", "--head", "--block"]
_TOKEN: Final = [{"name": "RAY_AUTH_MODE", "value": "token"}]
_SUBSCRIPTION: Final = "/subscriptions/0"

_GITHUB: Final = {"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
_ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"

# Kind, the input that is broken, its value, what that is in words.
_WIDE: Final[tuple[tuple[str, str, Any, str], ...]] = (
    (_ROLE, "rules[0].resources[0]", "*", "a role over all resources"),
    (_ROLE, "rules[0].apiGroups[0]", "*", "a role over all groups"),
    (_ROLE, "rules[0].verbs[0]", "*", "a role with all verbs"),
    (_ROLE, "rules[0].verbs[0]", "escalate", "a role that may make itself stronger"),
    (_ROLE, "rules[0].verbs[0]", "bind", "a role that may give itself a stronger one"),
    (_ROLE, "rules[0].verbs[0]", "impersonate", "a role that may be anybody"),
    (_BINDING, "subjects[0].name", "default", "rights for every pod without an account of its own"),
    (
        "aws:iam:Role",
        "assumeRolePolicy",
        allowing(
            Action="sts:AssumeRoleWithWebIdentity",
            Principal=_GITHUB,
            Condition={"StringLike": {"token.actions.githubusercontent.com:sub": "repo:*"}},
        ),
        "a role for every repository",
    ),
    *(
        ("aws:iam:Role", "assumeRolePolicy", allowing(Action=action, Principal=_GITHUB), what)
        for action, what in (
            ("sts:*", "a role for every repository, by all of a service"),
            (["sts:AssumeRole*"], "a role for every repository, by a pattern"),
        )
    ),
    ("aws:iam:Policy", "policy", allowing(Action="s3:GetObject", Resource="arn:aws:s3:*"), "all of a service's ARNs"),
    ("aws:iam:Policy", "policy", allowing(Resource=_FEATURES), "a policy that names no actions"),
    ("aws:iam:Policy", "policy", allowing(Action={"acme": "*"}, Resource=_FEATURES), "actions that nobody can read"),
    ("aws:iam:RolePolicyAttachmentsExclusive", "policyArns[0]", _ADMINISTRATOR, "an administrator among all policies"),
    ("aws:ssoadmin:ManagedPolicyAttachment", "managedPolicyArn", _ADMINISTRATOR, "a permission set of administrators"),
    (
        "aws:ssoadmin:PermissionSetInlinePolicy",
        "inlinePolicy",
        allowing(Action="*", Resource="*"),
        "a permission set with every right",
    ),
    ("aws:eks:AccessPolicyAssociation", "accessScope", {"type": "cluster"}, "an administrator of an EKS cluster"),
    (_BINDING, "roleRef.name", "cluster-admin", "a binding to cluster-admin"),
    (_BINDING, "roleRef.name", "system:masters", "a binding to a role of the masters' name"),
    (_BINDING, "subjects[0]", {"kind": "Group", "name": "system:authenticated"}, "a binding for everybody"),
    (_BINDING, "subjects[0]", {"kind": "Group", "name": "system:unauthenticated"}, "a binding for strangers"),
    (_BINDING, "subjects[0]", {"kind": "Group", "name": "system:masters"}, "a binding for the masters"),
    (_BINDING, "subjects[0]", {"kind": "Group", "name": "system:serviceaccounts"}, "a binding for every account"),
    ("kubernetes:rbac:ClusterRoleBinding", "roleRef.name", "cluster-admin", "an administrator of the cluster"),
    (
        "kubernetes:rbac:ClusterRoleBinding",
        "subjects[0]",
        {"kind": "User", "name": "system:anonymous"},
        "rights of the whole cluster for nobody in particular",
    ),
    ("aws:iam:Policy", "policy", allowing(Action="*", Resource=_FEATURES), "every action"),
    ("aws:iam:Policy", "policy", allowing(Action=["s3:*"], Resource=_FEATURES), "every action of a service"),
    ("aws:iam:Policy", "policy", allowing(Action=["s3:Put*"], Resource=_FEATURES), "every way of writing"),
    ("aws:iam:Policy", "policy", allowing(Action="s3:PutObject", Resource="*"), "writing everywhere"),
    ("aws:iam:Policy", "policy", allowing(Action="s3:GetObject", Resource="arn:aws:s3:::*"), "every bucket"),
    ("aws:iam:Policy", "policy", allowing(NotAction="iam:*", Resource=_FEATURES), "all actions but some"),
    ("aws:iam:Policy", "policy", allowing(Action="s3:GetObject", NotResource=_FEATURES), "all resources but some"),
    ("aws:iam:RolePolicy", "policy", json.dumps(allowing(Action="*", Resource="*")), "a role that may do anything"),
    ("aws:iam:RolePolicy", "policy", "not json", "a policy that nobody can read"),
    ("aws:iam:UserPolicy", "policy", allowing(Action="*", Resource="*"), "a user who may do anything"),
    ("aws:iam:GroupPolicy", "policy", allowing(Action="*", Resource="*"), "a group that may do anything"),
    (
        "aws:iam:Role",
        "inlinePolicies[0].policy",
        json.dumps(allowing(Action="iam:*", Resource="arn:aws:iam::111122223333:role/acme")),
        "a role with every right over identities",
    ),
    (
        "aws:iam:Role",
        "managedPolicyArns[0]",
        _ADMINISTRATOR,
        "a role that is an administrator",
    ),
    (
        "aws:iam:Role",
        "assumeRolePolicy",
        allowing(Action="sts:AssumeRole", Principal={"AWS": "*"}),
        "a role that anyone may take on",
    ),
    ("aws:iam:Role", "assumeRolePolicy.Statement[0].Condition", REMOVED, "a role for every user of its provider"),
    (
        "aws:iam:RolePolicyAttachment",
        "policyArn",
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        "full access to a service, attached",
    ),
    ("azure-native:authorization:RoleAssignment", "scope", _SUBSCRIPTION, "a contributor of a subscription"),
    (
        "azure-native:authorization:RoleAssignment",
        "scope",
        "/providers/Microsoft.Management/managementGroups/acme",
        "a contributor of a management group",
    ),
    (
        "azure-native:authorization:RoleDefinition",
        "permissions[0].actions[0]",
        "*",
        "a role with all of Azure's rights",
    ),
    (
        "azure-native:authorization:RoleDefinition",
        "permissions[0].dataActions",
        ["Microsoft.Storage/*"],
        "a role over all data of a service",
    ),
)
_OPEN: Final[tuple[tuple[str, str, Any, str], ...]] = (
    ("aws:lambda:FunctionUrl", "authorizationType", "NONE", "a function that anyone may call"),
    ("aws:apigatewayv2:Route", "authorizationType", "NONE", "a route that asks nobody"),
    ("aws:apigatewayv2:Route", "authorizationType", REMOVED, "a route with the default authorization"),
    ("aws:apigateway:Method", "authorization", "NONE", "a method that asks nobody"),
    ("aws:sagemaker:NotebookInstance", "directInternetAccess", "Enabled", "a notebook on the internet"),
    ("aws:sagemaker:NotebookInstance", "rootAccess", REMOVED, "a notebook whose users are root"),
    ("aws:sagemaker:Domain", "appNetworkAccessType", "PublicInternetOnly", "notebooks on the internet"),
    ("kubernetes:ray.io:RayCluster", "spec.authOptions", REMOVED, "a Ray cluster of KubeRay's without tokens"),
    ("kubernetes:ray.io:RayCluster", "spec", {}, "a Ray cluster that says nothing"),
    ("kubernetes:ray.io:RayJob", "spec.rayClusterSpec.authOptions.mode", "disabled", "a Ray job without tokens"),
    ("kubernetes:ray.io:RayService", "spec.rayClusterConfig.authOptions", REMOVED, "a Ray service without tokens"),
)


def _cluster_role(*verbs: str, **inputs: Any) -> ResourceFact:
    token = "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole"  # noqa: S105 - a type token
    rules = [{"apiGroups": [""], "resources": ["nodes"], "verbs": list(verbs)}]
    urn = f"urn:pulumi:dev::acme::{token}::r"
    return HERE["kubernetes"].resource(token, "r", {"metadata": {"name": "r"}, "rules": rules, **inputs}, urn=urn)


def _ray(env: list[Any], command: list[str] | None = None) -> ResourceFact:
    pod = broken(_POD, "spec.containers[0].command", command or _RAY)
    return change(pod, "spec.containers[0].env", env)


def _right(resource: str, verb: str, group: str = "") -> ResourceFact:
    return good(_ROLE, rules=[{"apiGroups": [group], "resources": [resource], "verbs": [verb]}])


_ADMISSION: Final = "admissionregistration.k8s.io"
_CERTIFICATES: Final = "certificates.k8s.io"
# Resource, verb, group, and what the right over all of them amounts to; over one by name it is granted.
_POWERS: Final = (
    ("secrets", "get", "", "reading every secret"),
    ("secrets", "list", "", "listing every secret"),
    ("secrets", "watch", "", "watching every secret"),
    ("nodes/proxy", "get", "", "reading through the kubelet"),
    ("nodes/proxy", "create", "", "running things through the kubelet"),
    ("serviceaccounts/token", "create", "", "tokens of every account"),
    ("certificatesigningrequests/approval", "update", _CERTIFICATES, "certificates for anybody"),
    ("certificatesigningrequests/approval", "patch", _CERTIFICATES, "certificates for anybody by a patch"),
    ("validatingwebhookconfigurations", "delete", _ADMISSION, "taking admission away"),
    ("mutatingwebhookconfigurations", "patch", _ADMISSION, "rewriting what others ask for"),
    ("persistentvolumes", "create", "", "volumes of the host"),
)


CASES = (
    *(
        Case(
            "IAM-03",
            what,
            broken(_ROLE, "rules", [{**_right(resource, verb, group).inputs["rules"][0], "resourceNames": ["acme"]}]),  # type: ignore[index]
            _right(resource, verb, group),
        )
        for resource, verb, group, what in _POWERS
    ),
    *(Case("IAM-03", what, good(kind), broken(kind, path, value)) for kind, path, value, what in _WIDE),
    Case("IAM-03", "a role of the whole cluster with all verbs", _cluster_role("get"), _cluster_role("*")),
    Case(
        "IAM-03",
        "a role made of every other role",
        _cluster_role("get", aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"acme": "true"}}]}),
        _cluster_role("get", aggregationRule={"clusterRoleSelectors": [{}]}),
    ),
    *(Case("IAM-04", what, good(kind), broken(kind, path, value)) for kind, path, value, what in _OPEN),
    Case("IAM-04", "Ray without a token", _ray(_TOKEN), _ray([])),
    Case("IAM-04", "Ray with its token off", _ray(_TOKEN), _ray([{"name": "RAY_AUTH_MODE", "value": "disabled"}])),
    Case(
        "IAM-04",
        "Ray started by a shell without a token",
        _ray(_TOKEN, ["/bin/sh", "-c", "ray start --head"]),
        _ray([], ["/bin/sh", "-c", "ray start --head"]),
    ),
    Case(
        "IAM-04",
        "a notebook server without a token",
        broken(_POD, "spec.containers[0].args", ["jupyter", "lab"]),
        broken(_POD, "spec.containers[0].args", ["jupyter", "lab", "--ServerApp.token=''"]),
    ),
)
