"""The simulator's engines: an ONNX file behind a header that says what it is, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

HEADER = b"SIMULATED TensorRT engine: no GPU made it and none can run it\n"
_sessions: dict[str, onnxruntime.InferenceSession] = {}
_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class EngineFile:
    """profile: input -> (min, opt, max) shape, of those whose batch is free. detailed: what the inspector may tell."""

    version: str
    profile: dict[str, list[list[int]]]
    detailed: bool
    onnx_bytes: bytes

    def to_bytes(self) -> bytes:
        told = json.dumps({"version": self.version, "profile": self.profile, "detailed": self.detailed})
        return HEADER + told.encode() + b"\n" + self.onnx_bytes

    @classmethod
    def of(cls, content: bytes) -> EngineFile | None:
        if not content.startswith(HEADER):
            return None
        told, _, model = content[len(HEADER) :].partition(b"\n")
        fields = json.loads(told)
        return cls(fields["version"], fields["profile"], fields["detailed"], model)

    def session(self) -> onnxruntime.InferenceSession:
        key = hashlib.sha256(self.onnx_bytes).hexdigest()
        if key not in _sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 4
            # As the graph is written: fused, pairs with FP16 scales become an operator that has none.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
            _sessions[key] = onnxruntime.InferenceSession(self.onnx_bytes, options, providers=["CPUExecutionProvider"])
        return _sessions[key]

    def tensors(self) -> list[tuple[str, bool, type, tuple[int, ...], tuple[Any, ...]]]:
        """(name, is input, dtype, shape with -1 for what is free, shape as ONNX names it) in the engine's order."""
        session = self.session()
        found = []
        for is_input, nodes in ((True, session.get_inputs()), (False, session.get_outputs())):
            for node in nodes:
                shape = tuple(axis if isinstance(axis, int) else -1 for axis in node.shape)
                found.append((node.name, is_input, _DTYPES[node.type], shape, tuple(node.shape)))
        return found

    def inspector_json(self) -> str:
        """A layer a node; casts stand for the reformats that TensorRT would put in."""
        nodes = onnx.load_model_from_string(self.onnx_bytes).graph.node
        layers: list[Any] = []
        for place, node in enumerate(nodes):
            name = node.name or f"{node.op_type}_{place}"
            kind = "Reformat" if node.op_type == "Cast" else node.op_type
            layers.append({"Name": name, "LayerType": kind} if self.detailed else name)
        return json.dumps({"Simulated": True, "Layers": layers, "Bindings": [name for name, *_ in self.tensors()]})
