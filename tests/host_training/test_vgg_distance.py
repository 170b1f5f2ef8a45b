"""The perceptual distance of VGG19, with thin weights of the right names."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from host_training.vgg_distance import CONVOLUTIONS, LAYERS, POOLED, VggDistance, vgg_weights


def thin_vgg() -> nn.Sequential:
    """torchvision's ``features`` with four channels: convolutions, ReLU and pooling in its order."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for index in CONVOLUTIONS:
        if index in POOLED:
            layers.append(nn.MaxPool2d(2, 2))
        assert len(layers) == index  # as torchvision counts them
        layers += [nn.Conv2d(4 if index else 3, 4, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def weights_of(net: nn.Module) -> dict[str, Tensor]:
    return {f"features.{name}": value for name, value in net.state_dict().items()}


def pair(channels: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    sr, hr = torch.rand((2, 2, channels, 32, 32), generator=generator)
    return sr, hr


@pytest.fixture
def pth(tmp_path: Path) -> Path:
    torch.save({**weights_of(thin_vgg()), "classifier.0.bias": torch.zeros(2)}, tmp_path / "vgg19.pth")
    return tmp_path / "vgg19.pth"


def test_it_is_the_weighted_l1_of_features_before_their_activation(pth: Path) -> None:
    net, (sr, hr) = thin_vgg(), pair()
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    expected = torch.zeros(())
    for index, share in LAYERS.items():
        ours, wanted = (net[: index + 1]((x - mean) / std) for x in (sr, hr))
        expected = expected + share * (ours - wanted).abs().mean()
    torch.testing.assert_close(VggDistance(pth)(sr, hr), expected)


def test_grey_counts_as_three_equal_colours(pth: Path) -> None:
    distance, (sr, hr) = VggDistance(pth), pair(1)
    torch.testing.assert_close(distance(sr, hr), distance(sr.expand(-1, 3, -1, -1), hr.expand(-1, 3, -1, -1)))


def test_it_trains_the_pictures_and_not_itself(pth: Path) -> None:
    distance, (sr, hr) = VggDistance(pth), pair()
    distance(sr.requires_grad_(), hr).backward()
    assert sr.grad is not None and bool(sr.grad.abs().sum() > 0)
    assert not any(value.requires_grad for value in distance.parameters())


def test_the_same_tensors_as_safetensors(pth: Path, tmp_path: Path) -> None:
    save_file(weights_of(thin_vgg()), tmp_path / "vgg19.safetensors")
    sr, hr = pair()
    assert torch.equal(VggDistance(tmp_path / "vgg19.safetensors")(sr, hr), VggDistance(pth)(sr, hr))


def test_weights_are_given_and_never_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGE_SR_VGG19", raising=False)
    with pytest.raises(EnvironmentFault, match="EDGE_SR_VGG19: the perceptual loss vgg19 needs the weights of VGG19"):
        vgg_weights()
    monkeypatch.setenv("EDGE_SR_VGG19", str(tmp_path / "none.pth"))
    with pytest.raises(UsageError, match=r"none\.pth: no such file"):
        VggDistance(vgg_weights())


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    state = weights_of(thin_vgg())
    del state["features.34.weight"]
    torch.save(state, tmp_path / "vgg16.pth")
    with pytest.raises(IntegrityError, match=r"vgg16\.pth: has no 'features.34.weight'"):
        VggDistance(tmp_path / "vgg16.pth")
