"""``edge-sr bench``: every variant side by side in one run, and runs against each other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_sr.cli.bench_options import several, sizes
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.model_options import BACKENDS, PRECISIONS, PROVIDERS, SAMPLERS
from edge_sr.errors import RegressionError, UsageError

if TYPE_CHECKING:
    from edge_sr.bench.report import Limits
    from edge_sr.bench.schema import Report

REPORT = "report"  # the first word of the other command
QUICK = {"minutes": 0.3, "rounds": 3, "cold_starts": 2}  # as edge_sr.bench.plan; a test holds the two together
PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


class BenchCommand(click.Command):
    """``bench [BUNDLE...]``, and ``bench report``, which is a command of its own."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> click.Context:
        if args[:1] == [REPORT]:
            return report_command.make_context(f"{info_name} {REPORT}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(
    cls=BenchCommand,
    epilog=examples(
        "edge-sr bench                                       what ships, in float32 and INT8, beside bicubic",
        "edge-sr bench --quick --out bench.json --html bench.html",
        "edge-sr bench default --precision fp32,int8 --steps 1,4 --threads 1,2",
        "edge-sr bench --quality scans/ --out bench.json     PSNR, SSIM, HaarPSI_MED ... of HR pictures too",
        "edge-sr bench --roofline orin-nano-8gb-15w          the least time that a board would need",
        "edge-sr bench --baseline bench.json --max-regress p50=5%,psnr=0.05dB",
        "edge-sr bench report a.json b.json                  two runs against each other",
    ),
)
@click.argument("bundles", metavar="[BUNDLE]...", nargs=-1)
@click.option(
    "--precision",
    callback=several(click.Choice(PRECISIONS)),
    metavar="fp32,int8,...",
    help="Of auto, fp32, fp16, int8.  [default: fp32,int8]",
)
@click.option(
    "--backend",
    callback=several(click.Choice(BACKENDS)),
    metavar="NAME,...",
    help="tensorrt, onnxruntime.  [default: the faster one]",
)
@click.option("--provider", type=click.Choice(PROVIDERS), help="What ONNX Runtime computes on; as of edge-sr run.")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="[default: the bundle's]")
@click.option("--steps", callback=several(click.INT), metavar="K,...", help="Denoising steps.  [default: the bundle's]")
@click.option(
    "--threads", callback=several(click.IntRange(min=1)), metavar="N,...", help="[default: one a core, 8 at most]"
)
@click.option(
    "--size", callback=sizes, metavar="SIZE,...", help="LR pixels, as 64 or 320x240.  [default: the bundle's tile]"
)
@click.option(
    "--batch", callback=several(click.IntRange(1, 256)), metavar="N,...", help="Of the throughput.  [default: 1,2,4,8]"
)
@click.option("--minutes", type=click.FloatRange(0.01, 600), help="Of timing, all variants together.  [default: 2]")
@click.option("--rounds", type=click.IntRange(1, 1000), help="Turns of each variant in that time.  [default: 10]")
@click.option("--cold-starts", type=click.IntRange(0, 100), help="Processes for each; 0 for none.  [default: 5]")
@click.option("--quick", is_flag=True, help="The same as --minutes 0.3 --rounds 3 --cold-starts 2.")
@click.option("--quality", type=FOLDER, metavar="FOLDER", help="HR pictures, to judge what is made of their LR.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Pictures of it, spread evenly.")
@click.option(
    "--hr-side",
    type=click.IntRange(0, 8192),
    default=256,
    show_default=True,
    help="Their smaller side, by area averaging; 0 leaves them as they are.",
)
@click.option("--lpips", type=FILE, metavar="FILE.onnx", help="LPIPS network.  [default: one beside the pictures]")
@click.option("--roofline", callback=several(click.STRING), metavar="DEVICE,...", help="Boards' names, or this-cpu.")
@click.option("--out", type=PATH, metavar="FILE.json", help="Everything that was found; what the others are made of.")
@click.option("--markdown", "markdown_file", type=PATH, metavar="FILE.md", help="Tables.  [default: to stdout]")
@click.option("--html", "html_file", type=PATH, metavar="FILE.html", help="One page that loads nothing.")
@click.option("--overwrite", is_flag=True, help="Replace those files where they exist.")
@click.option("--json", "as_json", is_flag=True, help="The document of --out on stdout.")
@click.option("--baseline", type=FILE, metavar="FILE.json", help="An earlier run; the difference is told.")
@click.option("--max-regress", metavar="p50=5%,...", help="Exit 6 where a figure is worse than the baseline's by more.")
def bench(
    bundles: tuple[str, ...],
    precision: tuple[str, ...] | None,
    backend: tuple[str, ...] | None,
    provider: str | None,
    sampler: str | None,
    steps: tuple[int, ...] | None,
    threads: tuple[int, ...] | None,
    size: tuple[tuple[int, int], ...] | None,
    batch: tuple[int, ...] | None,
    minutes: float | None,
    rounds: int | None,
    cold_starts: int | None,
    quick: bool,
    quality: Path | None,
    limit: int,
    hr_side: int,
    lpips: Path | None,
    roofline: tuple[str, ...] | None,
    out: Path | None,
    markdown_file: Path | None,
    html_file: Path | None,
    overwrite: bool,
    as_json: bool,
    baseline: Path | None,
    max_regress: str | None,
) -> None:
    """Measure latency, throughput, memory, power and quality of every variant in one run.

    BUNDLE is default, fast, bicubic or a bundle folder; without any, what ships and bicubic. Options with commas
    multiply: every combination is a variant. One whose engine is not built is left out, with what to type for it.
    Variants take turns, so that whatever else the machine does falls on all alike.
    """
    from edge_sr.bench.plan import DEFAULT_MINUTES, DEFAULT_ROUNDS, DEFAULT_STARTS, Plan
    from edge_sr.bench.run import bench as run_bench
    from edge_sr.bench.variants import PRECISIONS as USUAL
    from edge_sr.bench.variants import Wish, default_models

    files = {"--out": out, "--markdown": markdown_file, "--html": html_file}
    _refuse_taken(files.values(), overwrite=overwrite)
    before, limits = _baseline(baseline, max_regress)
    lengths = QUICK if quick else {"minutes": DEFAULT_MINUTES, "rounds": DEFAULT_ROUNDS, "cold_starts": DEFAULT_STARTS}
    given = {"minutes": minutes, "rounds": rounds, "cold_starts": cold_starts}
    lengths = {**lengths, **{name: value for name, value in given.items() if value is not None}}
    wish = Wish(
        models=bundles or default_models(),
        precisions=precision or USUAL,
        backends=backend or (None,),
        steps=steps or (None,),
        threads=threads or (None,),
        sizes=size or (None,),
        sampler=sampler,
        provider=provider,
    )
    plan = Plan(
        minutes=float(lengths["minutes"]),
        rounds=int(lengths["rounds"]),
        cold_starts=int(lengths["cold_starts"]),
        batches=batch or Plan.batches,
        quality=quality,
        limit=limit,
        hr_side=hr_side,
        lpips=_lpips(lpips, quality),
        roofline=roofline or (),
    )
    report = run_bench(wish, plan, tell=_tell)
    _write(report, out, markdown_file, html_file)
    _show(report, as_json=as_json, quiet=markdown_file is not None)
    if before is not None and baseline is not None:
        _judge(before, report, limits, (baseline.name, "now"))


