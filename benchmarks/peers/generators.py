"""Feed-forward generators of others in ONNX Runtime, float32: Real-ESRGAN's two and ESPCN, with random weights.

They are exported once, into a cache folder; torch is loaded for that and for counting only.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from benchmarks.peers import cost
from benchmarks.peers.base import Surroundings
from edge_sr.backends.onnxrt import OnnxRuntime, OnnxSession
from edge_sr.image.atomic import write_atomically
from host_training.nets.espcn import Espcn
from host_training.nets.rrdb import Rrdb
from host_training.nets.srvgg import Srvgg

OPSET = 20
SIDE = 64  # of LR
CHANNELS = 3


class GeneratorPeer:
    """A ``Peer``: one network from RGB to RGB. A grey picture goes in three times, and its mean comes out.

    make: the network, in colour at four times.
    """

    random_weights = True
    steps: int | None = None

    def __init__(self, name: str, title: str, about: str, make: Callable[[], nn.Module], where: Surroundings) -> None:
        self.name, self.title, self.about = name, title, about
        self.parameters: int | None = None
        self.macs: int | None = None
        self._make = make
        self._where = where
        self._runtime = OnnxRuntime(where.threads, spinning=False)
        self.backend = f"onnxruntime {self._runtime.version}"
        self._session: OnnxSession | None = None

    def open(self) -> None:
        with cost.uncounted():
            network = self._make().eval()
            self.parameters = cost.parameters([network])
            self.macs = cost.macs(network, torch.empty(1, CHANNELS, SIDE, SIDE))
        path = self._where.cache / f"{self.name}-{source_sha256(type(network))[:12]}.onnx"
        if not path.is_file():
            export(self._make, path)
        self._session = self._runtime.open(path)

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        assert self._session is not None, "open comes first"
        rgb = np.broadcast_to(lr.astype(np.float32) / 255, (1, CHANNELS, *lr.shape))
        sr = self._session.run({"lr": np.ascontiguousarray(rgb)})["sr"]  # (1, 3, H, W), about [0, 1]
        grey: np.ndarray = np.rint(np.clip(sr[0].mean(axis=0), 0, 1) * 255).astype(np.uint8)
        return grey

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def source_sha256(network: type) -> str:
    """Of the file that a network is written in: another one is another export."""
    return hashlib.sha256(Path(inspect.getfile(network)).read_bytes()).hexdigest()


def export(make: Callable[[], nn.Module], path: Path, *, seed: int = 0) -> None:
    """Write a network with random weights from seed as ONNX, for one picture of 64x64."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(seed)
        warnings.simplefilter("ignore")  # of the exporter, about its own internals
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that are not needed here
        program = torch.onnx.export(
            make().eval(),
            (torch.zeros(1, CHANNELS, SIDE, SIDE),),
            input_names=["lr"],
            output_names=["sr"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, proto.SerializeToString(), overwrite=True)


def x4plus(where: Surroundings) -> GeneratorPeer:
    about = "RRDBNet of 23 blocks, as RealESRGAN_x4plus, exported to ONNX, float32"
    return GeneratorPeer("x4plus", "Real-ESRGAN x4plus", about, Rrdb, where)


def compact(where: Surroundings) -> GeneratorPeer:
    about = "SRVGGNetCompact of 32 convolutions, as realesr-general-x4v3, exported to ONNX, float32"
    return GeneratorPeer("compact", "Real-ESRGAN compact", about, Srvgg, where)


def espcn(where: Surroundings) -> GeneratorPeer:
    about = "ESPCN with BatchNorm folded and a bicubic residual, in colour, exported to ONNX, float32"
    return GeneratorPeer("espcn", "ESPCN", about, lambda: Espcn(folded=True), where)
