"""The trainings by name: what ``edge-sr-host train`` may be asked for, and what ``export`` finds in a folder of runs.

Each has a configuration of its name in ``host_training/configs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

RECORD = "training.json"  # beside the weights: what was asked for


@dataclass(frozen=True)
class Training:
    """function: by name, so that one training does not import what only another needs. takes: options beyond the usual.

    gives_generator: the result is one feed-forward network, which ``export --mode NAME`` makes a bundle of.
    """

    function: str
    takes: tuple[str, ...] = ()
    gives_generator: bool = False


_BY_DISTANCE = Training("host_training.train_feedforward:train_feedforward", ("start",), gives_generator=True)
_AGAINST_A_JUDGE = Training("host_training.train_gan:train_gan", ("start", "start_discriminator"), gives_generator=True)

TRAININGS: Mapping[str, Training] = {
    "autoencoder": Training("host_training.train_autoencoder:train_autoencoder"),
    "feedforward": _BY_DISTANCE,
    "diffusion": Training("host_training.train_diffusion:train_diffusion"),
    "refine": Training("host_training.train_refine:train_refine", ("bundle", "baselines")),
    "qat": Training("host_training.train_qat:train_qat", ("bundle",)),
    "kl-autoencoder": Training("host_training.train_kl_autoencoder:train_kl_autoencoder"),
    "paper": Training("host_training.train_paper:train_paper"),
    "fast": _BY_DISTANCE,
    "espcn": _BY_DISTANCE,
    "espcn-grey": _BY_DISTANCE,
    "espcn-gan": _AGAINST_A_JUDGE,
    "compact": _AGAINST_A_JUDGE,
    "compact-gan": _AGAINST_A_JUDGE,
    "rrdb": _AGAINST_A_JUDGE,
    "rrdb-gan": _AGAINST_A_JUDGE,
    "retina-x2": _AGAINST_A_JUDGE,
}
GENERATORS = tuple(name for name, training in TRAININGS.items() if training.gives_generator)
