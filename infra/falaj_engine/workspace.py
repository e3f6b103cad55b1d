"""The engine's Python interface: a project, its stacks, and what can be done with them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from falaj_engine import program as programs
from falaj_engine.clusters import Clusters, providers_in_use
from falaj_engine.deployment import Deployment
from falaj_engine.errors import EngineError, PassphraseError, ProjectError, StackNotFoundError
from falaj_engine.events import Events, Record, Step, Timer
from falaj_engine.judging import Gate, Judge, Scene
from falaj_engine.nullprovider import NullProvider
from falaj_engine.project import StackFile, full_key, has_secure, load_project, load_stack_file, secure
from falaj_engine.provider import Provider
from falaj_engine.providers import Factory, Providers
from falaj_engine.refresh import refresh as refresh_states
from falaj_engine.removal import remove_rest
from falaj_engine.secrets import Crypter, find_passphrase
from falaj_engine.snapshot import Checkpoint, Snapshot, frame, open_checkpoint, salt_of
from falaj_engine.stackref import StackReferences
from falaj_engine.store import Store
from falaj_engine.values import Props, Secret, mask, reveal


@dataclass(frozen=True, slots=True)
class Result:
    """What an operation did.

    steps: every decision, in order of finishing. failures: failed steps with their reason. outputs: the stack's,
    secrets marked. seconds: in all; error: the reason it failed, or None.
    """

    operation: str
    stack: str
    steps: tuple[Step, ...]
    failures: tuple[tuple[Step, str], ...]
    messages: tuple[tuple[str, str, str], ...]
    outputs: Props
    counts: Mapping[str, int]
    seconds: float
    error: EngineError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def changes(self) -> int:
        """Resources that were, or would be, changed."""
        return sum(count for op, count in self.counts.items() if op not in ("same", "read", "discard"))


class Workspace:
    """A project's stacks, with their state and stack files under `home`.

    kubeconfig: for programs whose provider names none; None for the site's, then KUBECONFIG, then ~/.kube/config.
    skip_await: do not wait for workloads to become ready. watcher: is told of every step. project_dir: the project or
    below it. gate: makes the judge of what programs register; None judges nothing, which is for programs that declare
    nothing real.
    """

    def __init__(
        self,
        project_dir: Path | str,
        home: Path | str,
        *,
        gate: Gate | None,
        kubeconfig: str | None = None,
        skip_await: bool = False,
        watcher: Events | None = None,
    ) -> None:
        self.project = load_project(Path(project_dir))
        self.home = Path(home).resolve()
        self.gate = gate
        self.kubeconfig = kubeconfig
        self.skip_await = skip_await
        self.watcher = watcher
        self.store = Store(self.home / "state", self.project.name)

    # Stacks and their configuration

    def stacks(self) -> list[str]:
        """Stacks that have a state."""
        return self.store.names()

    def init(self, stack: str) -> None:
        """Give the stack a stack file of its own and an empty state; what is there is kept."""
        file = self.stack_file(stack)
        if file.salt is None:
            file.salt = Crypter.create(find_passphrase(self.home)).state
        own = self._own_file(stack)
        if file.path != own or not own.exists():
            file.path = own
        file.save()
        if stack not in self.store.names():
            crypter = Crypter(find_passphrase(self.home), file.salt)
            crypter.verify()
            self.store.write(stack, frame(self._full_name(stack), crypter))

    def remove(self, stack: str) -> None:
        """Forget an empty stack. Raises EngineError while it has resources."""
        if self.store.read(stack)["checkpoint"].get("latest", {}).get("resources"):
            raise StackNotFoundError(f"stack {stack!r} still has resources: destroy it first")
        self.store.remove(stack)
        self._clusters_file(stack).unlink(missing_ok=True)
        self._own_file(stack).unlink(missing_ok=True)

    def forget(self, stack: str) -> None:
        """Drop the stack's state, whatever it describes; no cluster is touched or asked.

        The stack's file stays, so that `up` makes the stack anew; a copy of the state is among its backups. Raises
        StackNotFoundError or LockedError.
        """
        self.store.read(stack)
        with self.store.lock(stack, lambda _text: None):
            self.store.back_up(stack)
            self.store.remove(stack)
            self._clusters_file(stack).unlink(missing_ok=True)

    def elsewhere(self, stack: str) -> list[str]:
        """Servers of the clusters other than the embedded site that objects of the stack are in; none is asked."""
        checkpoint, _ = self._open(stack)
        return self._clusters(checkpoint, keep=False).elsewhere()

    def check_cluster(self, stack: str) -> None:
        """Raise OtherClusterError if the stack's objects are in another cluster than its default provider would drive.

        Nothing is asked of a cluster when the stack has no such objects.
        """
        if stack not in self.store.names():
            return
        checkpoint, crypter = self._open(stack)
        clusters = self._clusters(checkpoint, keep=False)
        if "default" not in clusters.in_use:
            return
        from falaj_engine.kube.client import Client
        from falaj_engine.kube.config import load

        texts, _ = self.stack_file(stack).values(self.project.defaults, crypter.decrypt)
        kubeconfig = texts.get("kubernetes:kubeconfig") or self._kubeconfig()
        clusters.meet("default", Client(load(kubeconfig, texts.get("kubernetes:context"))))

    def stack_file(self, stack: str) -> StackFile:
        """The stack's file: its own under `home`, or the project's before `init`."""
        own = self._own_file(stack)
        path = own if own.exists() else self.project.config_dir / f"Pulumi.{stack}.yaml"
        file = load_stack_file(path, self.project.name)
        for key in sorted(self.project.secret_keys & file.config.keys()):
            if not has_secure(file.config[key]):
                raise ProjectError(
                    f"{path}: {key} is declared secret in Pulumi.yaml and stands there in clear: take it out, "
                    f"then `falaj config set --secret {key} -s {stack}`"
                )
        return file

    def config(self, stack: str, key: str, *, path: bool = False, show_secrets: bool = True) -> Any:
        """One configuration value; objects as such. Raises ProjectError."""
        value = self.stack_file(stack).get(key, self.project.name, path=path)
        if isinstance(value, dict) and set(value) == {"secure"}:
            return self._crypter(stack).decrypt(value["secure"]) if show_secrets else "[secret]"
        return value

    def set_config(self, stack: str, key: str, value: Any, *, path: bool = False, secret: bool = False) -> None:
        """Set one value in the stack's own file; `path` reaches into an object (`falaj:stack.image`)."""
        if not self._own_file(stack).exists():
            self.init(stack)
        file = self.stack_file(stack)
        if secret or full_key(key, self.project.name) in self.project.secret_keys:
            value = secure(str(value), self._crypter(stack))
        file.set(key, value, self.project.name, path=path)
        file.save()

    def outputs(self, stack: str, *, show_secrets: bool = False) -> Props:
        """The stack's outputs; secrets opened or shown as `[secret]`."""
        outputs = self._outputs(stack)
        shown: Props = reveal(outputs) if show_secrets else mask(outputs)
        return shown

    def export(self, stack: str) -> dict[str, Any]:
        """The deployment in Pulumi's export format, secrets encrypted."""
        return {"version": 3, "deployment": self.store.read(stack)["checkpoint"].get("latest") or {}}

    # Operations

    def preview(self, stack: str, *, cancelled: threading.Event | None = None) -> Result:
        """What `up` would do; changes nothing."""
        return self._operate("preview", stack, self._run_program, preview=True, runs=True, cancelled=cancelled)

    def up(self, stack: str, *, cancelled: threading.Event | None = None) -> Result:
        """Bring the stack to what its program says.

        Under a gate the whole program is judged before anything is done, and each resource again, when its values are
        known.
        """
        cancelled = cancelled or threading.Event()
        if self.gate is not None:
            judged = self._judged(stack, cancelled)
            if not judged.ok:
                return judged
        return self._operate("up", stack, self._run_program, runs=True, cancelled=cancelled)

    def refresh(self, stack: str, *, cancelled: threading.Event | None = None) -> Result:
        """Bring the state to what exists."""

        def work(deployment: Deployment, _file: StackFile) -> None:
            with programs.importing_from(self.project.main):
                refresh_states(deployment)

        return self._operate("refresh", stack, work, cancelled=cancelled)

    def destroy(self, stack: str, *, preview: bool = False, cancelled: threading.Event | None = None) -> Result:
        """Delete everything in the stack; the stack itself stays, empty."""

        def work(deployment: Deployment, _file: StackFile) -> None:
            with programs.importing_from(self.project.main):
                remove_rest(deployment)

        return self._operate("destroy", stack, work, preview=preview, cancelled=cancelled)

    def _judged(self, stack: str, cancelled: threading.Event) -> Result:
        """What the judge says of the whole program: it runs against providers that do nothing, and shows nothing."""

        def work(deployment: Deployment, file: StackFile) -> None:
            with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
                self._run_program(deployment, file, remove=False)

        result = self._operate("preview", stack, work, preview=True, runs=True, quiet=True, cancelled=cancelled)
        if self.watcher is not None:
            for step, message in result.failures:
                self.watcher.failed(step, message, 0.0)
        return replace(result, operation="up", steps=(), counts={}, outputs={})

    def _run_program(self, deployment: Deployment, file: StackFile, *, remove: bool = True) -> None:
        texts, secret_keys = file.values(self.project.defaults, self._crypter(deployment.stack).decrypt)
        # The providers of dynamic resources that are to be deleted are imported from beside the program as well.
        with programs.importing_from(self.project.main):
            programs.run(
                programs.Program(
                    self.project.name, deployment.stack, self.project.root, self.project.main, texts, tuple(secret_keys)
                ),
                deployment,
            )
            deployment.conclude()
            if remove:
                remove_rest(deployment)

    def _operate(
        self,
        operation: str,
        stack: str,
        work: Callable[[Deployment, StackFile], None],
        *,
        preview: bool = False,
        runs: bool = False,
        quiet: bool = False,
        cancelled: threading.Event | None = None,
    ) -> Result:
        """runs: the program is run, under the gate. quiet: with providers that do nothing, and nobody watching."""
        timer = Timer()
        record = Record(None if quiet else self.watcher)
        cancelled = cancelled or threading.Event()
        self._ensure(stack)
        file = self.stack_file(stack)
        error: EngineError | None = None
        with (
            self._held(stack, record, preview=preview),
            programs.stopping_on_signals(cancelled, lambda text: record.message("warning", text)),
        ):
            checkpoint, crypter = self._open(stack)
            if not preview:
                self.store.back_up(stack)
            snapshot = Snapshot(
                checkpoint, crypter, None if preview else lambda content: self.store.write(stack, content)
            )
            try:
                clusters = None if quiet else self._clusters(checkpoint, keep=not preview)
                deployment = Deployment(
                    project=self.project.name,
                    stack=stack,
                    snapshot=snapshot,
                    providers=self._providers(file, crypter, clusters),
                    record=record,
                    preview=preview,
                    cancelled=cancelled,
                    judge=self._judge(stack, file, crypter) if runs else None,
                )
                try:
                    work(deployment, file)
                except EngineError as failure:
                    error = failure
            finally:
                snapshot.close()
            root = next((state for state in snapshot.resources() if state.type == "pulumi:pulumi:Stack"), None)
        return Result(
            operation,
            stack,
            tuple(record.steps),
            tuple(record.failures),
            tuple(record.messages),
            root.outputs if root is not None else {},
            record.counts(),
            timer.seconds,
            error,
        )

    # Inside

    def _judge(self, stack: str, file: StackFile, crypter: Crypter) -> Judge | None:
        if self.gate is None:
            return None
        texts, _ = file.values(self.project.defaults, crypter.decrypt)
        backend = self.store.root.as_uri()
        return self.gate(Scene(stack=stack, project=self.project, home=self.home, config=texts, backend=backend))

    @contextmanager
    def _held(self, stack: str, record: Record, *, preview: bool) -> Iterator[None]:
        if preview:
            yield
            return
        with self.store.lock(stack, lambda text: record.message("info", text)):
            yield

    def _ensure(self, stack: str) -> None:
        """A stack described in the project but not yet made is made; any other is unknown."""
        if stack in self.store.names() and self._own_file(stack).exists():
            return
        known = self._own_file(stack).exists() or (self.project.config_dir / f"Pulumi.{stack}.yaml").exists()
        if stack not in self.store.names() and not known:
            self.store.read(stack)
        self.init(stack)

    def _clusters(self, checkpoint: Checkpoint, *, keep: bool) -> Clusters:
        stack = checkpoint.stack.rsplit("/", 1)[-1]
        states = [*checkpoint.resources, *(pending.state for pending in checkpoint.pending)]
        in_use = providers_in_use((state.type, state.provider) for state in states)
        used = self._kubeconfig()
        site = used is not None and Path(used).resolve() == self.home / "site" / "kubeconfig"
        return Clusters(self._clusters_file(stack), stack, in_use, site, keep)

    def _clusters_file(self, stack: str) -> Path:
        return self.store.root / ".falaj" / self.project.name / f"{stack}.json"

    def _providers(self, file: StackFile, crypter: Crypter, clusters: Clusters | None) -> Providers:
        """The providers of a run; without `clusters` those that do nothing."""
        from falaj_engine.dynamic import DynamicProvider
        from falaj_engine.kube.provider import KubernetesProvider

        texts, secret_keys = file.values(self.project.defaults, crypter.decrypt)
        config: Props = {key: Secret(text) if key in secret_keys else text for key, text in texts.items()}

        def references(_name: str, _inputs: Props) -> Provider:
            return StackReferences(self._outputs)

        if clusters is None:
            return Providers({"pulumi": references}, config, lambda _name, _inputs: NullProvider())

        def kubernetes(name: str, inputs: Props) -> Provider:
            provider = KubernetesProvider.configure(
                inputs,
                self._kubeconfig(),
                skip_await=self.skip_await,
                admit=lambda client: clusters.meet(name, client),
            )
            if clusters.holds(name):
                # "Nothing to change" may be said of the stack's own cluster only, so it is met even then.
                provider.connect()
            return provider

        factories: dict[str, Factory] = {
            "kubernetes": kubernetes,
            "pulumi-python": lambda _name, inputs: DynamicProvider(inputs, self.project.name),
            "pulumi": references,
        }
        return Providers(factories, config)

    def _kubeconfig(self) -> str | None:
        if self.kubeconfig:
            return self.kubeconfig
        # The state in this home is about this home's site: a KUBECONFIG that happens to be set is for something else.
        site = self.home / "site" / "kubeconfig"
        return str(site) if site.exists() else None

    def _outputs(self, name: str) -> Props:
        parts = name.split("/")
        stack, project = parts[-1], parts[-2] if len(parts) > 1 else self.project.name
        store = self.store if project == self.project.name else Store(self.store.root, project)
        document = store.read(stack)
        salt = salt_of(document)
        crypter = Crypter(find_passphrase(self.home), salt) if salt else None
        root = open_checkpoint(document, crypter.decrypt if crypter else _no_secrets).root
        return root.outputs if root is not None else {}

    def _open(self, stack: str) -> tuple[Checkpoint, Crypter]:
        document = self.store.read(stack)
        crypter = self._crypter(stack, salt_of(document))
        crypter.verify()
        return open_checkpoint(document, crypter.decrypt), crypter

    def _crypter(self, stack: str, salt: str | None = None) -> Crypter:
        salt = salt or self.stack_file(stack).salt
        if salt is None:
            raise PassphraseError(f"stack {stack!r} has no encryption salt: run `falaj stack init -s {stack}`")
        return Crypter(find_passphrase(self.home), salt)

    def _full_name(self, stack: str) -> str:
        return f"organization/{self.project.name}/{stack}"

    def _own_file(self, stack: str) -> Path:
        return self.home / "stacks" / f"Pulumi.{stack}.yaml"


def _no_secrets(_text: str) -> str:
    raise PassphraseError("the state has secrets and no secrets provider")


__all__ = ["Result", "Workspace"]
