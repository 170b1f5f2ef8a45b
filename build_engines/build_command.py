"""``edge-sr build``: engines of a bundle for this machine, each checked before anybody can run it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from build_engines.build import Built, Request, build
from build_engines.check.pictures import CALIBRATION_PHANTOMS, CHECK_PHANTOMS, build_pictures, truth_pictures
from build_engines.lint.tensorrt_versions import VERSIONS
from build_engines.lint_only import lint_report
from build_engines.makers import MAKERS
from build_engines.targets.by_name import BACKENDS, target_of
from calibration.choose import AUTO, METHOD_CHOICES
from edge_sr.artifacts.bundle import Bundle, bundle_folder
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_folder import cache_to_write
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.cli.exit_codes import DONE, SOME_INPUTS_FAILED
from edge_sr.cli.lazy_group import examples


@click.command(
    "build",
    epilog=examples(
        "edge-sr build --precision int8                    for what this machine runs networks with",
        "edge-sr build --precision auto --steps 4          the fastest of float32, FP16 and INT8 that passes",
        "edge-sr build --precision int8 --images scans     checked on your LR pictures too",
        "edge-sr build my-bundle --precision fp16 --backend tensorrt --batch 8",
        "edge-sr build --precision int8 --lint-only        what TensorRT would say to the graph; needs no GPU",
    ),
)
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--precision", type=click.Choice(list(MAKERS)), default="auto", show_default=True)
@click.option("--backend", type=click.Choice(BACKENDS), help="[default: tensorrt where there is a GPU]")
@click.option("--steps", type=click.IntRange(min=1), help="Denoising steps.  [default: the bundle's]")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="[default: the bundle's]")
@click.option(
    "--batch", type=click.IntRange(1, 64), default=8, show_default=True, help="Most tiles a call of TensorRT."
)
@click.option(
    "--calibration",
    "table",
    type=click.Path(path_type=Path),
    help="A table that edge-sr calibrate wrote.  [default: the bundle's]",
)
@click.option("--recalibrate", is_flag=True, help="Find the ranges anew, on phantoms and --images.")
@click.option("--method", type=click.Choice(METHOD_CHOICES), default=AUTO, show_default=True, help="Of --recalibrate.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of LR pictures to check on as well.")
@click.option(
    "--truth", type=click.Path(path_type=Path), help="Folder of HR pictures: also check what is lost against these."
)
@click.option(
    "--check-phantoms",
    type=click.IntRange(0, 1000),
    help=f"Synthetic pictures to check on.  [default: {CHECK_PHANTOMS}, fewer where one takes seconds]",
)
@click.option(
    "--calibration-phantoms",
    type=click.IntRange(0, 1000),
    help=f"And to find ranges on, where no table fits.  [default: {CALIBRATION_PHANTOMS}, likewise]",
)
@click.option(
    "--high",
    multiple=True,
    metavar="TENSOR",
    help="Keep the convolution that writes it, or has it as weight, out of INT8; or a network, such as decoder.",
)
@click.option(
    "--workspace", type=click.IntRange(min=1), default=1024, show_default=True, help="MiB that TensorRT may use."
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option("--force", is_flag=True, help="Build although there is such an engine.")
@click.option(
    "--lint-only", is_flag=True, help="Compose, quantise for TensorRT, hold the graph against its rules, and stop."
)
@click.option("--tensorrt", "version", type=click.Choice(list(VERSIONS)), help="Of --lint-only.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, notes on stderr.")
def build_command(
    bundle: Path | None,
    precision: str,
    backend: str | None,
    steps: int | None,
    sampler: str | None,
    batch: int,
    table: Path | None,
    recalibrate: bool,
    method: str,
    images: Path | None,
    truth: Path | None,
    check_phantoms: int | None,
    calibration_phantoms: int | None,
    high: tuple[str, ...],
    workspace: int,
    threads: int | None,
    force: bool,
    lint_only: bool,
    version: str | None,
    as_json: bool,
) -> int:
    """Make engines of BUNDLE (the one that ships, if none is named) for this machine.

    Each is held against the float32 graph on pictures before it is published; one that strays too far is not, and the
    command exits 4 with the layers that hurt. `edge-sr run` then takes the fastest engine by itself.
    """
    chain = chain_of(Bundle.open(bundle_folder(bundle)), sampler=sampler, steps=steps)
    manifest = chain.bundle.manifest

    def tell(line: str) -> None:
        click.echo(line, err=as_json)

    pictures = build_pictures(
        manifest,
        images,
        phantoms=check_phantoms,
        calibration_phantoms=calibration_phantoms,
        skipped=lambda fault: click.echo(f"skipped: {fault}", err=True),
    )
    if lint_only:
        passed, lines = lint_report(
            chain,
            precision,
            pictures,
            version=version,
            as_json=as_json,
            high=high,
            table=table,
            recalibrate=recalibrate,
            method=method,
            threads=threads,
        )
        click.echo("\n".join(lines))
        return DONE if passed else SOME_INPUTS_FAILED
    cache = cache_to_write()
    target = target_of(backend, cache=cache, batch=batch, workspace_mib=workspace, threads=threads)
    request = Request(
        chain=chain,
        precision=precision,
        target=target,
        cache=cache,
        pictures=pictures,
        table=table,
        recalibrate=recalibrate,
        method=method,
        high=high,
        truth=truth_pictures(truth, manifest) if truth else None,
        threads=threads,
        force=force,
    )
    tell(f"{manifest.name} {manifest.version}, {chain}: {precision} for {target.flavour} {target.backend.version}")
    _show(build(request, tell=tell), as_json=as_json)
    return DONE


def _show(built: Built, *, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {"fresh": built.fresh, "folder": str(built.entry.folder), **built.entry.manifest.to_json()}, indent=2
            )
        )
        return
    click.echo(f"{'published' if built.fresh else 'built already'}: {built.entry.folder}")
    if built.entry.manifest.simulated:
        click.echo("simulated: no TensorRT was there; nothing above is a measurement")
