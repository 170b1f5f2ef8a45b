"""Which noise a result is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_sr.errors import UsageError
from edge_sr.models.base import SRModel


@dataclass(frozen=True)
class Draws:
    """samples: how many fields of noise are drawn, from ``seed`` on. fidelity: 0..1, its scale is 1 - fidelity."""

    seed: int
    fidelity: float
    samples: int = 1

    @property
    def seeds(self) -> Sequence[int | None]:
        """One a sample; None runs without noise."""
        return range(self.seed, self.seed + self.samples) if self.fidelity < 1 else [None] * self.samples


def chosen_draws(model: SRModel, *, seed: int | None = None, fidelity: float | None = None, samples: int = 1) -> Draws:
    """seed, fidelity: None is the model's default, with several samples fidelity 0; see chosen_fidelity."""
    chosen = float(chosen_fidelity(model, fidelity, samples=samples))
    return Draws(model.seed if seed is None else seed, chosen, samples)


def chosen_fidelity(model: SRModel, fidelity: float | None, *, samples: int) -> float:
    """What is used where ``fidelity`` is asked for; UsageError where several samples cannot differ."""
    if samples == 1:
        return model.fidelity if fidelity is None else fidelity
    if model.noise_shape(64, 64) is None:
        raise UsageError("this model draws no noise, so its samples are all alike", where="samples", hint="--samples 1")
    if fidelity == 1:
        raise UsageError(
            "at fidelity 1 there is no noise, so the samples are all alike", where="samples", hint="--fidelity 0"
        )
    return fidelity or 0.0
