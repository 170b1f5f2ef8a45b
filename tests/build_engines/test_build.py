"""A build as a library has it: what decides which engine it is, and what is told and kept of how it was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines import build as module
from build_engines.build import Built, Log, Request, build, report
from build_engines.candidate import Candidate
from build_engines.check.accuracy import Verdict
from build_engines.check.comparison import FidelityRow, TruthRow
from build_engines.check.pictures import build_pictures
from build_engines.check.polygraphy import TensorError
from build_engines.makers import Made
from build_engines.targets.onnxrt import OnnxRuntimeTarget
from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_folder import cache_to_write
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import AccuracyError

Build = Callable[..., Built]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def built(tiny: Bundle, quick: None, told: list[str]) -> Build:
    """A build of the tiny bundle on one phantom."""

    def call(*, precision: str = "fp32", steps: int = 1, threads: int = 1, force: bool = False) -> Built:
        request = Request(
            chain=chain_of(tiny, steps=steps),
            precision=precision,
            target=OnnxRuntimeTarget(OnnxRuntime(threads, spinning=False)),
            cache=cache_to_write(),
            pictures=build_pictures(tiny.manifest, phantoms=1),
            threads=threads,
            force=force,
        )
        return build(request, tell=told.append)

    return call


def test_the_engine_is_named_by_everything_that_it_depends_on(built: Build, tiny: Bundle) -> None:
    entry = built(steps=2).entry
    key, chain = entry.key, chain_of(tiny, steps=2)
    assert (key.chain_sha256, key.sampler, key.steps, key.roles) == (chain.sha256, "ddim", 2, ("upscale",))
    assert (key.precision, key.tile, key.calibration_sha256) == ("fp32", 64, "")
    assert key.machine == OnnxRuntimeTarget(OnnxRuntime()).machine
    assert asdict(entry.manifest.bundle) == {"name": "tiny", "version": "0.0.1", "sha256": tiny.sha256}


def test_the_number_of_threads_makes_no_other_engine(built: Build) -> None:
    first = built(threads=1)
    second = built(threads=2)
    assert first.fresh and not second.fresh and second.entry == first.entry


def test_force_makes_it_anew(built: Build) -> None:
    assert [built().fresh, built().fresh, built(force=True).fresh] == [True, False, True]


def test_what_it_told_is_kept_beside_the_engine(built: Build, told: list[str]) -> None:
    entry = built().entry
    assert told[0].startswith("composed: upscale of ") and told[-1].startswith("time: fp32 ")
    assert (entry.folder / "build.log").read_text().splitlines() == told
    assert not (entry.folder / "work").exists()
    assert entry.engines() == {"upscale": entry.folder / "upscale.engine"}


def test_a_tensor_that_cannot_be_compared_keeps_it_from_being_published(
    built: Build, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = TensorError("sr", 0.0, 0.0, 0.0, 0.0, "it holds NaN or Inf")
    monkeypatch.setattr(module, "check_tensors", lambda bench, candidate: {"upscale": [broken]})
    with pytest.raises(AccuracyError, match="tiny, ddim, 1 step, fp32: fails the accuracy check: sr: it holds NaN"):
        built()
    assert [path.name for path in engine_cache.iterdir()] == [".lock"]


def test_its_timings_are_side_by_side_with_float32(built: Build) -> None:
    timings = built(precision="fp16").entry.manifest.timings
    (p50_ms,) = timings["p50_ms"].values()  # type: ignore[attr-defined]
    assert timings["speedup"] == pytest.approx(timings["reference_p50_ms"] / p50_ms, rel=0.05)  # type: ignore[operator]


ROW = FidelityRow(0.5, 24, 52.345, 50.04, 3, 0.0123, finite=True, constant=False)
TRUTH = TruthRow(0.5, 24, {"psnr_db": 30.0, "ssim": 0.9}, {"psnr_db": 29.95, "ssim": 0.901})


def made(p50_ms: dict[str, float]) -> Made:
    return Made(Candidate("int8", {}, {}, {}, Verdict((ROW,), (TRUTH,))), p50_ms)


def test_the_report_says_what_was_checked_and_timed() -> None:
    assert list(report(made({"reference": 12.0, "int8": 4.0}))) == [
        "check at fidelity 0.5: 52.3 dB to float32 (gate 48), worst picture 50.0 dB, mean shift 0.012 (gate 0.25)",
        "against 24 HR pictures at fidelity 0.5: psnr_db -0.0500, ssim +0.0010",
        "time: int8 4.00 ms, float32 12.00 ms: 3.00 times as fast",
    ]


def test_of_several_it_says_which_one_is_kept() -> None:
    lines = list(report(made({"reference": 12.0, "fp32": 12.0, "int8": 4.0})))
    assert lines[-2:] == [
        "time: fp32 12.00 ms, float32 12.00 ms: 1.00 times as fast",
        "time: int8 4.00 ms, float32 12.00 ms: 3.00 times as fast (kept)",
    ]


def test_a_log_tells_on() -> None:
    told: list[str] = []
    log = Log(told.append)
    log("one")
    log("two")
    assert told == log.lines == ["one", "two"]
