"""What can go wrong with the embedded site.

::

    SiteError
    ├── CannotRun            something is missing here; nothing was changed (exit 2)
    │   └── ToolUnavailable  a tool could not be fetched or built
    └── ComponentFailed      a component of the site did not start or does not answer (exit 1)
        └── KubeError        the API server refused a request

Every message says in one line what, where, and what to do. None carries a secret.
"""

from __future__ import annotations

__all__ = ["CannotRun", "ComponentFailed", "KubeError", "SiteError", "ToolUnavailable"]


class SiteError(Exception):
    """The base of every error of the embedded site. `exit_code` is what a command ends with."""

    exit_code = 1


class CannotRun(SiteError):
    """Something this machine lacks; found before anything was changed."""

    exit_code = 2


class ToolUnavailable(CannotRun):
    """A tool could not be downloaded or built."""


class ComponentFailed(SiteError):
    """A component did not become ready, or no longer answers."""


class KubeError(ComponentFailed):
    """The API server refused a request. `status` is the HTTP status, `reason` Kubernetes' own word for it."""

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
