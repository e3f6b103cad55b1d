"""What the API server itself refuses in tenants' namespaces, whoever asks: ValidatingAdmissionPolicies, failing closed.

They hold where a program's own gate does not reach: a `kubectl apply`, a controller, a tenant's own pods. What the
`restricted` Pod Security Standard already refuses is not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding

from falaj_policies import RULES

__all__ = ["TENANT_LABEL", "Admission", "AdmissionArgs", "policies"]

# The label that makes a namespace a tenant's: its value is the tenant's id.
TENANT_LABEL = "falaj.io/tenant"
PSS_LABEL = "pod-security.kubernetes.io/enforce"

# A container type has no common CEL type with the others, so images are joined rather than containers.
ALL_IMAGES = (
    "object.spec.containers.map(c, c.image)"
    " + (has(object.spec.initContainers) ? object.spec.initContainers.map(c, c.image) : [])"
    " + (has(object.spec.ephemeralContainers) ? object.spec.ephemeralContainers.map(c, c.image) : [])"
)


@dataclass(frozen=True, kw_only=True)
class AdmissionArgs:
    """`image` is the platform image by digest; its repository is the only one that tenants' pods may come from.

    None in a preview where it is not known yet: neither are the policies then.
    """

    image: str | None


class Admission(pulumi.ComponentResource):
    """The policies and a binding for each."""

    def __init__(self, name: str, args: AdmissionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("falaj:admission:Admission", name, None, opts)
        for policy, spec in policies(args.image or "").items():
            made = ValidatingAdmissionPolicy(
                policy,
                metadata={"name": policy},
                spec=pulumi.Output.from_input(spec if args.image else pulumi.UNKNOWN),
                opts=pulumi.ResourceOptions(parent=self),
            )
            ValidatingAdmissionPolicyBinding(
                policy,
                metadata={"name": policy},
                spec={"policyName": made.metadata["name"], "validationActions": ["Deny"]},
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def policies(image: str) -> dict[str, dict[str, Any]]:
    """The specs by name, for the repository that `image` is of."""
    repository = image.partition("@")[0]
    return {
        "falaj-tenant-pods": _policy(
            resources=["pods", "pods/ephemeralcontainers"],
            variables={"images": ALL_IMAGES},
            validations={
                **rules_of_pods(),
                f"SUP-04: images of a tenant come from {repository}": (
                    f"variables.images.all(i, i.startsWith('{repository}@'))"
                ),
                "IAM-02: a tenant's pod sets automountServiceAccountToken: false and asks for the tokens it needs": (
                    "has(object.spec.automountServiceAccountToken) && !object.spec.automountServiceAccountToken"
                ),
            },
        ),
        "falaj-tenant-secrets": _policy(
            resources=["secrets"],
            validations={
                "IAM-02: no long-lived service account tokens in a tenant's namespace": (
                    "!has(object.type) || object.type != 'kubernetes.io/service-account-token'"
                )
            },
        ),
        "falaj-tenant-services": _policy(
            resources=["services"],
            validations={
                "RES-04: a tenant's Service is of type ClusterIP, with no external addresses": (
                    "(!has(object.spec.type) || object.spec.type == 'ClusterIP')"
                    " && (!has(object.spec.externalIPs) || object.spec.externalIPs.size() == 0)"
                )
            },
        ),
        "falaj-tenant-namespaces": _policy(
            resources=["namespaces"],
            # Looked at before and after the change, so that taking the label off is judged too.
            selector="objectSelector",
            validations={
                "TEN-03: a tenant's namespace keeps its label and enforces the restricted Pod Security Standard": (
                    f"has(object.metadata.labels) && '{TENANT_LABEL}' in object.metadata.labels"
                    f" && '{PSS_LABEL}' in object.metadata.labels"
                    f" && object.metadata.labels['{PSS_LABEL}'] == 'restricted'"
                    " && (oldObject == null || !has(oldObject.metadata.labels)"
                    f" || !('{TENANT_LABEL}' in oldObject.metadata.labels)"
                    f" || oldObject.metadata.labels['{TENANT_LABEL}'] == object.metadata.labels['{TENANT_LABEL}'])"
                )
            },
        ),
    }


def rules_of_pods() -> dict[str, str]:
    """The rules that are also written as CEL over pods, as messages and expressions."""
    return {
        f"{rule.id}: {admission.message}": admission.expression
        for rule in RULES
        for admission in rule.admission
        if "pods" in admission.resources
    }


def _policy(
    *,
    resources: list[str],
    validations: dict[str, str],
    variables: dict[str, str] | None = None,
    selector: str = "namespaceSelector",
) -> dict[str, Any]:
    """A policy's spec over core resources that are created or updated; `validations` maps messages to expressions."""
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": resources}
            ],
            selector: {"matchExpressions": [{"key": TENANT_LABEL, "operator": "Exists"}]},
        },
        **({"variables": [{"name": k, "expression": v} for k, v in variables.items()]} if variables else {}),
        "validations": [{"expression": check, "message": message} for message, check in validations.items()],
    }
