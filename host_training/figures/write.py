"""All figures of an evaluation into its folder, and the page that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.roofline.cost import cost_of
from edge_sr.image.atomic import write_atomically
from edge_sr.image.png import write_png
from host_training.data.protocol import SCALE
from host_training.evaluation.tables import markdown_tables
from host_training.figures import style
from host_training.figures.architecture import bundles_of, cost_text, denoiser, overview
from host_training.figures.calibration import CLASSES, MEASURES, reliability, spread
from host_training.figures.markdown import split_at
from host_training.figures.page import page
from host_training.figures.parts import Drawing, Group, Part, Photograph, Section
from host_training.figures.quality import differences, quality, trade_off
from host_training.figures.results import Json, Results, bundles_at, first_scale, read_results
from host_training.figures.scales import by_scale
from host_training.figures.spectrum import spectrum
from host_training.figures.training import Training, curves, trainings_in, trainings_of
from host_training.figures.worst import gains

PAGE, FOLDER, SHEET = "index.html", "figures", "augmentation"
SHOWN = ("psnr_db", "haarpsi_med", "ssim", "lpips")
BY_SCALE = ("psnr_db", "haarpsi_med")
CURVES = (
    "Names are those of metrics.jsonl: 1, half and 0 stand for fidelity 1, 0.5 and 0. Figures of the validation split "
    "are those of the averaged weights, before rounding to 8 bit."
)
KINDS = {"panels": "Samples", "worst": "Worst cases"}  # pictures are called KIND-SET-BUNDLE


def write_figures(
    out: Path,
    *,
    runs: Sequence[Path] = (),
    pictures: Mapping[str, np.ndarray] | None = None,
    sheet: np.ndarray | None = None,
    bundles: Sequence[Path] = (),
) -> None:
    """Draw what ``out``, the folder of an evaluation, holds: index.html, figures/*.svg and *.png, replacing older ones.

    runs: folders with trainings, whose curves are shown; without any, those that a bundle carries. pictures: (H, W)
    uint8 by name, panels-SET-BUNDLE and worst-SET-BUNDLE. sheet: of the augmentation, (H, W) uint8, kept as
    augmentation.png. bundles: folders of the bundles that were measured; their networks are drawn. What is not there
    has a sentence in place of its figure. UsageError as ``read_results``; IntegrityError for a bundle
    that fails its own hashes.
    """
    results = read_results(out)
    opened = bundles_of(results.metrics, bundles)
    with style.applied():
        sections = [
            *sets(results, pictures or {}),
            models(results.metrics, opened),
            training(trainings_in(runs) if runs else carried(opened), sheet),
        ]
        results_of_others, conditions = published(results.metrics)
        sections.append(results_of_others)
        drawings = [part for section in sections for part in drawings_of(section)]
        svgs = {drawing.name: style.svg_of(drawing.figure) for drawing in drawings}
        pngs = {drawing.name: style.png_of(drawing.figure) for drawing in drawings}
    (out / FOLDER).mkdir(exist_ok=True)
    for name in svgs:
        write_atomically(out / FOLDER / f"{name}.svg", svgs[name].encode(), overwrite=True)
        write_atomically(out / FOLDER / f"{name}.png", pngs[name], overwrite=True)
    if sheet is not None:
        write_png(out / f"{SHEET}.png", sheet, text={}, overwrite=True)
    write_atomically(out / PAGE, page(results.metrics, sections, svgs, conditions).encode(), overwrite=True)


def drawings_of(section: Section) -> list[Drawing]:
    return [part for group in section.groups for part in group.parts if isinstance(part, Drawing)]


def sets(results: Results, pictures: Mapping[str, np.ndarray]) -> list[Section]:
    """A section a set; the text and the tables are those of tables.md."""
    texts = split_at("### ", markdown_tables(results.metrics))[1]
    sections = []
    for name in results.metrics["sets"]:
        before, tables = split_at("#### ", texts[name])
        after = "\n\n".join(f"#### {title}\n\n{text}" for title, text in tables.items())
        sections.append(Section(name, groups(results, name, pictures), before, after))
    return sections


def groups(results: Results, name: str, pictures: Mapping[str, np.ndarray]) -> list[Group]:
    """The figures of one set."""
    of_set = results.metrics["sets"][name]
    side, scale = first_scale(of_set)
    bundles = bundles_at(scale)
    shares = [spread(results, name, side, field) for field in MEASURES]
    classes = [reliability(name, key, entry) for key, entry in scale.get("spread", {}).items() if CLASSES in entry]
    return [
        Group(
            f"Quality, {int(side) // SCALE} to {side}",
            "Dot: mean over pictures. Bar: its interval. Dashed: bicubic. Only LPIPS is better when lower.",
            [*(quality(name, scale, metric) for metric in SHOWN), trade_off(name, scale)],
        ),
        Group(
            "Differences, picture by picture",
            "A bar that leaves out the dashed line at 0 is a difference, even where the rows' own intervals overlap.",
            [differences(name, scale, metric) for metric in SHOWN],
        ),
        Group(
            "Energy by frequency",
            "The energy of a row's pictures at each spatial frequency, divided by that of HR; 1 is right, less is "
            "smoother than the truth. Beyond the dashed line LR holds nothing.",
            [
                spectrum(name, at, of_set["scales"][at], key)
                for at in sorted(of_set["scales"], key=int)
                for key in bundles
            ],
        ),
        Group(
            "Gain by scale",
            "Gain over bicubic on the same patients when the whole picture is larger.",
            [by_scale(name, of_set, key, metric) for key in bundles for metric in BY_SCALE],
        ),
        Group(
            "Spread against error",
            "Seeds at fidelity 0. Specks are pictures. Left of the dashed line a model is surer than it may be.",
            [*shares, *classes],
        ),
        photographs("panels", name, bundles, pictures),
        photographs("worst", name, bundles, pictures, [gains(results, name, side, key) for key in bundles]),
    ]


def photographs(
    kind: str, of_set: str, bundles: Sequence[str], pictures: Mapping[str, np.ndarray], others: Sequence[Part] = ()
) -> Group:
    parts: list[Part] = list(others)
    for bundle in bundles:
        name = f"{kind}-{of_set}-{bundle}"
        if name in pictures:
            alt = f"Radiographs of {of_set}: LR, bicubic, {bundle} at fidelity 1 and 0, HR, and the error."
            parts.append(Photograph(name, bundle, alt, pictures[name]))
        else:
            parts.append(f"No pictures of {bundle}: {name}.png is not there.")
    return Group(KINDS[kind], "", parts)


def models(record: Json, opened: Mapping[str, Bundle]) -> Section:
    """Every bundle's chain, and every denoiser once."""
    chains: list[Part] = []
    nets: dict[str, Part] = {}
    for key, of_bundle in record["bundles"].items():
        if key in opened and "denoiser" not in opened[key].manifest.networks:
            network = onnx.load(str(opened[key].path("generator")))
            chains.append(f"{key} is one network, run once: {cost_text(cost_of(network))}.")
        elif key in opened:
            chains.append(overview(key, opened[key], of_bundle))
            sha256 = opened[key].manifest.networks["denoiser"].sha256
            nets.setdefault(sha256, denoiser(key, opened[key]))
        else:
            chains.append(f"No drawing of {key}: its bundle was not named; edge-sr-host figures takes --bundle.")
    text = (
        "Read from the ONNX files. GMAC: 10^9 multiply-accumulates of one tile. In the denoiser each line is a "
        "convolution, its kernel and its channels in and out; dashed arrows there are skip connections."
    )
    return Section("Model", [Group("Overview and denoiser", text, [*chains, *nets.values()])])


def training(shown: Iterable[Training], sheet: np.ndarray | None) -> Section:
    """The curves of each, and what was fed to them."""
    courses = [Group(f"Training of {each.name}", "", curves(each)) for each in shown]
    absent = "No training curves: no metrics.jsonl was found and no bundle carries a record."
    fed: Part = "No augmentation sheet: augmentation.png is not there."
    if sheet is not None:
        alt = "Training pictures, what the augmentation makes of them, and LR made from that."
        fed = Photograph(SHEET, "Augmentation sheet", alt, sheet)
    shown_groups = [*(courses or [Group("Curves", "", [absent])]), Group("Augmentation", "", [fed])]
    return Section("Training", shown_groups, before=CURVES if courses else "")


def carried(opened: Mapping[str, Bundle]) -> list[Training]:
    """The record of the first bundle that carries one."""
    return next((found for bundle in opened.values() if (found := trainings_of(bundle))), [])


def published(record: Json) -> tuple[Section, str]:
    """The table of the published results, and the text behind it, which is about the conditions of ours."""
    texts = split_at("### ", markdown_tables(record))[1]
    title, text = next((title, text) for title, text in texts.items() if title not in record["sets"])
    blocks = text.strip().split("\n\n")
    table, rest = (
        "\n\n".join(block for block in blocks if block.startswith("|") == wanted) for wanted in (True, False)
    )
    name, _, note = title.partition(": ")
    return Section(name, before=f"{note.capitalize()}.", after=table), rest
