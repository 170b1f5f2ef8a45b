"""What a bundle is asked to run: checked, named by a hash, and known without onnx."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import COMPOSED, Networks, chain_of, diffusion_chain
from edge_sr.errors import UsageError

STAGED = ("encoder", "denoiser", "decoder")


def test_nothing_asked_for_is_what_the_bundle_runs(fake: Bundle) -> None:
    chain = chain_of(fake)
    assert (chain.sampler, chain.steps, chain.default, chain.composed) == ("ddim", 1, True, True)
    assert Networks.of_bundle(chain).roles == COMPOSED
    assert not chain_of(fake, steps=2).default
    assert Networks.of_bundle(chain_of(fake, steps=2)).roles == STAGED


def test_it_is_told_in_words(fake: Bundle) -> None:
    assert [str(chain_of(fake, steps=steps)) for steps in (1, 4)] == ["ddim, 1 step", "ddim, 4 steps"]


@pytest.mark.parametrize(
    ("sampler", "steps", "roles"),
    [("ddim", 64, COMPOSED), ("ddim", 65, STAGED), ("dpmsolver++", 4, COMPOSED), ("ddpm", 1, STAGED)],
)
def test_what_can_be_one_graph_is_built_as_one(fake: Bundle, sampler: str, steps: int, roles: tuple[str, ...]) -> None:
    assert chain_of(fake, sampler=sampler, steps=steps).roles == roles


def test_its_hash_is_that_of_its_parts(fake: Bundle) -> None:
    first = chain_of(fake).sha256
    assert chain_of(fake, sampler="ddim", steps=1).sha256 == first
    networks = dict(fake.manifest.networks)
    networks["decoder"] = replace(networks["decoder"], sha256="f" * 64)
    retrained = replace(fake, manifest=replace(fake.manifest, networks=networks))
    plain = replace(fake, manifest=replace(fake.manifest, input=replace(fake.manifest.input, degradation="cubic")))
    others = [chain_of(fake, steps=2), chain_of(fake, sampler="dpmsolver++"), chain_of(retrained), chain_of(plain)]
    assert len({first, *(other.sha256 for other in others)}) == 5
    assert chain_of(replace(fake, manifest=replace(fake.manifest, name="renamed"))).sha256 == first


def test_where_lr_is_no_area_mean_nothing_is_projected(fake: Bundle) -> None:
    plain = replace(fake.manifest, input=replace(fake.manifest.input, degradation="cubic"))
    assert chain_of(fake).projection_rounds > 0 == chain_of(replace(fake, manifest=plain)).projection_rounds


def test_skipped_steps_of_ddpm_keep_the_noise_level(fake: Bundle) -> None:
    every, some = (diffusion_chain(fake, sampler="ddpm", steps=steps).table for steps in (300, 10))
    assert len(every.timesteps) == 300 and len(some.timesteps) == 10
    assert 0 < some.n[0] < 1


@pytest.mark.parametrize(("options", "told"), [({"sampler": "euler"}, "no such sampler"), ({"steps": 0}, "0 steps")])
def test_what_the_bundle_cannot_run_is_refused(fake: Bundle, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chain_of(fake, **options)  # type: ignore[arg-type]


def as_generator(bundle: Bundle) -> Bundle:
    """The same files under a manifest of a feed-forward family."""
    networks = {"generator": bundle.manifest.networks["decoder"]}
    manifest = replace(bundle.manifest, family="espcn", diffusion=None, sampler=None, networks=networks)
    return replace(bundle, manifest=manifest)


def test_a_feed_forward_bundle_runs_once(fake: Bundle) -> None:
    chain = chain_of(as_generator(fake))
    assert (chain.sampler, chain.steps, str(chain), chain.draws_noise) == ("feedforward", 1, "feedforward", False)
    assert chain.default and chain.composed and chain.roles == COMPOSED
    assert Networks.of_bundle(chain).roles == ("generator",)  # the composed graph is made by a build


@pytest.mark.parametrize("options", [{"sampler": "ddim"}, {"steps": 2}])
def test_a_feed_forward_bundle_has_nothing_to_choose(fake: Bundle, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="family espcn has neither sampler nor steps"):
        chain_of(as_generator(fake), **options)  # type: ignore[arg-type]
    assert chain_of(as_generator(fake), sampler="feedforward", steps=1) == chain_of(as_generator(fake))


def test_where_a_sampler_is_needed_its_absence_is_told(fake: Bundle) -> None:
    with pytest.raises(UsageError, match="family espcn has no sampler"):
        diffusion_chain(as_generator(fake))
    assert diffusion_chain(fake) == chain_of(fake)
