"""Who answers for a control, or for the part of it that no rule over declared things can see.

A control that has a rule is a *rule*. All others are one of three: *detected*, by something else that Falaj runs;
*documented*, how to do it stands in the docs and nothing checks it; *organisation*, for whoever runs Falaj to do. A
control with a rule may have an entry as well: it says what the rule does not cover.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["DISPOSITIONS", "Disposition", "Handling"]


class Handling(StrEnum):
    """How a control is answered for. RULE is never written down: it follows from the rules that there are."""

    RULE = "rule"
    DETECTED = "detected"
    DOCUMENTED = "documented"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Disposition:
    """How a control is answered for where no rule does, and why that is so, in one line."""

    handling: Handling
    reason: str


# id | handling | reason
_TABLE = """
RES-02 | organisation | backups, exports and mirrors that no program declares
RES-03 | organisation | copies that people make by hand
RES-04 | organisation | a NetworkPolicy acts only where the cluster's network enforces it; the embedded site's does not, and `falaj site status` says so
RES-05 | detected | a tenant without a regime, or under DIFC or ADGM without a transfer basis, is refused when its configuration is read (docs/stacks.md)
RES-06 | detected | a waiver of a residency rule counts only with two approvers and until its expiry; every place that judges holds it to that (falaj-waivers.yaml)
CRY-01 | organisation | the disks under a cluster of its own; the embedded site's are the machine's
CRY-02 | documented | the embedded site's API server encrypts Secrets with a key of the machine (docs/site.md), not with a customer's
CRY-03 | organisation | certificates and their renewal outside the embedded site, whose API server and vault take TLS alone
CRY-04 | organisation | a tenant's keys in Vault are rotated by whoever may: what was signed must still verify
CRY-05 | detected | a signing key that Vault calls exportable is refused when a model is signed, deployed and loaded; keys outside Vault are the organisation's
IAM-04 | documented | MLflow has no login of its own: it is reached through the API server, which knows who asks (docs/stacks.md)
IAM-05 | organisation | who may approve a change to a program is the forge's setting; the rule is for models
IAM-06 | organisation | multi-factor login is a setting of the identity provider, which no program of a stack declares
TEN-01 | detected | `falaj quickstart` reaches for another tenant's namespace, Ray cluster and Vault paths and expects to be refused
TEN-02 | organisation | the cluster's network must enforce NetworkPolicies; the embedded site's does not, and `falaj site status` says so
TEN-05 | detected | `falaj quickstart` has one tenant's member try the other's Secrets, Vault paths, keys and services; only "forbidden" counts
LOG-01 | detected | the embedded site's API server keeps an audit log of who did what, and its vault two (docs/site.md)
LOG-02 | detected | `falaj audit verify --head` finds an altered, removed or cut-off record; the head must be kept outside, write-once storage is the organisation's
LOG-03 | organisation | what is deleted after the period, and who may, is the organisation's
LOG-04 | detected | the embedded site's vault writes each request to two audit files and answers none that neither took; another vault is the organisation's
LOG-05 | organisation | clocks are the machines': Falaj sets none and reads them as they are
LOG-06 | detected | the serving replica records counts of inferences by model digest and declared decision, never an input (docs/runtime.md)
LOG-07 | organisation | `falaj audit show --json` and `falaj audit verify` give the evidence; the notice and its clock are the organisation's
SUP-01 | detected | `tenant.sign` compares the files with the job's digest and with the audit log's record of who trained it
SUP-03 | documented | the run's tags hold digests of script and data, the signature names author and run, the image has its own lock; no SLSA statement joins them (docs/runtime.md)
SUP-05 | organisation | how fast a vulnerability is mended; the platform image comes with its bill of materials (docs/image.md)
CHG-01 | organisation | risk and backout of a change to a program stand in the forge's pull request; the rule is for models
CHG-02 | organisation | which accounts, clusters and people are whose: a tenant's development is another tenant of Falaj's
CHG-03 | documented | one model is served at a time, without a canary; `rollback` goes back to the version served before (docs/runtime.md)
CHG-04 | detected | the pipelines' schedule compares the state with what there is and fails where they differ (docs/pipelines.md)
ML-01 | organisation | the assessment, the record and the intended use are written by whoever is responsible for the processing
ML-02 | documented | every training is recorded with the digests of its data (docs/runtime.md); class and erasure are the data's owner's
ML-03 | documented | `tenant.evaluate` compares metrics with bars and records the outcome (docs/runtime.md); which bars, and what follows, is the approver's
ML-04 | organisation | Falaj watches no distribution of inputs or outcomes; the counts of decisions in the audit log are what a monitor can read
ML-05 | organisation | the replica bounds a request's size, rows and connections; it counts no queries by caller
ML-06 | documented | `undeploy()` ends serving and `rollback()` goes back (docs/runtime.md); overriding one decision is the application's
BCP-01 | organisation | restoring and trying it: a copy that nobody restored is a hope
"""  # noqa: E501 - a table reads by the line


def _parse() -> Mapping[str, Disposition]:
    found: dict[str, Disposition] = {}
    for line in _TABLE.strip().splitlines():
        name, handling, reason = (part.strip() for part in line.split("|", 2))
        if name in found:
            raise ValueError(f"{name} stands twice in the table")
        found[name] = Disposition(Handling(handling), reason)
    return MappingProxyType(found)


DISPOSITIONS: Final[Mapping[str, Disposition]] = _parse()
