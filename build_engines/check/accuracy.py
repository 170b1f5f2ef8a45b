"""Is a candidate good enough to be published? The gates, and the verdict that holds the measurements against them.

``end_to_end`` needs no ground truth, so a device can do it; ``against_truth`` is done where the held-out pictures are.
``judge`` holds both against the gates; a verdict that failed says what to change (``Verdict.blaming``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from build_engines.check.comparison import FIDELITIES, FidelityRow, TruthRow, against_truth, end_to_end
from edge_sr.errors import AccuracyError

__all__ = [
    "FIDELITIES",
    "GATES",
    "Culprit",
    "FidelityRow",
    "Gates",
    "TruthRow",
    "Verdict",
    "against_truth",
    "end_to_end",
    "judge",
]

FLAGS = {  # what to type where this precision failed
    "int8": "--precision auto, which keeps the worst layers high, or edge-sr calibrate --images with pictures of yours",
    "auto": "--precision fp16",
    "fp16": "--precision fp32",
}


@dataclass(frozen=True)
class Gates:
    """psnr_db: at least, over all pictures of a fidelity. mean_shift: at most, of any picture, in grey levels of 255.

    truth_*: how far a mean over pictures may move, up or down, against what float32 reaches.
    """

    psnr_db: float = 48.0
    mean_shift: float = 0.25
    truth_psnr_db: float = 0.10
    truth_ssim: float = 0.002
    truth_haarpsi_med: float = 0.005


GATES = Gates()


@dataclass(frozen=True)
class Culprit:
    """A convolution, by the tensor it writes, that a candidate fares better without.

    won_db: what the candidate's PSNR wins where it is kept high. psnr_db: what it then is.
    local_db: signal to noise of its own output, the inputs being right; None where nobody looked.
    along: those that were kept high with it, as they hold the same grid.
    layers: where it is a whole network, by its name, how many convolutions that has in INT8.
    """

    convolution: str
    won_db: float
    psnr_db: float
    local_db: float | None = None
    along: tuple[str, ...] = ()
    layers: int = 0

    def __str__(self) -> str:
        if self.layers:
            what = f"keeping its {self.layers} convolutions high wins {self.won_db:.1f} dB"
            return f"{self.convolution}: {what} (--high {self.convolution})"
        others = f" and the {len(self.along)} on its grids" if self.along else ""
        return f"{self.convolution}: keeping it{others} high wins {self.won_db:.1f} dB"


@dataclass(frozen=True)
class Verdict:
    """reasons: a sentence for every gate that does not hold. culprits, hint: what to change, where that was found."""

    rows: tuple[FidelityRow, ...]
    truth: tuple[TruthRow, ...] = ()
    reasons: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    hint: str = ""

    @property
    def passed(self) -> bool:
        return not self.reasons

    @property
    def psnr_db(self) -> float:
        """At the fidelity that fares worst."""
        return min(row.psnr_db for row in self.rows)

    def blaming(self, culprits: Iterable[Culprit], *, precision: str) -> Verdict:
        """The same with the layers that hurt and the flag that would help a build of this precision."""
        return replace(self, culprits=tuple(culprits), hint=FLAGS.get(precision, ""))

    def error(self, where: object) -> AccuracyError:
        """What to raise for a verdict that failed. where: the candidate, in words."""
        layers = "".join(f"\n  {each}" for each in self.culprits)
        what = "fails the accuracy check: " + "; ".join(self.reasons) + layers
        return AccuracyError(what, where=where, hint=self.hint)

    def to_json(self) -> dict[str, object]:
        """Plain values, all numbers finite."""
        return {"passed": self.passed, **asdict(self)}


def judge(
    rows: Iterable[FidelityRow],
    truth: Iterable[TruthRow] = (),
    *,
    gates: Gates = GATES,
    faults: Iterable[str] = (),
) -> Verdict:
    """Every gate on every row. faults: what else rules a candidate out, see ``polygraphy.faults``."""
    rows, truth = tuple(rows), tuple(truth)
    reasons = [*faults, *(reason for row in rows for reason in _faults(row, gates))]
    reasons += [reason for row in truth for reason in _truth_faults(row, gates)]
    return Verdict(rows, truth, tuple(reasons))


def _faults(row: FidelityRow, gates: Gates) -> Iterator[str]:
    at = f"at fidelity {row.fidelity:g}"
    if not row.finite:
        yield f"NaN or Inf in picture {row.worst_picture} {at}"
        return
    if row.constant:
        yield f"a flat picture {at} where the float32 one is not flat"
    if not row.psnr_db >= gates.psnr_db:
        yield f"PSNR against float32 is {row.psnr_db:.2f} dB {at}, and has to be {gates.psnr_db:g} dB or more"
    if not row.mean_shift <= gates.mean_shift:
        yield f"a picture's mean shifts by {row.mean_shift:.3f} grey levels {at}, and may by {gates.mean_shift:g}"


def _truth_faults(row: TruthRow, gates: Gates) -> Iterator[str]:
    limits = (
        ("psnr_db", "PSNR", gates.truth_psnr_db, " dB", 3),
        ("ssim", "SSIM", gates.truth_ssim, "", 4),
        ("haarpsi_med", "HaarPSI_MED", gates.truth_haarpsi_med, "", 4),
    )
    for measure, name, limit, unit, digits in limits:
        change = row.change(measure)
        if not abs(change) <= limit:
            at = f"at fidelity {row.fidelity:g}"
            yield f"{name} against the truth changes by {change:+.{digits}f}{unit} {at}, and may by {limit:g}{unit}"