@click.command(
    epilog=examples(
        "edge-sr bench report bench.json --html bench.html     the page of a run, anew",
        "edge-sr bench report a.json b.json                    b against a",
        "edge-sr bench report a.json b.json --max-regress p50=5%,psnr=0.05dB",
    )
)
@click.argument("files", metavar="A.json [B.json]", nargs=-1, required=True, type=FILE)
@click.option("--markdown", "markdown_file", type=PATH, metavar="FILE.md", help="Instead of text on stdout.")
@click.option("--html", "html_file", type=PATH, metavar="FILE.html", help="The page of one run.")
@click.option("--overwrite", is_flag=True, help="Replace those files where they exist.")
@click.option("--max-regress", metavar="p50=5%,...", help="Exit 6 where a figure of B is worse than A's by more.")
def report_command(
    files: tuple[Path, ...],
    markdown_file: Path | None,
    html_file: Path | None,
    overwrite: bool,
    max_regress: str | None,
) -> None:
    """Tell one run again, or two against each other."""
    from edge_sr.bench.report import compare
    from edge_sr.bench.schema import read_report

    if len(files) > 2:
        raise UsageError(f"got {len(files)} files", where=f"bench {REPORT}", expected="one or two")
    _refuse_taken([markdown_file, html_file], overwrite=overwrite)
    reports = [read_report(path) for path in files]
    if len(reports) == 1:
        if max_regress is not None:
            raise UsageError("needs a second run", where="--max-regress", hint="edge-sr bench report a.json b.json")
        _write(reports[0], None, markdown_file, html_file)
        _show(reports[0], as_json=False, quiet=markdown_file is not None or html_file is not None)
        return
    if html_file is not None:
        raise UsageError("is the page of one run", where="--html", hint="--markdown FILE.md for a comparison")
    _, limits = _baseline(files[0], max_regress)
    if markdown_file is not None:
        _save(markdown_file, compare(*reports, names=(files[0].name, files[1].name)).markdown())
    _judge(reports[0], reports[1], limits, (files[0].name, files[1].name))


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _refuse_taken(paths: Iterable[Path | None], *, overwrite: bool) -> None:
    """Before minutes of measuring rather than after."""
    for path in paths:
        if path is not None and path.exists() and not overwrite:
            raise UsageError("exists", where=path, hint="--overwrite, or another name")


