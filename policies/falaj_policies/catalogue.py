"""The control table: every control that Falaj answers for. `dispositions` says how, where no rule does.

References are abbreviated as in the table's legend (FRAMEWORKS). `?` marks one that is from memory; the others were
compared with law texts, or for ISO and NIST with a listing only. Have counsel confirm every mapping before anyone
relies on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from falaj_policies.dispositions import DISPOSITIONS, Handling
from falaj_policies.errors import UnknownControl
from falaj_policies.model import Control, Reference, Rule, Stage

__all__ = ["CONTROLS", "FRAMEWORKS", "control", "handling_of", "reference"]

FRAMEWORKS: Final[Mapping[str, str]] = {
    "I": "ISO/IEC 27001:2022 Annex A",
    "M": "ISO/IEC 42001 Annex A",
    "N": "NIST AI RMF",
    "P": "UAE PDPL (Federal Decree-Law 45/2021)",
    "C": "CBUAE Outsourcing Regulation C14/2021",
    "H": "UAE ICT Health Law 2/2019",
    "Di": "DIFC Data Protection Law",
    "Ad": "ADGM Data Protection Regulations",
    "E": "EU AI Act",
    "O": "OWASP Machine Learning Security Top 10",
    "Z": "NIST SP 800-207 tenet",
    "G": "GDPR",
    "S": "SLSA",
    "T": "ITIL 4 practice",
}

_AREAS: Final = {
    "RES": "Residency", "CRY": "Crypto", "IAM": "Access", "TEN": "Tenancy", "LOG": "Logging", "SUP": "Supply chain",
    "CHG": "Change", "ML": "Model governance", "BCP": "Continuity",
}  # fmt: skip
_STAGES: Final = {"R": Stage.PULL_REQUEST, "V": Stage.PROVISION, "D": Stage.DEPLOY, "X": Stage.RUNTIME}
# From memory as a whole, whatever the line says: GDPR, SLSA, ITIL names, and tenets 4 to 7.
_FROM_MEMORY: Final = ("G", "S", "T", "Z4", "Z5", "Z6", "Z7")

# id | title | stages (V provision, R pull request, D deploy, X runtime) | references
_TABLE = """
RES-01 | (cloud, region) pair allow-listed | VRD | P22 P23 C6.1 H13 G44 I5.31
RES-02 | Same for keys, logs, snapshots, registry and state | V | I5.23 I8.12
RES-03 | No geo-replication outside the allow-list | V | C6.3 G44 I8.13
RES-04 | Default-deny egress, allow-listed destinations | DX | P22 I8.12 Z2
RES-05 | Tenant declares regime and transfer basis | RD | Di26 Di27 Ad40-42 G46
RES-06 | Relocation break-glass: two approvers, expiry | D | C6.7 I5.29 I5.30 T:change
CRY-01 | Customer keys at rest | V | I8.24 G32(1)(a) P20 Ad30?
CRY-02 | Kubernetes secrets under a customer key | V | I8.24 P20
CRY-03 | TLS everywhere | D | I8.20 I8.24 Z2
CRY-04 | Key rotation and deletion window | V | I8.24
CRY-05 | Signing keys cannot be exported | VD | I8.24 S:L3
IAM-01 | Private API endpoint | V | I8.20 I8.22 Z2
IAM-02 | Workload identity, no static keys | RV | I5.17 I8.2 Z3
IAM-03 | No wildcard rights | RV | I5.15 I5.18 I8.2
IAM-04 | Authentication on every machine-learning API | D | I8.5 Z6 O6
IAM-05 | The approver is not the author | RDX | I5.3 T:change
IAM-06 | Single sign-on with MFA, local accounts off | V | I5.16 I8.5
TEN-01 | Own namespace, Ray cluster and Vault path | D | I8.3 I8.22 G32(1)(b) P20
TEN-02 | Default-deny NetworkPolicy | D | I8.22 Z2
TEN-03 | Pod Security Standard restricted | RVD | I8.9
TEN-04 | CPU and GPU quotas | D | I8.6
TEN-05 | Cross-tenant secret probe denied | X | I5.15 Z6
LOG-01 | All control-plane logs | V | I8.15 E12
LOG-02 | Hash-chained log, externally anchored, write-once | X | I8.15 I5.28 I5.33 E19 M6.2.8
LOG-03 | Retention of 6 months or more; health 25 years | V | E19 E26(6) G5(1)(e)
LOG-04 | Two independent audit devices | VD | I8.14 I8.15
LOG-05 | Clock skew bounded | X | I8.17
LOG-06 | Inference record: model digest, decision, no raw personal data | X | E12 M6.2.8 N:MEASURE-2.4 I8.11
LOG-07 | Breach evidence bundle, the regime's clock | X | P9 G33 Ad32(1) Di41? E73 I5.24-5.28
SUP-01 | Signed model, exact file set, verified again at load | DX | O6 O10 I5.21 M6.2.5
SUP-02 | Weights as ONNX or safetensors, pickle refused | DX | O6 I8.7
SUP-03 | Provenance: code, data and builder digests | D | S:L2 M7.5 E11
SUP-04 | Images pinned by digest | RVD | I8.19 I5.21
SUP-05 | Bills of materials, time limits for vulnerabilities | RD | I5.9 I8.8
SUP-06 | Dependencies locked by hash | R | I5.21 I8.28
SUP-07 | Safe names, contained paths | DX | I8.26 I8.28
CHG-01 | Change approved: record, risk, backout | RDX | I8.32 T:change
CHG-02 | Development, test and production apart | V | I8.31
CHG-03 | Canary, automatic rollback | DX | M6.2.4-6.2.6 N:MANAGE-2.4 E15 T:release
CHG-04 | Alert when the state drifts | X | I8.9 Z5
ML-01 | Impact assessment, processing record, intended use | RD | P21 Di20(1) Ad34? G30 G35 M9.4
ML-02 | Data lineage, class, erasure | D | M7.3-7.5 E10 I5.12 I8.10 O2
ML-03 | Fairness and robustness thresholds | D | N:MEASURE-2.7 N:MEASURE-2.11 E15 O1
ML-04 | Drift monitor live | X | E72 M6.2.6 N:MANAGE-4.1 O8
ML-05 | Query budgets | X | O3-5
ML-06 | Override and kill switch | X | E14 P18 G22 N:MANAGE-2.4
BCP-01 | Restore tested, second site in the country | X | I8.13 I8.14 I5.30 G32(1)(c)
"""


def reference(text: str) -> Reference:
    """`I5.31` as a reference; `?` at its end, or a framework known from memory only, makes it unverified."""
    verified = not text.endswith("?") and not text.startswith(_FROM_MEMORY)
    text = text.rstrip("?")
    short = text[:2] if text[:2] in FRAMEWORKS else text[:1]
    return Reference(framework=short, clause=text[len(short) :].lstrip(":"), verified=verified)


def _parse() -> dict[str, Control]:
    controls: dict[str, Control] = {}
    for line in _TABLE.strip().splitlines():
        name, title, stages, references = (part.strip() for part in line.split("|"))
        controls[name] = Control(
            id=name,
            title=title,
            area=_AREAS[name.split("-")[0]],
            stages=tuple(_STAGES[letter] for letter in stages),
            references=tuple(reference(text) for text in references.split()),
        )
    return controls


CONTROLS: Final[Mapping[str, Control]] = _parse()


def control(name: str) -> Control:
    """The control called `name` (case does not matter). Raises UnknownControl, naming the nearest."""
    found = CONTROLS.get(name.upper())
    if found is None:
        import difflib

        near = difflib.get_close_matches(name.upper(), CONTROLS, n=1)
        raise UnknownControl(f"no control called {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def handling_of(name: str, rules: Collection[Rule]) -> Handling:
    """How the control `name` is answered for, by its rules if it has any.

    Raises UnknownControl: it has neither a rule nor a disposition.
    """
    if rules:
        return Handling.RULE
    if name not in DISPOSITIONS:
        raise UnknownControl(f"{name} has no rule, and nothing says who answers for it")
    return DISPOSITIONS[name].handling
