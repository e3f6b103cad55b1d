"""AWS policy documents, as JSON text or as an object: what their statements allow, and whom.

A document that cannot be read is objected to: nobody can say what it allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from falaj_policies.facts import UNKNOWN, Unknown
from falaj_policies.model import Objection
from falaj_policies.rules.reading import LISTS
from falaj_policies.rules.requiring import undecided

__all__ = ["Judge", "narrow_rights", "not_for_anyone", "statements", "trusted_callers"]

Judge = Callable[[Mapping[str, Any], str], Iterator[Objection]]

# Names of what may be read, cut off: a new one of these changes nothing.
_READS: Final = re.compile(r"[a-z0-9-]+:(describe|get|list|batchget|head)[a-z0-9]*\*", re.IGNORECASE)
# Everything of a service, or of an account: an ARN whose last part is nothing but wildcards.
_EVERYTHING: Final = re.compile(r"(arn:[^:]*:[^:]*:[^:]*:[^:]*:)?[*?/]*\*[*?/]*")
# Actions that AWS lets nobody narrow to a resource (its service authorization reference).
_WITHOUT_RESOURCE: Final = re.compile(
    r"(ec2|autoscaling|elasticloadbalancing|cloudwatch|ce|pricing|tag|health):(describe|get|list)\w*\*?"
    r"|ecr:getauthorizationtoken|sts:getcalleridentity|sts:getservicebearertoken|cloudwatch:putmetricdata"
    r"|xray:(puttracesegments|puttelemetryrecords|getsampling\w+)|s3:listallmybuckets|eks:listclusters"
    r"|kms:list(keys|aliases)|logs:describeloggroups|ssm:describeparameters|iam:list(roles|users|policies|accountaliases)"
    r"|ssmmessages:\w+|ec2messages:\w+|secretsmanager:(listsecrets|getrandompassword)|ecr-public:getauthorizationtoken",
    re.IGNORECASE,
)
# Comparisons that are false where the key is missing.
_OPERATORS: Final = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"})
_CALLERS: Final = frozenset(
    {
        "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourceowner",
        "aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn", "aws:sourcevpc",
        "aws:sourcevpce", "aws:userid", "kms:calleraccount", "s3:dataaccesspointaccount",
    }
)  # fmt: skip
# What makes a pattern of callers one of somebody's: an account's or organisation's number, a principal's unique id, or
# a bucket by its whole name, which no two have.
_SOMEBODY: Final = re.compile(
    r"(?<!\d)\d{12}(?!\d)|(?<![a-z0-9-])o-[a-z0-9]{10,32}(?![a-z0-9*?-])|^A[A-Z0-9]{16,}:|^arn:[^:]*:s3:[^:]*:[^:]*:[^:*?]+$"
)
_WEB_IDENTITY: Final = "sts:assumerolewithwebidentity"
# Words of a web identity's subject that are the same for all of its provider's.
_FORM: Final = frozenset({"repo", "ref", "refs", "heads", "environment", "system", "serviceaccount", "project_path"})
_SCOPES: Final = re.compile(r"aws:resource(account|orgid)|[a-z0-9-]+:(resource|request)tag/.+")


def statements(document: Any, path: str, judge: Judge) -> Iterator[Objection]:
    """`judge` over every statement that allows; nothing where there is no document."""
    if document is None:
        return
    if document is UNKNOWN:
        yield undecided(path)
        return
    found = _parsed(document) if isinstance(document, str) else document
    listed = found.get("Statement") if isinstance(found, Mapping) else None
    if isinstance(listed, Mapping):
        listed = [listed]
    if listed is UNKNOWN:
        yield undecided(path)
    elif isinstance(listed, LISTS):
        for index, statement in enumerate(listed):
            at = f"{path}.Statement[{index}]"
            effect = statement.get("Effect") if isinstance(statement, Mapping) else statement
            if effect is UNKNOWN:
                yield undecided(at)
            elif not isinstance(statement, Mapping):
                yield Objection("holds a statement that is not an object", path=at)
            elif effect != "Deny":
                if "Action" not in statement and "NotAction" not in statement:
                    yield Objection("does not say which actions it allows", path=at)
                yield from judge(statement, at)
    else:
        yield Objection("is not a policy document in JSON", path=path)


@lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def narrow_rights(statement: Mapping[str, Any], at: str) -> Iterator[Objection]:
    """Actions and resources are named. A wildcard may end the name of what is read, and stand for the resource where
    AWS knows none or a condition names an account or a tag."""
    for key in ("NotAction", "NotResource"):
        if key in statement:
            yield Objection(f"allows everything but what {key} names", path=f"{at}.{key}")
        elif (said := statement.get(key[3:])) is not None and not _is_text(said):
            yield Objection(f"its {key[3:]} is neither text nor a list of it", path=f"{at}.{key[3:]}")
    actions = _texts(statement.get("Action"))
    for action in actions:
        if action is UNKNOWN:
            yield undecided(f"{at}.Action")
        elif ("*" in action or "?" in action) and not _READS.fullmatch(action):
            yield Objection(f"allows the actions {action}", path=f"{at}.Action")
    wide = [one for one in _texts(statement.get("Resource")) if one is UNKNOWN or _is_everything(one)]
    if not wide or _narrowed(statement.get("Condition"), lambda key: _SCOPES.fullmatch(key) is not None):
        return
    if actions and all(action is not UNKNOWN and _WITHOUT_RESOURCE.fullmatch(action) for action in actions):
        return
    for resource in wide:
        if resource is UNKNOWN:
            yield undecided(f"{at}.Resource")
        else:
            yield Objection(f"allows them on every resource ({resource})", path=f"{at}.Resource")


def _is_everything(resource: str) -> bool:
    # A wildcard goes over colons: where it stands before an ARN's last part, it is all of what follows.
    return resource[-1:] in ("*", "?", "/") and (
        _EVERYTHING.fullmatch(resource) is not None or (resource[-1] == "*" and resource.count(":") < 5)
    )


def not_for_anyone(statement: Mapping[str, Any], at: str) -> Iterator[Objection]:
    """Whoever is allowed is named, or narrowed by a condition on the caller."""
    if "NotPrincipal" in statement:
        yield Objection("allows everybody but whom NotPrincipal names", path=f"{at}.NotPrincipal")
    principal = statement.get("Principal")
    said = tuple(principal.values()) if isinstance(principal, Mapping) else (principal,)
    if principal is not None and not all(_is_text(one) for one in said):
        yield Objection("holds a Principal that nobody can read", path=f"{at}.Principal")
        return
    if _narrowed(statement.get("Condition"), _CALLERS.__contains__, _is_somebody):
        return
    accounts = [account for one in said for account in _texts(one)]
    if any(account is not UNKNOWN and "*" in account for account in accounts):
        yield Objection("allows anyone", path=f"{at}.Principal")
    elif any(account is UNKNOWN for account in accounts):
        yield undecided(f"{at}.Principal")


def _is_somebody(caller: str) -> bool:
    """Whether a value of a condition is somebody's: it is exact, or holds what is."""
    return caller != "" and (not set("*?") & set(caller) or _SOMEBODY.search(caller) is not None)


