"""Published weights: what is read, and what is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from edge_sr.errors import IntegrityError, UsageError
from host_training.convert_weights import convert_weights_command
from host_training.loop import load_weights, read_checkpoint
from host_training.nets.rrdb import Rrdb
from host_training.nets.unet_discriminator import UNetDiscriminator
from host_training.published_weights import published
from tests.host_training.published_networks import Compact, Discriminator, saved


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def rrdb(scale: int = 4) -> Rrdb:
    return Rrdb(3, scale, width=8, growth=4, blocks=2)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_an_rrdb_is_told_from_its_names_and_shapes(tmp_path: Path, scale: int) -> None:
    found = published(saved(tmp_path / "x.pth", rrdb(scale).state_dict()))
    assert (found.role, found.net) == ("generator", "rrdb")
    assert found.settings == {"channels": 3, "scale": scale, "width": 8, "growth": 4, "blocks": 2}


def test_a_compact_one_computes_the_same(tmp_path: Path) -> None:
    net, lr = Compact(), torch.rand(1, 3, 6, 8)
    found = published(saved(tmp_path / "x.pth", net.state_dict(), key="params"))
    assert found.net == "compact" and found.settings["activation"] == "prelu"
    torch.testing.assert_close(found.network(lr), net(lr))


def test_a_discriminator_computes_the_same(tmp_path: Path) -> None:
    net, pictures = Discriminator().eval(), torch.rand(1, 3, 16, 16)
    found = published(saved(tmp_path / "x.pth", net.state_dict(), key="params"))
    assert found.role == "discriminator"
    torch.testing.assert_close(found.network.eval()(pictures), net(pictures))


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    plain, averaged = rrdb().state_dict(), rrdb().state_dict()
    torch.save({"params": plain, "params_ema": averaged}, tmp_path / "x.pth")
    assert torch.equal(published(tmp_path / "x.pth").tensors["conv_last.weight"], averaged["conv_last.weight"])


@pytest.mark.parametrize("make", [rrdb, lambda: rrdb(2), Compact])
def test_grey_is_the_mean_of_what_grey_colours_give(tmp_path: Path, make: Callable[[], torch.nn.Module]) -> None:
    net = make()
    grey = torch.rand(1, 1, 8, 8)
    found = published(saved(tmp_path / "x.pth", net.state_dict())).grey()
    assert found.settings["channels"] == 1
    torch.testing.assert_close(found.network(grey), net(grey.expand(-1, 3, -1, -1)).mean(1, keepdim=True))


def test_a_grey_discriminator_judges_grey_colours_the_same(tmp_path: Path) -> None:
    net, grey = Discriminator().eval(), torch.rand(1, 1, 16, 16)
    found = published(saved(tmp_path / "x.pth", net.state_dict())).grey()
    torch.testing.assert_close(found.network.eval()(grey), net(grey.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


class Exploit:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.mkdir, ("code-has-run",)  # type: ignore[return-value]


def test_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"params": Exploit()}, "x.pth")
    with pytest.raises(IntegrityError, match=r"x\.pth: holds more than tensors \(reading it could run code\)"):
        published(Path("x.pth"))
    assert not Path("code-has-run").exists()


FILES = {
    b"\n<!DOCTYPE html><html>": "is a web page, no weights",
    b"version https://git-lfs.github.com/spec/v1\n": "is a Git LFS pointer, no weights",
    b"": "cannot be read",
    b"not weights at all, whatever it is called": "or is no .pth file",
}


@pytest.mark.parametrize("content", list(FILES))
def test_what_is_no_weights_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(IntegrityError, match=FILES[content]):
        published(tmp_path / "x.pth")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pth", rrdb().state_dict())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(IntegrityError, match="cannot be read"):
        published(path)


def changed(**tensors: Tensor | None) -> dict[str, Tensor]:
    """An RRDB's state with other tensors; None leaves one out."""
    state = {**rrdb().state_dict(), **tensors}
    return {name: value for name, value in state.items() if value is not None}


WRONG = {
    "conv_hr.bias is missing": {"conv_hr.bias": None},
    "spare is not part of the network": {"spare": torch.zeros(1)},
    r"conv_up1.weight is \[8, 8, 1, 1\], not \[8, 8, 3, 3\]": {"conv_up1.weight": torch.zeros(8, 8, 1, 1)},
    "conv_up1.bias is not finite": {"conv_up1.bias": torch.full((8,), torch.nan)},
    r"holds another network \(": {"conv_first.weight": None},
    "its tensors fit no such network": {"body.0.rdb1.conv1.weight": None},
    "number 999999999 of 73 tensors": {"body.999999999.rdb1.conv1.weight": torch.zeros(1)},
    "no RRDB of scale 0": {"conv_first.weight": torch.zeros(8, 75, 3, 3)},
}


@pytest.mark.parametrize("message", list(WRONG))
def test_a_state_that_does_not_fit_is_told_by_name(tmp_path: Path, message: str) -> None:
    path = saved(tmp_path / "x.pth", changed(**WRONG[message]))
    with pytest.raises(IntegrityError, match=message):
        published(path)


def test_no_such_file_and_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        published(tmp_path / "x.pth")
    torch.save({"step": 3}, tmp_path / "x.pth")
    with pytest.raises(IntegrityError, match="holds no table of weights"):
        published(tmp_path / "x.pth")


def test_the_command_writes_what_trainings_load(tmp_path: Path) -> None:
    net, out = rrdb(), tmp_path / "x.safetensors"
    path = saved(tmp_path / "x.pth", net.state_dict())
    result = CliRunner().invoke(convert_weights_command, [str(path), "-o", str(out)], catch_exceptions=False)
    assert "generator rrdb (channels = 3, scale = 4, width = 8, growth = 4, blocks = 2)" in result.output
    other = rrdb()
    load_weights(out, generator=other)
    assert torch.equal(other.conv_last.weight, net.conv_last.weight)
    assert json.loads(read_checkpoint(out)[0]["settings"])["blocks"] == 2


def test_the_command_makes_a_grey_discriminator_and_overwrites_nothing(tmp_path: Path) -> None:
    path, out = saved(tmp_path / "d.pth", Discriminator().state_dict()), tmp_path / "d.safetensors"
    words = [str(path), "-o", str(out), "--grey"]
    CliRunner().invoke(convert_weights_command, words, catch_exceptions=False)
    load_weights(out, discriminator=UNetDiscriminator(1, width=8))
    with pytest.raises(UsageError, match="is there already"):
        CliRunner().invoke(convert_weights_command, words, catch_exceptions=False)
