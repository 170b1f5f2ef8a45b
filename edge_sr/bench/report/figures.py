"""The figures of a variant that can be set against another's, under the names that ``--max-regress`` knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_sr.bench.report.numbers import fixed, significant
from edge_sr.bench.schema import LESS_IS_BETTER, Times, Variant

MS, DB, PER_S, MIB, JOULES, WATTS, GREY, NO_UNIT = "ms", "dB", "pictures/s", "MiB", "J", "W", "grey levels", ""
DIGITS = {DB: 2, GREY: 3, NO_UNIT: 4}  # behind the point; the others have three significant digits
TIME, COST, WORTH = "time", "cost", "quality"


@dataclass(frozen=True)
class Figure:
    """of: None where the variant does not have it. kind: TIME, COST (memory, energy) or WORTH (quality)."""

    name: str
    title: str
    unit: str
    kind: str
    more_is_better: bool
    of: Callable[[Variant], float | None]

    def told(self, value: float | None) -> str:
        return fixed(value, DIGITS[self.unit]) if self.unit in DIGITS else significant(value)

    def change(self, before: float, after: float) -> str:
        """A ratio; of quality, the difference: its zero means nothing."""
        if self.kind == WORTH:
            return fixed(after - before, DIGITS[self.unit], sign=True)
        return f"{after / before:.3f}x" if before else "–"


def _call(field: str, which: str = "latency") -> Callable[[Variant], float | None]:
    def of(variant: Variant) -> float | None:
        times: Times | None = getattr(variant, which)
        return None if times is None else getattr(times, field)

    return of


def _part(part: str, field: str) -> Callable[[Variant], float | None]:
    def of(variant: Variant) -> float | None:
        record = getattr(variant, part)
        return None if record is None else getattr(record, field)

    return of


def _score(metric: str) -> Callable[[Variant], float | None]:
    def of(variant: Variant) -> float | None:
        interval = variant.quality.metrics.get(metric) if variant.quality else None
        return None if interval is None else interval.mean

    return of


def _mean_shift(variant: Variant) -> float | None:
    """Brighter is as wrong as darker."""
    shift = _score("mean_shift")(variant)
    return None if shift is None else abs(shift)


def _against_float32(variant: Variant) -> float | None:
    against = variant.quality.against_float32 if variant.quality else None
    return None if against is None else against.psnr_db


def most_pictures_per_s(variant: Variant) -> float | None:
    return max((each.pictures_per_s for each in variant.throughput), default=None)


def _scored(name: str, title: str, unit: str, metric: str) -> Figure:
    return Figure(name, title, unit, WORTH, metric not in LESS_IS_BETTER, _score(metric))


FIGURES = (
    *(Figure(name, f"{name}, a picture in memory", MS, TIME, False, _call(f"{name}_ms")) for name in ("p50", "p90")),
    *(Figure(name, f"{name}, a picture in memory", MS, TIME, False, _call(f"{name}_ms")) for name in ("p95", "p99")),
    Figure("mean", "mean, a picture in memory", MS, TIME, False, _call("mean_ms")),
    Figure("file_p50", "p50, file to file", MS, TIME, False, _call("p50_ms", "file_latency")),
    Figure("file_p99", "p99, file to file", MS, TIME, False, _call("p99_ms", "file_latency")),
    Figure("outside", "outside the session", MS, TIME, False, lambda variant: variant.outside_session_ms),
    Figure("open", "opening the session", MS, TIME, False, _part("opening", "open_ms")),
    Figure("first_call", "first call", MS, TIME, False, _part("opening", "first_call_ms")),
    Figure("cold_start", "cold start", MS, TIME, False, _part("opening", "cold_start_ms")),
    Figure("throughput", "most pictures/s, by batch", PER_S, TIME, True, most_pictures_per_s),
    Figure("stream", "pictures/s, streamed", PER_S, TIME, True, lambda variant: variant.stream_pictures_per_s),
    Figure("peak", "peak memory", MIB, COST, False, _part("memory", "peak_mib")),
    Figure("steady", "steady memory", MIB, COST, False, _part("memory", "steady_mib")),
    Figure("joules", "energy a picture", JOULES, COST, False, _part("energy", "joules_per_picture")),
    Figure("power", "power", WATTS, COST, False, _part("energy", "power_w")),
    _scored("psnr", "PSNR", DB, "psnr_db"),
    _scored("ssim", "SSIM", NO_UNIT, "ssim"),
    _scored("haarpsi", "HaarPSI_MED", NO_UNIT, "haarpsi_med"),
    _scored("lpips", "LPIPS", NO_UNIT, "lpips"),
    _scored("lr_rmse", "LR-RMSE", GREY, "lr_rmse"),
    Figure("mean_shift", "mean shift, without its sign", GREY, WORTH, False, _mean_shift),
    Figure("fp32_psnr", "PSNR against float32", DB, WORTH, True, _against_float32),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
