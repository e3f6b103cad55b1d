"""The platform engineer's commands, added to `falaj` by the entry point `platform`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the platform's commands; each loads its work only when it runs."""
    from falaj_platform.check.commands import check
    from falaj_platform.image.commands import app as image
    from falaj_platform.pipelines.commands import comment
    from falaj_platform.quickstart.commands import down, quickstart

    app.add_typer(image, name="image")
    app.command("check")(check)
    app.command("quickstart")(quickstart)
    app.command("down")(down)
    app.command("comment")(comment)
