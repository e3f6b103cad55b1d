"""What the API server itself refuses in tenants' namespaces, whoever asks: ValidatingAdmissionPolicies, failing closed.

They hold where a program's own gate does not reach: a `kubectl apply`, a controller, a tenant's own pods. Each rule of
`falaj_policies` or of an installed rule package that declares its CEL is applied as it is written there. What the
`restricted` Pod Security Standard already refuses is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding

from falaj_policies import Admission as Declared
from falaj_policies import RulePackageError, all_rules
from falaj_policies.rules.namespaces import TENANT_LABEL
from falaj_policies.rules.supply_chain import ALL_IMAGES

__all__ = ["TENANT_LABEL", "Admission", "AdmissionArgs", "policies"]

PODS = ("pods", "pods/ephemeralcontainers")


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
        try:
            specs = policies(args.image or "")
        except RulePackageError as error:
            raise pulumi.RunError(str(error)) from None
        for policy, spec in specs.items():
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
    """The specs by name: one for each set of resources that rules declare CEL for, and for the images of tenants the
    repository that `image` is of. Raises RulePackageError: an installed rule package cannot be used."""
    declared = [(rule.id, admission) for rule in all_rules() for admission in rule.admission]
    declared.append(("SUP-04", _of_repository(image.partition("@")[0])))
    together: dict[tuple[object, ...], list[tuple[str, Declared]]] = {}
    for rule, one in declared:
        key = (one.group, one.version, one.resources, one.namespaces)
        together.setdefault(key, []).append((rule, one))
    made: dict[str, dict[str, Any]] = {}
    for entries in together.values():
        resources = [resource.replace("/", "-") for resource in entries[0][1].resources]
        name = f"falaj-tenant-{resources[0]}"
        made[name if name not in made else "-".join([name, *resources[1:], str(len(made))])] = _policy(entries)
    return made


def _of_repository(repository: str) -> Declared:
    """What only the deployment knows: where the images of its tenants come from."""
    return Declared(
        resources=PODS,
        expression=f"{ALL_IMAGES}.all(i, i.startsWith('{repository}@'))",
        message=f"images of a tenant come from {repository}",
    )


def _policy(entries: Iterable[tuple[str, Declared]]) -> dict[str, Any]:
    """A policy over objects that are created or updated. All entries are for the same resources."""
    listed = list(entries)
    first = listed[0][1]
    # A namespace is looked at by its own label, before and after the change: taking the label off is judged too.
    selector = "objectSelector" if first.namespaces else "namespaceSelector"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {
                    "apiGroups": [first.group],
                    "apiVersions": [first.version],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": list(first.resources),
                }
            ],
            selector: {"matchExpressions": [{"key": TENANT_LABEL, "operator": "Exists"}]},
        },
        "validations": [
            {"expression": admission.expression, "message": f"{rule}: {admission.message}"}
            for rule, admission in listed
        ],
    }
