"""`falaj comment`: what a pipeline writes on a pull request."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["comment"]


class Shape(StrEnum):
    """What is printed: the Markdown, or the body of the request that posts it."""

    markdown = "markdown"
    github = "github"
    gitlab = "gitlab"
    azure_devops = "azure-devops"


def comment(
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Output of falaj check in JSON.", show_default=False)
    ] = None,
    preview: Annotated[
        list[Path] | None,
        typer.Option("--preview", metavar="FILE", help="Output of falaj preview --json; may be repeated."),
    ] = None,
    shape: Annotated[Shape, typer.Option("--for", help="Markdown, or the JSON that posts it there.")] = Shape.markdown,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Exit 1 where a preview would change anything.")
    ] = False,
) -> None:
    """Print a pull request's comment: URNs, operations, rule ids and places, never a value."""
    from falaj_platform.errors import CommentError
    from falaj_platform.pipelines.comment import markdown, read_check, read_preview

    files = preview or []
    if check is None and not files:
        raise CommentError("nothing to comment on: name a report with --check or --preview")
    checked = None if check is None else read_check(_load(check))
    previews = [read_preview(_load(file)) for file in files]
    text = markdown(checked, previews)
    if shape is Shape.azure_devops:
        body = {"comments": [{"parentCommentId": 0, "content": text, "commentType": 1}], "status": 1}
        print(json.dumps(body, ensure_ascii=False))
    elif shape is Shape.markdown:
        print(text, end="")
    else:
        print(json.dumps({"body": text}, ensure_ascii=False))
    changed = [str(file) for file, read in zip(files, previews, strict=True) if read.changed]
    if expect_no_changes and changed:
        print(f"falaj: there are changes: {', '.join(changed)}", file=sys.stderr)
        raise typer.Exit(1)


def _load(file: Path) -> object:
    from falaj_platform.errors import CommentError

    try:
        return json.loads(file.read_bytes())
    except OSError as error:
        raise CommentError(f"{file}: {error.strerror or 'cannot be read'}: did the command before it run?") from None
    except (ValueError, RecursionError):
        raise CommentError(f"{file} is not JSON: did the command before it end early?") from None
