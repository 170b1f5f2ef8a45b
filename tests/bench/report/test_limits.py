from __future__ import annotations

import pytest

from edge_sr.bench.report import parse_limits
from edge_sr.errors import UsageError


def test_limits_are_read() -> None:
    limits = parse_limits("p50=5%, psnr=0.05dB,cold_start=30ms,ssim=0.002,peak=8MiB")
    assert {name: str(limit) for name, limit in limits.items()} == {
        "p50": "5 %",
        "psnr": "0.05 dB",
        "cold_start": "30 ms",
        "ssim": "0.002",
        "peak": "8 MiB",
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("p5=5%", "no figure is named 'p5'"),
        ("p50", "cannot read 'p50'"),
        ("", "cannot read ''"),
        ("p50=-5%", "cannot read"),
        ("p50=1.2.3ms", "cannot read"),
        ("p50=5%,p50=6%", "p50 stands twice"),
        ("p50=0.1dB", "p50 has no unit 'dB'"),
        ("ssim=1ms", "ssim has no unit 'ms'"),
    ],
)
def test_slips_of_the_pen_are_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="--max-regress") as caught:
        parse_limits(text)
    assert told in str(caught.value)


def test_a_near_name_is_proposed() -> None:
    with pytest.raises(UsageError, match="try: psnr=0.1dB"):
        parse_limits("psnrr=0.1dB")


@pytest.mark.parametrize(
    ("text", "baseline", "now", "allowed"),
    [
        ("p50=5%", 2.0, 2.1, True),
        ("p50=5%", 2.0, 2.11, False),
        ("p50=5%", 2.0, 1.0, True),
        ("psnr=0.05dB", 34.0, 33.95, True),
        ("psnr=0.05dB", 34.0, 33.94, False),
        ("psnr=0.05dB", 34.0, 40.0, True),
        ("lpips=0.01", 0.2, 0.22, False),
        ("stream=10%", 100.0, 89.0, False),
        ("p50=0%", 2.0, 2.0, True),
    ],
)
def test_only_the_worse_direction_counts(text: str, baseline: float, now: float, allowed: bool) -> None:
    (limit,) = parse_limits(text).values()
    assert limit.allows(baseline, now) is allowed