def trusted_callers(statement: Mapping[str, Any], at: str) -> Iterator[Objection]:
    """Who may take on a role: as `not_for_anyone`, and of a web identity provider's users only those who are named."""
    yield from not_for_anyone(statement, at)
    if "NotAction" in statement:
        yield Objection("allows everything but what NotAction names", path=f"{at}.NotAction")
    actions = _texts(statement.get("Action"))
    known = any(action is not UNKNOWN and fnmatchcase(_WEB_IDENTITY, action.lower()) for action in actions)
    if (known or any(action is UNKNOWN for action in actions)) and _is_web(statement.get("Principal")):
        condition = statement.get("Condition")
        if _narrowed(condition, lambda key: key.endswith((":sub", ":amr")), _names_somebody):
            return
        if condition is UNKNOWN or not known:
            yield undecided(f"{at}.Condition" if known else f"{at}.Action")
        else:
            yield Objection("trusts every identity of its provider: no condition names a subject", path=at)


def _is_web(principal: Any) -> bool:
    """Whether a web identity may be whom a statement allows: not a service, an account or a provider of SAML."""
    if not isinstance(principal, Mapping):
        return True
    return any(one is UNKNOWN or ":saml-provider/" not in one for one in _texts(principal.get("Federated")))


def _names_somebody(subject: str) -> bool:
    """Whether anything is left of a subject (`repo:acme/serving:*`) without its wildcards and the words of its form."""
    return any(part.strip("*?") and part not in _FORM for part in re.split("[:/]", subject))


def _narrowed(
    condition: Any, is_narrow: Callable[[str], bool], is_one: Callable[[str], Any] = lambda value: value.strip("*?")
) -> bool:
    """Whether a condition compares one of these keys with something that is not a mere wildcard (`is_one`)."""
    if not isinstance(condition, Mapping):
        return False
    for operator, comparisons in condition.items():
        if str(operator).lower() not in _OPERATORS or not isinstance(comparisons, Mapping):
            continue
        for key, values in comparisons.items():
            texts = _texts(values)
            if is_narrow(str(key).lower()) and texts and all(v is UNKNOWN or is_one(v) for v in texts):
                return True
    return False


def _is_text(value: Any) -> bool:
    """Text or a list of it, any of it perhaps not known yet."""
    return isinstance(value, str | Unknown) or (
        isinstance(value, LISTS) and len(value) > 0 and all(isinstance(one, str | Unknown) for one in value)
    )


def _texts(value: Any) -> list[Any]:
    """Text, or a list of it, as a list; UNKNOWN stays in it."""
    if value is UNKNOWN or isinstance(value, str):
        return [value]
    return [v for v in value if v is UNKNOWN or isinstance(v, str)] if isinstance(value, LISTS) else []
