"""What an evaluation was asked for: bundles, sets, scales, and the networks that the bundles are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError
from host_training.data.protocol import HR_SIDE, SCALE
from host_training.evaluation.candidates import Candidate, candidates

BASELINES = Path(__file__).resolve().parents[2] / "benchmarks" / "baselines"
REGRESSION, HR_ENCODER = "regression.onnx", "hr_encoder.onnx"
LPIPS = Path("lpips") / "lpips_squeeze_v0.1.onnx"  # in the data folder
SCALES = (HR_SIDE, 512)  # where none are asked for; the larger for the first bundle only


@dataclass(frozen=True)
class Request:
    """What is to be measured, and with what. data_dir: None where every set is a prepared store.

    scales: sides of HR; None takes ``SCALES`` as far as the stored pictures reach. limit: pictures a set, spread
    evenly; None takes all. seeds: of the spread; 0 leaves it out.
    """

    given: Sequence[Candidate]
    sets: Sequence[str]
    data_dir: Path | None
    regression: Path | None
    lpips: Path | None
    scales: Sequence[int] | None = None
    limit: int | None = None
    seeds: int = 8
    threads: int | None = None

    def backend(self) -> OnnxRuntime:
        """As the product runs it, one session at a time."""
        return OnnxRuntime(self.threads)

    def quiet_backend(self) -> OnnxRuntime:
        """For several open sessions: an idle one must not slow the rest."""
        return OnnxRuntime(self.threads, spinning=False)


def request(
    bundles: Sequence[str],
    *,
    data_dir: Path | None,
    sets: Sequence[str],
    baselines: Path | None = None,
    hr_encoders: Mapping[str, Path] | None = None,
    lpips: Path | None = None,
    scales: Sequence[int] | None = None,
    limit: int | None = None,
    seeds: int = 8,
    threads: int | None = None,
) -> Request:
    """Find what was named; UsageError where it is not there or cannot be measured.

    baselines: a folder whose hr_encoder.onnx is the first bundle's; None takes ``BASELINES``, where it is the default
    bundle's. Any other bundle with the same decoder has the same ceiling. hr_encoders: of others, by bundle key.
    lpips: None takes the one in the data folder, if there is one.
    """
    given = candidates(bundles, OnnxRuntime(threads))
    if scales is not None and any(scale < HR_SIDE or scale % SCALE for scale in scales):
        raise UsageError(f"scales {', '.join(map(str, scales))}", expected=f"multiples of {SCALE} from {HR_SIDE} on")
    if lpips is None and data_dir is not None:
        lpips = data_dir / LPIPS
    owner = given[0].bundle if baselines else Bundle.open(default_bundle())
    folder = baselines or BASELINES
    return Request(
        _with_hr_encoders(given, folder / HR_ENCODER, owner, hr_encoders or {}),
        sets,
        data_dir,
        existing(folder / REGRESSION),
        existing(lpips),
        scales,
        limit,
        seeds,
        threads,
    )


def existing(path: Path | None) -> Path | None:
    return path if path is not None and path.is_file() else None


def _with_hr_encoders(
    given: Sequence[Candidate], common: Path, owner: Bundle, named: Mapping[str, Path]
) -> list[Candidate]:
    """common: the encoder of every bundle that has the decoder of ``owner``."""
    keys = [candidate.key for candidate in given]
    for key in named:
        if key not in keys:
            raise UsageError(f"no bundle is called {key}", where="--hr-encoder", expected=", ".join(keys))
    return [
        replace(
            candidate,
            hr_encoder=named.get(candidate.key)
            or (existing(common) if _decoder(candidate.bundle) == _decoder(owner) else None),
        )
        for candidate in given
    ]


def _decoder(bundle: Bundle) -> str:
    """Latents of one decoder are no other's: its sha256; "" where there is none."""
    decoder = bundle.manifest.networks.get("decoder")
    return "" if decoder is None else decoder.sha256