def _baseline(path: Path | None, max_regress: str | None) -> tuple[Report | None, Limits]:
    """Read before anything is measured, so that a slip of the pen costs no minutes."""
    if path is None:
        if max_regress is not None:
            raise UsageError("has nothing to compare with", where="--max-regress", hint="--baseline FILE.json")
        return None, {}
    from edge_sr.bench.report import parse_limits
    from edge_sr.bench.schema import read_report

    return read_report(path), {} if max_regress is None else parse_limits(max_regress)


def _lpips(given: Path | None, folder: Path | None) -> Path | None:
    if folder is None:
        if given is not None:
            raise UsageError("has no pictures to judge", where="--lpips", hint="--quality FOLDER")
        return None
    from edge_sr.bench.quality import find_lpips

    return find_lpips(given, folder)


def _write(report: Report, out: Path | None, markdown_file: Path | None, html_file: Path | None) -> None:
    """bench.json first: the others can be made of it."""
    from edge_sr.bench.report import html, markdown
    from edge_sr.bench.schema import write_report

    if out is not None:
        write_report(out, report)
        _written(out, report)
    if markdown_file is not None:
        _save(markdown_file, markdown(report))
        _written(markdown_file, report)
    if html_file is not None:
        _save(html_file, html(report))
        _written(html_file, report)


def _save(path: Path, text: str) -> None:
    from edge_sr.image.atomic import write_atomically

    write_atomically(path, text.encode(), overwrite=True)


def _written(path: Path, report: Report) -> None:
    _tell(f"{'SIMULATED ' if report.simulated else ''}written: {path}")


def _show(report: Report, *, as_json: bool, quiet: bool) -> None:
    from edge_sr.bench.report import markdown

    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    elif not quiet:
        click.echo(markdown(report))


def _judge(before: Report, now: Report, limits: Limits, names: tuple[str, str]) -> None:
    """What changed; RegressionError where that is more than the limits allow."""
    from edge_sr.bench.report import compare, regressions

    click.echo(compare(before, now, names=names).text(), nl=False)
    if limits and (found := regressions(before, now, limits)):
        told = "".join(f"\n  {each}" for each in found)
        raise RegressionError(f"{len(found)} of the figures are worse than allowed{told}", where=names[0])
