"""Pulumi's ResourceMonitor and Engine protocols, in-process.

The SDK calls these objects instead of gRPC stubs, from the threads of the event loop's executor. Errors leave as
gRPC's UNAVAILABLE, which the SDK understands as "the engine has stopped": the reason is the deployment's first error,
shown once.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, resource_pb2

from falaj_engine.deployment import Deployment
from falaj_engine.errors import EngineError, StepError, UnsupportedError
from falaj_engine.goal import Goal
from falaj_engine.requirements import require_version
from falaj_engine.state import ResourceState
from falaj_engine.values import Props, from_struct, to_struct

_SEVERITY = {
    engine_pb2.DEBUG: "debug",
    engine_pb2.INFO: "info",
    engine_pb2.WARNING: "warning",
    engine_pb2.ERROR: "error",
}
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class StoppedError(grpc.RpcError):
    """What the SDK sees of an error here."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE

    def details(self) -> str:
        return str(self.args[0]) if self.args else ""


class Monitor:
    """Serves one program's registrations from a deployment. Method names are the protocol's.

    root: the project's directory; source positions are recorded relative to it.
    """

    def __init__(self, deployment: Deployment, root: Path) -> None:
        self._deployment = deployment
        self._root = root

    @property
    def judges(self) -> bool:
        """Whether every registration is judged before anything is done for it."""
        return self._deployment.judge is not None

    def GetDeploymentInfo(self, _request: Any) -> Any:  # noqa: N802
        # Alias specs are left out: the SDK then resolves aliases, inherited ones included, to URNs itself.
        # Transforms and hooks are claimed so that their use arrives here and is refused by name.
        return resource_pb2.DeploymentInfo(
            supportedFeatures=[
                resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
                resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
                resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
                resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
                resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
                resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
                resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
            ]
        )

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        try:
            _refuse_unsupported(request, looked_at=self._deployment.only_looked_at)
            state = self._deployment.register(_goal(request, self._root))
        except EngineError as error:
            self._stop(error)
        response = resource_pb2.RegisterResourceResponse(urn=state.urn, id=state.id)
        to_struct(_answer(state), response.object)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self._deployment.register_outputs(request.urn, from_struct(request.outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        goal = Goal(
            type=request.type,
            name=request.name,
            custom=True,
            parent=request.parent,
            inputs=from_struct(request.properties),
            provider=request.provider,
            version=request.version,
            dependencies=tuple(sorted(request.dependencies)),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
        )
        try:
            state = self._deployment.read(goal, request.id)
        except EngineError as error:
            self._stop(error)
        response = resource_pb2.ReadResourceResponse(urn=state.urn, id=state.id)
        to_struct(_answer(state), response.properties)
        return response

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        if request.tok == "pulumi:pulumi:getResource":
            urn = from_struct(request.args).get("urn", "")
            state = self._deployment.snapshot.current(urn)
            if state is None:
                self._stop(StepError(f"getResource: {urn} is not registered"))
            response = resource_pb2.ResourceInvokeResponse()
            fields: Props = {"urn": state.urn, "id": state.id, "state": _answer(state)}
            to_struct(fields, getattr(response, "return"))
            return response
        if self._deployment.only_looked_at:
            return resource_pb2.ResourceInvokeResponse(unknown=True)
        return self._refuse(f"the function {request.tok}")

    def Call(self, request: Any) -> Any:  # noqa: N802
        self._refuse(f"the method {request.tok}")

    def ExistsResource(self, request: Any) -> Any:  # noqa: N802
        self._refuse(f"looking for {request.type} (exists)")

    def RegisterStackTransform(self, _request: Any) -> Any:  # noqa: N802
        self._refuse("register_resource_transform (use register_stack_transformation)")

    def RegisterStackInvokeTransform(self, _request: Any) -> Any:  # noqa: N802
        self._refuse("register_invoke_transform")

    def RegisterResourceHook(self, request: Any) -> Any:  # noqa: N802
        if self._deployment.only_looked_at:
            return empty_pb2.Empty()
        return self._refuse(f"the resource hook {request.name!r}")

    def RegisterErrorHook(self, request: Any) -> Any:  # noqa: N802
        if self._deployment.only_looked_at:
            return empty_pb2.Empty()
        return self._refuse(f"the error hook {request.name!r}")

    def RegisterPackage(self, request: Any) -> Any:  # noqa: N802
        if self._deployment.only_looked_at:
            return resource_pb2.RegisterPackageResponse(ref=request.parameterization.name or request.name)
        return self._refuse(f"the parameterized package {request.parameterization.name or request.name!r}")

    def SignalAndWaitForShutdown(self, _request: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _refuse(self, what: str) -> NoReturn:
        self._stop(
            UnsupportedError(f"the embedded engine does not support {what}: use the Pulumi CLI (--engine pulumi)")
        )

    def _stop(self, error: EngineError) -> NoReturn:
        self._deployment.fail(error)
        raise StoppedError(str(error)) from None


class Engine:
    """The program's log."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._root = ""

    def Log(self, request: Any) -> Any:  # noqa: N802
        if request.severity != engine_pb2.DEBUG:
            self._deployment.record.message(_SEVERITY[request.severity], request.message, request.urn)
        return empty_pb2.Empty()

    def GetRootResource(self, _request: Any) -> Any:  # noqa: N802
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any) -> Any:  # noqa: N802
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: N802
        try:
            require_version(request.pulumi_version_range, "require_pulumi_version")
        except EngineError as error:
            self._deployment.fail(error)
            raise StoppedError(str(error)) from None
        return engine_pb2.RequirePulumiVersionResponse()


def _goal(request: Any, root: Path) -> Goal:
    timeouts = request.customTimeouts
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=from_struct(request.object),
        provider=request.provider,
        version=request.version,
        dependencies=tuple(sorted(request.dependencies)),
        property_dependencies={key: sorted(value.urns) for key, value in request.propertyDependencies.items()},
        aliases=tuple(request.aliasURNs),
        protect=request.protect,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        custom_timeouts={
            kind: seconds
            for kind in ("create", "update", "delete", "read")
            if (seconds := parse_duration(getattr(timeouts, kind, "")))
        },
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        source_position=_position(request.sourcePosition, root),
        stack_trace=tuple((frame.pc.uri, frame.pc.line) for frame in request.stackTrace.frames),
    )


# What changes nothing about a resource's inputs: no matter to who only looks at them.
_NO_INPUTS = frozenset(
    {"import_", "resource hooks", "replace_with", "replacement_trigger", "env_var_mappings", "parameterized packages"}
)


def _refuse_unsupported(request: Any, *, looked_at: bool) -> None:
    """Raise UnsupportedError for what this engine does not do rather than ignore it."""
    hooks = request.hooks
    asked = {
        "remote components": request.remote,
        "import_": bool(request.importId),
        "transforms (use transformations)": bool(request.transforms),
        "resource hooks": any(
            getattr(hooks, kind)
            for kind in (
                "before_create",
                "after_create",
                "before_update",
                "after_update",
                "before_delete",
                "after_delete",
                "on_error",
            )
        ),
        "replace_with": bool(request.replace_with),
        "replacement_trigger": request.HasField("replacement_trigger") and not _is_null(request.replacement_trigger),
        "state migrations": bool(request.state_migrations),
        "env_var_mappings": bool(request.envVarMappings),
        "parameterized packages": bool(request.packageRef),
    }
    for what, used in asked.items():
        if used and not (looked_at and what in _NO_INPUTS):
            raise UnsupportedError(
                f"{request.type} {request.name}: the embedded engine does not support {what}: "
                "use the Pulumi CLI (--engine pulumi)"
            )


def _is_null(value: Any) -> bool:
    return value.WhichOneof("kind") in (None, "null_value")


def _answer(state: ResourceState) -> Props:
    """What the program is told: for a component its inputs, else the outputs without the provider's own bookkeeping."""
    if not state.custom:
        return state.inputs
    return {key: value for key, value in state.outputs.items() if not key.startswith("__") or key == "__provider"}


def _position(position: Any, root: Path) -> str:
    """`project:///PATH#LINE`, as Pulumi records it; nothing for code outside the project."""
    prefix = f"{root.as_uri()}/"
    return f"project:///{uri.removeprefix(prefix)}#{position.line}" if (uri := position.uri).startswith(prefix) else ""


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as `1h30m`. Raises ValueError."""
    if not text:
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"malformed duration {text!r}: use, for example, 90s or 10m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
