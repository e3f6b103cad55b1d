"""The kubernetes provider: what the engine asks of it, carried out against one API server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from falaj_engine import diff as diffs
from falaj_engine import urn as urns
from falaj_engine.diff import Path
from falaj_engine.errors import PartialError, StepError, UnsupportedError
from falaj_engine.kube import objects, waiting
from falaj_engine.kube.client import ApiError, Client, Object
from falaj_engine.kube.config import Cluster, load
from falaj_engine.kube.tables import replacing
from falaj_engine.provider import Checked, Difference, Live, Operation
from falaj_engine.snapshot import Pending
from falaj_engine.values import UNKNOWN, Props, has_unknown, reveal

_SETTINGS = {
    "kubeconfig",
    "context",
    "namespace",
    "version",
    "__internal",
    "enableServerSideApply",
    "suppressDeprecationWarnings",
}
_ANNOTATIONS = ("pulumi.com/waitFor", "pulumi.com/replaceUnready")


class KubernetesProvider:
    """Drives the objects of one cluster. Made from the provider's inputs by `configure`; connects on first use.

    admit: is shown the connection before anything else is, and raises EngineError where it must not be used.
    """

    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        *,
        skip_await: bool,
        admit: Callable[[Client], None] = lambda _client: None,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._namespace = namespace
        self._skip_await = skip_await
        self._admit = admit
        self._lock = threading.Lock()
        self._client: Client | None = None

    @classmethod
    def configure(
        cls,
        inputs: Props,
        kubeconfig: str | None,
        *,
        skip_await: bool,
        admit: Callable[[Client], None] = lambda _client: None,
    ) -> KubernetesProvider:
        """From a provider resource's inputs.

        kubeconfig: where they name none. Raises UnsupportedError for other settings.
        """
        for key in sorted(set(inputs) - _SETTINGS):
            if key == "deleteUnreachable" and str(inputs[key]).lower() == "false":
                continue
            raise UnsupportedError(
                f"kubernetes:{key} is not supported by the embedded engine: use the Pulumi CLI (--engine pulumi)"
            )
        if str(inputs.get("enableServerSideApply", "true")).lower() == "false":
            raise UnsupportedError("kubernetes:enableServerSideApply=false is not supported by the embedded engine")
        own = inputs.get("kubeconfig")
        return cls(
            own or kubeconfig, inputs.get("context"), inputs.get("namespace"), skip_await=skip_await, admit=admit
        )

    # The protocol

    def check(self, operation: Operation, olds: Props | None, news: Props) -> Checked:
        api_version, kind = objects.group_version_kind(operation.type, news)
        if (what := _unsupported(operation.type, kind, news)) is not None:
            raise UnsupportedError(
                f"{urns.short(operation.urn)}: {what} not supported by the embedded engine: "
                "use the Pulumi CLI (--engine pulumi)"
            )
        inputs = objects.named(news, operation.urn, olds)
        if kind == "Secret" and api_version == "v1":
            inputs = objects.encoded(inputs)
        metadata = inputs.get("metadata")
        if (
            metadata is not UNKNOWN
            and not objects.namespace_of(inputs)
            and self._namespaced(operation, api_version, kind)
        ):
            own = {**objects.metadata_of(inputs), "namespace": self._default_namespace()}
            inputs = objects.with_metadata(inputs, own)
        return Checked(inputs)

    def diff(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Difference:  # noqa: A002
        _, kind = objects.group_version_kind(operation.type, news)
        paths = tuple(diffs.differences(olds, news))
        patterns = replacing(kind)
        replaces = tuple(path for path in paths if _replaces(patterns, path))
        autonamed = objects.annotation(news, objects.AUTONAMED) == "true"
        same_place = objects.name_of(news) == objects.name_of(olds) and objects.namespace_of(
            news
        ) == objects.namespace_of(olds)
        return Difference(bool(paths), paths, replaces, bool(replaces) and not autonamed and same_place)

    def create(self, operation: Operation, inputs: Props) -> Live:
        if operation.preview and has_unknown(inputs):
            return Live("", objects.foretold(inputs))
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        manager = objects.new_manager()
        query = {"fieldManager": objects.MANAGER, "fieldValidation": "Strict"}
        if operation.preview:
            query["dryRun"] = "All"
        try:
            client = self.connect()
            rest = client.rest(api_version, kind)
            live = client.request("POST", rest.path(objects.namespace_of(inputs) or ""), inputs, query)
        except ApiError as error:
            if operation.preview and _cannot_tell(error, operation):
                return Live("", objects.foretold(inputs))
            if error.reason == "AlreadyExists" and operation.resumed is not None and not operation.preview:
                live = self._take_up(operation, operation.resumed, inputs, manager)
            else:
                raise self._explained(operation, "create", error) from None
        if operation.preview:
            return Live("", objects.dry(live, inputs))
        return Live(objects.id_of(live), self._settled(operation, "create", live, inputs, manager, api_version))

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        live = self._get(operation, api_version, kind, id)
        if live is None:
            return None
        manager = outputs.get("__fieldManager") or objects.new_manager()
        initial = outputs.get("__initialApiVersion") or api_version
        # Without a history (a lookup) the object is only looked at: its inputs are nobody's.
        known = objects.live_inputs(inputs, outputs, live) if outputs else {"apiVersion": api_version, "kind": kind}
        return Live(objects.id_of(live), objects.outputs(live, known, manager, initial), known if outputs else None)

    def update(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Props:  # noqa: A002
        manager = str(outputs.get("__fieldManager") or objects.new_manager())
        if operation.preview and has_unknown(news):
            return objects.foretold({**outputs, **news})
        api_version, kind = objects.group_version_kind(operation.type, news)
        initial = str(outputs.get("__initialApiVersion") or api_version)
        try:
            if not operation.preview:
                self._hand_over(operation, api_version, kind, id, manager)
            live = self._apply(operation, news, manager)
        except ApiError as error:
            raise self._explained(operation, "update", error) from None
        if operation.preview:
            return objects.dry(live, news)
        return self._settled(operation, "update", live, news, manager, initial)

    def delete(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> None:  # noqa: A002
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        try:
            rest = self.connect().rest(api_version, kind)
        except ApiError as error:
            if error.status == 404:  # the kind itself is gone, and its objects with it
                return
            raise
        path = rest.path(*_split(id))
        uid = reveal(outputs.get("metadata") or {}).get("uid")
        foreground = kind in waiting.WORKLOADS and not self._skip_await
        options: dict[str, Any] = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": objects.annotation(inputs, "pulumi.com/deletionPropagationPolicy")
            or ("Foreground" if foreground else "Background"),
        }
        if isinstance(uid, str):
            options["preconditions"] = {"uid": uid}
        try:
            answer = self.connect().request("DELETE", path, options)
        except ApiError as error:
            # Gone, or another object has its name: ours is gone either way.
            if error.status == 404 or (error.status == 409 and isinstance(uid, str) and self._uid(path) != uid):
                return
            raise self._explained(operation, "delete", error) from None
        if answer.get("kind") != "Status":
            waiting.until_gone(self.connect(), path, answer, operation)

    def recover(self, operation: Operation, pending: Pending) -> Live | None:
        inputs = pending.state.inputs
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        name, namespace = objects.name_of(inputs), objects.namespace_of(inputs)
        if not isinstance(name, str):
            return None
        live = self._get(operation, api_version, kind, f"{namespace}/{name}" if namespace else name)
        if live is None or not objects.made_by(live, pending):
            return None
        return Live(objects.id_of(live), objects.outputs(live, inputs, objects.new_manager(), api_version))

    # Inside

    def connect(self) -> Client:
        """The connection, made and admitted on first use. Raises EngineError."""
        with self._lock:
            if self._client is None:
                client = Client(self._cluster())
                self._admit(client)
                self._client = client
            return self._client

    def _cluster(self) -> Cluster:
        return load(self._kubeconfig, self._context)

    def _default_namespace(self) -> str:
        return self._namespace or self.connect().cluster.namespace

    def _namespaced(self, operation: Operation, api_version: str, kind: str) -> bool:
        try:
            return self.connect().rest(api_version, kind).namespaced
        except ApiError as error:
            if operation.preview and error.status == 404:  # its definition may come with this very deployment
                return False
            raise self._explained(operation, "check", error) from None

    def _get(self, operation: Operation, api_version: str, kind: str, id: str) -> Object | None:  # noqa: A002
        try:
            client = self.connect()
            return client.request("GET", client.rest(api_version, kind).path(*_split(id)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise self._explained(operation, "read", error) from None

    def _uid(self, path: str) -> str | None:
        try:
            metadata = self.connect().request("GET", path)["metadata"]
        except ApiError:
            return None
        return str(metadata.get("uid"))

    def _apply(self, operation: Operation, inputs: Props, manager: str) -> Object:
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        client = self.connect()
        path = client.rest(api_version, kind).path(objects.namespace_of(inputs) or "", str(objects.name_of(inputs)))
        force = objects.annotation(inputs, "pulumi.com/patchForce") == "true"
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if operation.preview:
            query["dryRun"] = "All"
            # What the creating POST owns is handed over before a real apply; foretelling needs no more than to be let.
            query["force"] = "true"
        return client.request("PATCH", path, inputs, query, "application/apply-patch+yaml")

    def _hand_over(self, operation: Operation, api_version: str, kind: str, id: str, manager: str) -> None:  # noqa: A002
        live = self._get(operation, api_version, kind, id)
        if live is None:
            raise StepError(
                f"{urns.short(operation.urn)}: {id} is no longer in the cluster: run `falaj refresh`, then `falaj up`"
            )
        entries = objects.handed_over(live, manager)
        if entries is None:
            return
        client = self.connect()
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ]
        path = client.rest(api_version, kind).path(*_split(id))
        client.request("PATCH", path, patch, {"fieldManager": manager}, "application/json-patch+json")

    def _take_up(self, operation: Operation, pending: Pending, inputs: Props, manager: str) -> Object:
        """An object that exists although the state does not know it: ours if an earlier run's intent explains it."""
        api_version, kind = objects.group_version_kind(operation.type, inputs)
        name, namespace = objects.name_of(inputs), objects.namespace_of(inputs)
        id_ = f"{namespace}/{name}" if namespace else str(name)
        live = self._get(operation, api_version, kind, id_)
        if live is None or not objects.made_by(live, pending):
            raise StepError(
                f"{urns.short(operation.urn)}: create failed: {kind} {id_!r} already exists and is not this stack's"
            )
        immutable = [
            path for path in diffs.differences(pending.state.inputs, inputs) if _replaces(replacing(kind), path)
        ]
        if immutable:
            self.delete(operation, id_, inputs, live)
            client = self.connect()
            path = client.rest(api_version, kind).path(namespace or "")
            return client.request("POST", path, inputs, {"fieldManager": objects.MANAGER})
        self._hand_over(operation, api_version, kind, id_, manager)
        return self._apply(operation, inputs, manager)

    def _settled(
        self, operation: Operation, what: str, live: Object, inputs: Props, manager: str, initial: str
    ) -> Props:
        """The outputs once the object is ready. Raises PartialError when it does not become so."""
        if self._skip_await or objects.annotation(inputs, "pulumi.com/skipAwait") == "true":
            return objects.outputs(live, inputs, manager, initial)
        timeout = operation.timeout
        if timeout is None and (text := objects.annotation(inputs, "pulumi.com/timeoutSeconds")) is not None:
            timeout = float(text)
        api_version, kind = live["apiVersion"], live["kind"]
        client = self.connect()
        path = client.rest(api_version, kind).path(*_split(objects.id_of(live)))
        live, reason = waiting.until_ready(client, path, live, operation, timeout)
        outputs = objects.outputs(live, inputs, manager, initial)
        if reason is not None:
            raise PartialError(
                f"{urns.short(operation.urn)}: {what}d, but not ready: {reason}", objects.id_of(live), outputs, [reason]
            )
        return outputs

    @staticmethod
    def _explained(operation: Operation, what: str, error: ApiError) -> StepError:
        remedy = ""
        if error.reason == "AlreadyExists":
            remedy = " and is not this stack's: rename it, or delete what is there"
        elif error.reason == "Conflict" and error.details.get("causes"):
            remedy = '; to take the field over, annotate with pulumi.com/patchForce: "true"'
        elif error.status in (401, 403) and error.reason in ("Unauthorized", "Forbidden"):
            remedy = f" (as the user of {os.environ.get('KUBECONFIG', 'the kubeconfig')})"
        message = " ".join(str(error).split())
        # A server that failed may have done the work before it did.
        uncertain = error.status >= 500
        return StepError(f"{urns.short(operation.urn)}: {what} failed: {message}{remedy}", uncertain=uncertain)


def _unsupported(type_: str, kind: str, inputs: Props) -> str | None:
    """What the resource asks for that would otherwise be ignored, with its verb."""
    if type_.startswith("kubernetes:helm.sh/"):
        return "Helm releases are"
    if kind.endswith("Patch") and type_.endswith("Patch"):
        return "Patch resources are"
    if type_.endswith("List") and "items" in inputs:
        return "List resources are"
    if objects.metadata_of(inputs).get("generateName"):
        return "metadata.generateName is"
    for name in _ANNOTATIONS:
        if objects.has_annotation(inputs, name):
            return f"the annotation {name} is"
    return None


def _cannot_tell(error: ApiError, operation: Operation) -> bool:
    """True when a dry run fails for want of something this very deployment will change."""
    if error.status == 404:
        return True
    return error.reason == "AlreadyExists" and (operation.replacing or operation.resumed is not None)


def _replaces(patterns: tuple[Path, ...], path: Path) -> bool:
    return any(diffs.within(pattern, path) for pattern in patterns)


def _split(id: str) -> tuple[str, str]:  # noqa: A002
    namespace, _, name = id.rpartition("/")
    return namespace, name
