"""What a bundle is asked to run: checked, named by a hash, and known without onnx."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import COMPOSED, STAGED, Networks, chain_of
from edge_sr.errors import UsageError


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
    every, some = chain_of(fake, sampler="ddpm", steps=300).table, chain_of(fake, sampler="ddpm", steps=10).table
    assert len(every.timesteps) == 300 and len(some.timesteps) == 10
    assert 0 < some.n[0] < 1


@pytest.mark.parametrize(("options", "told"), [({"sampler": "euler"}, "no such sampler"), ({"steps": 0}, "0 steps")])
def test_what_the_bundle_cannot_run_is_refused(fake: Bundle, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        chain_of(fake, **options)  # type: ignore[arg-type]


def test_a_family_without_a_sampler_is_told(fake: Bundle) -> None:
    manifest = replace(fake.manifest, family="espcn", diffusion=None, sampler=None)
    with pytest.raises(UsageError, match="family espcn has no sampler"):
        chain_of(replace(fake, manifest=manifest))
