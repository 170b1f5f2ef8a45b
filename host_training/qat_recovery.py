"""What quantisation-aware training is worth, shown on a model that was made bad on purpose.

    python -m host_training.qat_recovery --data FOLDER

In every residual block some channels are made larger by a factor before the ReLU and smaller by it behind. In float32
that changes nothing. But a tensor has one scale, which now serves those channels: the others are left with few codes,
and the small weights behind vanish beside their neighbours. Such channels also come about by themselves; here they make
post-training quantisation lose what the model gained over interpolation. Then ``train qat`` runs on it.

The figures are those of the INT8 graphs in ONNX Runtime, and of the same in PyTorch, on the validation split: it is
also what a training shows while it runs; the test split stays untouched.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from build_engines.compose import compose
from build_engines.quantize import Ranges, insert_qdq, placement
from edge_sr import __version__
from edge_sr.artifacts.bundle import Bundle, default_bundle, write_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.exit_codes import guarded
from edge_sr.device.facts import read_facts
from edge_sr.image.atomic import write_atomically
from edge_sr.image.bicubic import bicubic
from host_training.data.crops import load_pictures
from host_training.loop import CONFIGS, load_weights, read_config
from host_training.nets.blocks import ResBlock
from host_training.nets.edge_model import EdgeModel
from host_training.options import data_option
from host_training.ranges_file import read_ranges
from host_training.train_qat import (
    ROLES,
    QuantisedModel,
    calibration_lr,
    composed,
    model_of,
    observed_ranges,
    train_qat,
)
from host_training.validation import psnr_of, validation_pairs
