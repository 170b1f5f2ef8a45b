"""Which models and numbers of steps the page may ask for on this machine, and those of them that are open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edge_sr.artifacts.bundle import Bundle, bundle_folder
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.artifacts.engine_cache import cache_folders, entries
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.demo.declined import Declined
from edge_sr.errors import EnvironmentFault
from edge_sr.models import BICUBIC, WORDS, load_model, open_model
from edge_sr.models.base import SRModel
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.engines import Choice, Note, choose, untold

MOST_OPEN = 3  # models at a time: each is some ten to twenty MB


@dataclass(frozen=True)
class Variant:
    """One model at one number of steps. steps: None where the model has none. precision, engine: as it will run."""

    steps: int | None
    precision: str
    engine: str | None
    default: bool
    open: Callable[[], SRModel]


@dataclass(frozen=True)
class Offer:
    """A model by its word or folder. draws_noise: fidelity and seed change its pictures; fidelity, seed: its own."""

    word: str
    title: str
    scale: int
    draws_noise: bool
    fidelity: float
    seed: int
    variants: tuple[Variant, ...]

    def variant(self, steps: int | None) -> Variant:
        """None: the default. Declined for a number that is not offered."""
        for variant in self.variants:
            if variant.steps == steps or (steps is None and variant.default):
                return variant
        offered = ", ".join(str(each.steps) for each in self.variants)
        raise Declined(400, f"{steps} steps are not offered for {self.word}", expected=offered)

    def to_json(self) -> dict[str, object]:
        return {
            "word": self.word,
            "title": self.title,
            "scale": self.scale,
            "draws_noise": self.draws_noise,
            "fidelity": self.fidelity,
            "seed": self.seed,
            "variants": [
                {"steps": each.steps, "precision": each.precision, "engine": each.engine, "default": each.default}
                for each in self.variants
            ],
        }


def offers_of(
    words: Sequence[str], *, precision: str = "auto", threads: int | None = None, note: Note = untold
) -> list[Offer]:
    """What of these models runs here. note: is told of what does not, a line each.

    precision: as of ``engines.choose``. EnvironmentFault, the last one met, where nothing runs.
    """
    offers: list[Offer] = []
    fault = EnvironmentFault("there is no model to show", hint="--model default")
    for number, word in enumerate(dict.fromkeys(words)):
        name = word if word in WORDS else f"bundle-{number}"  # where a folder lies is no business of the page
        try:
            offers.append(_bicubic() if word == BICUBIC else _offer(name, word, precision, threads, note))
        except EnvironmentFault as error:
            note(f"{word} is not offered: {error.what}")
            fault = error
    if not offers:
        raise fault
    return offers


def _bicubic() -> Offer:
    variant = Variant(None, "fp32", None, True, partial(load_model, BICUBIC))
    return Offer(BICUBIC, "bicubic interpolation", Bicubic.scale, False, 1.0, 0, (variant,))


def _offer(name: str, word: str, precision: str, threads: int | None, note: Note) -> Offer:
    bundle = Bundle.open(bundle_folder(word))
    manifest, chains = bundle.manifest, _chains(bundle)
    variants: list[Variant] = []
    for chain in chains:
        try:
            variants.append(_variant(chain, choose(chain, precision=precision, threads=threads, note=note)))
        except EnvironmentFault as error:  # no engine of this precision for so many steps
            fault = error
    if not variants:
        raise fault
    if not any(variant.default for variant in variants):
        variants[0] = replace(variants[0], default=True)
    return Offer(
        word=name,
        title=f"{manifest.name} {manifest.version}",
        scale=manifest.scale,
        draws_noise=chains[0].draws_noise,
        fidelity=manifest.sampler.fidelity if manifest.sampler else 1.0,
        seed=manifest.sampler.seed if manifest.sampler else 0,
        variants=tuple(variants),
    )


def _variant(chain: Chain, choice: Choice) -> Variant:
    def opened() -> SRModel:
        model = open_model(
            chain.bundle, choice.backend, sampler=chain.sampler, steps=chain.steps, networks=choice.networks
        )
        model.open()
        return model

    steps = chain.steps if chain.draws_noise else None
    return Variant(steps, choice.networks.precision, choice.networks.engine or None, chain.default, opened)


def _chains(bundle: Bundle) -> list[Chain]:
    """By steps: the bundle's default, those that it has a table of ranges for, and those that an engine was built for.

    All with the bundle's own sampler; any other number would run too, but nobody checked what comes out.
    """
    default, tables = chain_of(bundle), bundle.manifest.calibration
    checked = {default.steps, *(table.steps for table in tables if table.sampler == default.sampler)}
    built = {(entry.key.steps, entry.key.chain_sha256) for entry in _built() if entry.key.sampler == default.sampler}
    counts = sorted(count for count in checked | {steps for steps, _ in built} if _fits(bundle, count))
    chains = [chain_of(bundle, sampler=default.sampler, steps=count) for count in counts]
    return [each for each in chains if each.steps in checked or (each.steps, each.sha256) in built]


def _fits(bundle: Bundle, steps: int) -> bool:
    diffusion = bundle.manifest.diffusion
    return steps == 1 if diffusion is None else 1 <= steps <= diffusion.num_train_timesteps


def _built() -> Iterator[Entry]:
    return (entry for folder in cache_folders() for entry in entries(folder) if isinstance(entry, Entry))


class Models:
    """The models that are open, MOST_OPEN at most; for one thread."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.offers = tuple(offers)
        self._open: OrderedDict[tuple[str, int | None], SRModel] = OrderedDict()

    def offer(self, word: str | None) -> Offer:
        """None: the first. Declined for a model that is not offered."""
        for offer in self.offers:
            if word in (None, offer.word):
                return offer
        offered = ", ".join(offer.word for offer in self.offers)
        raise Declined(400, "this model is not offered", expected=offered, hint="edge-sr demo --model ...")

    def get(self, word: str | None = None, steps: int | None = None) -> SRModel:
        """Open, and so for as long as MOST_OPEN - 1 others are not asked for."""
        offer = self.offer(word)
        variant = offer.variant(steps)
        key = (offer.word, variant.steps)
        if key not in self._open:
            while len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            self._open[key] = variant.open()
        self._open.move_to_end(key)
        return self._open[key]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()
