"""What can go wrong, as one tree.

EngineError
├── CannotRunError          exit 2: nothing was changed
│   ├── ProjectError        Pulumi.yaml or a stack file is missing or malformed
│   ├── StackNotFoundError  the state of that stack does not exist
│   ├── PassphraseError     secrets cannot be decrypted
│   ├── StateError          a checkpoint this engine cannot read
│   ├── LockedError         another process is updating the stack
│   ├── UnsupportedError    a feature the embedded engine refuses by name
│   ├── MissingPluginError  a provider that needs a plugin that is not there
│   └── ClusterError        no kubeconfig, or the API server does not answer
│       └── OtherClusterError   the stack's objects are in another cluster
└── UpdateFailedError       exit 1: the work failed; the state says how far it came
    ├── ProgramError        the user's program raised
    ├── RefusedError        a rule refuses a resource or the whole stack
    ├── CheckError          a provider refused a resource's inputs
    ├── StepError           a create, update, delete or read failed
    │   └── PartialError    the object exists but did not become ready
    ├── ProtectedError      a protected resource would be deleted
    └── InterruptedError_   ^C or SIGTERM; the state is consistent
"""

from __future__ import annotations

from typing import Any


class EngineError(Exception):
    """Base of everything this package raises on purpose; its text is one line for the user."""

    exit_code = 2


class CannotRunError(EngineError):
    """Nothing was changed."""


class ProjectError(CannotRunError):
    """A project or stack file is missing or malformed; the text names file, line and key."""


class StackNotFoundError(CannotRunError):
    """No state for the stack."""


class PassphraseError(CannotRunError):
    """The passphrase is missing or wrong."""


class StateError(CannotRunError):
    """The checkpoint is not one this engine understands."""


class LockedError(CannotRunError):
    """Another process holds the stack."""


class UnsupportedError(CannotRunError):
    """A Pulumi feature that the embedded engine does not support, by name."""


class MissingPluginError(UnsupportedError):
    """A package whose provider is not built in and whose plugin was not found."""


class ClusterError(CannotRunError):
    """The cluster cannot be reached or the kubeconfig cannot be used."""


class OtherClusterError(ClusterError):
    """The cluster is not the one the stack's objects are in.

    remade: both are the embedded site's, which was purged in between; what the state describes is gone.
    """

    def __init__(self, message: str, *, remade: bool = False) -> None:
        super().__init__(message)
        self.remade = remade


class UpdateFailedError(EngineError):
    """The work failed part way."""

    exit_code = 1


class ProgramError(UpdateFailedError):
    """The user's program raised; the text says where in the program.

    traceback: the program's own traceback, shown only when asked for.
    """

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


class RefusedError(UpdateFailedError):
    """A rule refuses what the program registers; the text is the finding."""


class CheckError(UpdateFailedError):
    """A provider refused the inputs of a resource."""


class StepError(UpdateFailedError):
    """One step failed.

    uncertain: the request may have been carried out although no answer came; the intent stays recorded for the next
    run.
    """

    def __init__(self, message: str, *, uncertain: bool = False) -> None:
        super().__init__(message)
        self.uncertain = uncertain


class PartialError(StepError):
    """The operation took place but did not complete: the object exists and is recorded with its reasons.

    id, outputs: what is known of the object. reasons: why it is not ready, one line each.
    """

    def __init__(self, message: str, id: str, outputs: dict[str, Any], reasons: list[str]) -> None:  # noqa: A002
        super().__init__(message)
        self.id = id
        self.outputs = outputs
        self.reasons = reasons


class ProtectedError(UpdateFailedError):
    """A protected resource stands in the way."""


class InterruptedError_(UpdateFailedError):  # noqa: N801 - the builtin has the plain name
    """Stopped by a signal; steps in flight were finished."""
