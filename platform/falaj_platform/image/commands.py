"""`falaj image build | list | push`: the platform image, by digest."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The platform image: build it, list it, push it, always by digest.")

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


@app.command()
def build(json: _Json = False) -> None:
    """Build the image from its lock, or find it built."""
    from falaj_platform.image.build import build_image
    from falaj_site.home import falaj_home
    from falaj_site.progress import Console

    image = build_image(falaj_home(), Console())
    if json:
        typer.echo(image.model_dump_json(exclude={"key"}))
        return
    typer.echo(image.reference)
    state = "already built" if image.cached else f"built in {image.seconds:.0f} s"
    typer.echo(f"{state}, {image.size / 1e6:.0f} MB: {image.archive}", err=True)
    typer.echo(f"bill of materials: {image.bill}", err=True)


@app.command("list")
def list_(json: _Json = False) -> None:
    """List the images that a site or cluster needs, by digest."""
    from falaj_platform.image.inventory import images
    from falaj_site.home import falaj_home

    found = images(falaj_home())
    if json:
        import json as codec

        typer.echo(codec.dumps({"images": [image.model_dump(mode="json") for image in found]}))
        return
    for image in found:
        typer.echo(f"{image.reference or image.remedy}  ({image.name}: {image.use})")


@app.command()
def push(
    registry: Annotated[str, typer.Argument(help="Registry and path, as in registry.example.ae/ml.")],
    insecure: Annotated[bool, typer.Option("--insecure", help="Speak plain HTTP (loopback needs no flag).")] = False,
    json: _Json = False,
) -> None:
    """Push the built image to a registry; what is there already is not sent again."""
    from falaj_platform.image.registry import push_image
    from falaj_site.home import falaj_home
    from falaj_site.progress import Console

    pushed = push_image(falaj_home(), registry, insecure=insecure, progress=Console())
    if json:
        typer.echo(pushed.model_dump_json())
        return
    typer.echo(pushed.reference)
    typer.echo(f"{pushed.sent} of {pushed.blobs} blobs sent, {pushed.bytes_sent / 1e6:.0f} MB", err=True)


@app.command(hidden=True)
def lock() -> None:
    """Resolve the image's packages anew and write both lock files."""
    from falaj_platform.image.lock import write
    from falaj_site.progress import Console, step

    with step(Console(), "resolving packages"):
        counts = write()
    typer.echo(f"locked {counts['debian']} Debian packages and {counts['wheels']} wheels")
