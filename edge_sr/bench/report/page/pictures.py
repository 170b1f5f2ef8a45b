"""Before and after, and the variant against float32: PNG files, each in the page once, shown wherever they belong."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from html import escape

from edge_sr.bench.report.charts.tenths import tenths
from edge_sr.bench.report.numbers import fixed
from edge_sr.bench.schema import Panel, Report
from edge_sr.models import BICUBIC

_SIZE_AT = slice(16, 24)  # of a PNG file: width and height in its first chunk
ROLES = {"lr": "before: the LR picture, pixels repeated", "bicubic": "bicubic", "hr": "the HR picture"}


class Pictures:
    """The report's pictures under numbers of this page."""

    def __init__(self, report: Report) -> None:
        used = [name for panel in report.panels for name in panel.images.values() if name in report.pictures]
        self.small = {panel.images["lr"] for panel in report.panels if "lr" in panel.images}
        self.content = {name: report.pictures[name] for name in dict.fromkeys(used)}
        self.ids = {name: f"picture-{n}" for n, name in enumerate(self.content)}

    def definitions(self) -> str:
        """To stand once, before the first figure. Empty where there are no pictures."""
        images = "".join(self._image(name) for name in self.content)
        return f'<svg class="defs" aria-hidden="true"><defs>{images}</defs></svg>' if images else ""

    def _image(self, name: str) -> str:
        width, height = self._size(name)
        data = f"data:image/png;base64,{self.content[name]}"
        pixels = ' class="pixels"' if name in self.small else ""
        return f'<image{pixels} id="{self.ids[name]}" width="{width}" height="{height}" href="{data}"/>'

    def _size(self, name: str) -> tuple[int, int]:
        size = base64.b64decode(self.content[name][:64])[_SIZE_AT]
        width, height = struct.unpack(">II", size) if len(size) == 8 else (1, 1)  # cut off: shown as a blank
        return width, height

    def figure(self, name: str, caption: str) -> str:
        if name not in self.ids:
            return ""
        width, height = self._size(name)
        shown = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(caption, quote=True)}">'
        shown += f'<use href="#{self.ids[name]}"/></svg>'
        return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"


def before_and_after(report: Report, pictures: Pictures, titles: dict[str, str]) -> Iterator[str]:
    """A row a picture: what came in, bicubic, what each variant made of it, the truth."""
    bicubic = {variant.key for variant in report.variants if variant.model == BICUBIC}
    for picture in dict.fromkeys(panel.picture for panel in report.panels):
        panels = [panel for panel in report.panels if panel.picture == picture]
        images = {role: name for panel in panels for role, name in panel.images.items()}  # those that all share
        seen = bicubic if "bicubic" in images else set()
        made = [each for each in panels if "sr" in each.images and each.variant not in seen]
        row = [pictures.figure(images[role], ROLES[role]) for role in ("lr", "bicubic") if role in images]
        row += [pictures.figure(each.images["sr"], f"after: {titles[each.variant]}") for each in made]
        if "hr" in images:
            row.append(pictures.figure(images["hr"], ROLES["hr"]))
        yield f'<h3>{escape(picture)}</h3><div class="pictures">{"".join(row)}</div>'


def against_float32(report: Report, pictures: Pictures, titles: dict[str, str]) -> Iterator[str]:
    """A card a variant: float32, the variant, 8 times their difference; below, the shift of each tenth."""
    for n, variant in enumerate(report.variants, 1):
        against = variant.quality.against_float32 if variant.quality else None
        rows = "".join(_compared(each, pictures) for each in report.panels if each.variant == variant.key)
        if against is None and not rows:
            continue
        chart = ""
        if against is not None:
            title = f"Mean shift of {variant.title} against float32, by tenth of the grey levels"
            chart = tenths(against.shift_by_decile, name=f"tenths-{n}", title=title)
            psnr = "equal pictures" if against.psnr_db is None else f"{fixed(against.psnr_db, 2)} dB"
            shift = fixed(against.mean_shift.mean, 3, sign=True)
            chart += f'<p class="note">PSNR against float32: {psnr}; mean shift: {shift} grey levels of 255.</p>'
        yield f'<section class="card"><h3>{escape(titles[variant.key])}</h3>{rows}{chart}</section>'


def _compared(panel: Panel, pictures: Pictures) -> str:
    if "difference" not in panel.images:
        return ""
    captions = {"float32": "float32", "sr": "this variant", "difference": "8 x difference"}
    row = "".join(pictures.figure(panel.images[role], told) for role, told in captions.items() if role in panel.images)
    shift = "" if panel.mean_shift is None else f", mean shift {fixed(panel.mean_shift, 3, sign=True)} grey levels"
    return f'<p class="note">{escape(panel.picture)}{shift}</p><div class="pictures three">{row}</div>'
