"""What can go wrong in `falaj_platform`, as one tree.

PlatformError                   a user's error: its text is one line that says what, where and the remedy;
                                `exit_code` is the command's (1 the work failed, 2 it could not run)
├── CheckError                  a check could not be made: of the project, a program, or a part that is missing
├── CommentError                a report that a pipeline's comment is made of cannot be read
├── QuickstartError             a step of the quickstart did not do what it must
├── CheckovError                Checkov could not judge what it was given
│   ├── CheckovMissingError     its environment is not there
│   └── CheckovTypeError        a resource type that no table converts
└── ImageError                  building, listing or pushing the platform image
    ├── LockError               a lock file is missing, malformed or does not fit
    ├── FetchError              a package could not be had, or is not the one that the lock names
    ├── ToolError               a program that the build needs is missing or failed
    ├── SpaceError              the disk has no room
    └── RegistryError           a registry refused, or is not there
"""

from __future__ import annotations


class PlatformError(Exception):
    """A user's error of the platform: one line, never a secret."""

    exit_code = 2


class CheckError(PlatformError):
    """A check could not be made, so nothing is said about the project."""


class CommentError(PlatformError):
    """A report that a pipeline's comment is made of is missing, or is not one."""


class QuickstartError(PlatformError):
    """A step of the quickstart did not do what it must."""


class CheckovError(PlatformError):
    """Checkov failed, did not end, or did not read all that it was given."""


class CheckovMissingError(CheckovError):
    """Checkov's environment is missing or broken."""


class CheckovTypeError(CheckovError):
    """A resource of a cloud is of a type that no table converts: it was not checked."""


class ImageError(PlatformError):
    """Building, listing or pushing the platform image failed."""


class LockError(ImageError):
    """A lock file is missing, malformed, or does not fit what is asked of it."""


class FetchError(ImageError):
    """A package could not be fetched, or its content is not what the lock names."""

    exit_code = 1


class ToolError(ImageError):
    """A program that the build runs is missing or failed."""


class SpaceError(ImageError):
    """There is no room on the disk for the build."""


class RegistryError(ImageError):
    """A registry refused a request, or does not answer."""

    exit_code = 1
