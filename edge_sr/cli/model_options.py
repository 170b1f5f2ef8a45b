"""Options that say which model runs, how, and on what: the same for every command that runs one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import click

SAMPLERS = ("ddpm", "ddim", "dpmsolver++")  # as edge_sr.diffusion.samplers; a test holds the two together
PRECISIONS = ("auto", "fp32", "fp16", "int8")  # as edge_sr.models.engines, likewise
BACKENDS = ("tensorrt", "onnxruntime")
PROVIDERS = ("cpu", "cuda")  # as edge_sr.backends.onnxrt_providers, likewise

Command = TypeVar("Command", bound=Callable[..., Any])


def not_nan(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """FloatRange lets nan through."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not in the range 0<=x<=1.", ctx=context, param=parameter)
    return value


MODEL = click.option(
    "--model",
    default="default",
    show_default=True,
    help="default, fast, bicubic or a bundle folder. Of several, as default,fast,bicubic, the next one is taken where "
    "an engine or a bundle is missing or refused.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    show_default=True,
    help="auto: the fastest engine that edge-sr build made for this machine, else the bundle in float32.",
)
BACKEND = click.option(
    "--backend", type=click.Choice(BACKENDS), help="What runs the engine.  [default: the faster one]"
)
PROVIDER = click.option(
    "--provider",
    type=click.Choice(PROVIDERS),
    help="What ONNX Runtime computes on; naming one asks for that backend. cuda needs onnxruntime-gpu and runs the "
    "bundle in float32.  [default: cpu]",
)
STEPS = click.option(
    "--steps", type=int, help="Denoising steps, 1 to the bundle's training steps.  [default: the bundle's]"
)
SAMPLER = click.option(
    "--sampler", type=click.Choice(SAMPLERS), help="How the steps are taken.  [default: the bundle's]"
)
SEED = click.option("--seed", type=click.IntRange(0, 2**53 - 1), help="Of the noise.  [default: the bundle's]")
FIDELITY = click.option(
    "--fidelity",
    type=click.FloatRange(0, 1),
    callback=not_nan,
    help="1 adds no noise, 0 all of it.  [default: the bundle's]",
)
COLOUR = click.option(
    "--colour",
    type=click.Choice(["refuse", "luma"]),
    default="refuse",
    show_default=True,
    help="What to do with colour: luma super-resolves brightness and interpolates colour.",
)
THREADS = click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads of the model.  [default: one a core, 8 at most]"
)
MAX_PIXELS = click.option(
    "--max-pixels",
    type=click.IntRange(min=64),
    default=16_000_000,  # the result has 16 times as many
    show_default=True,
    help="Refuse larger inputs before decoding them.",
)
OF_A_RUN = (MODEL, PRECISION, BACKEND, PROVIDER, STEPS, SAMPLER, SEED, FIDELITY)


def model_options(command: Command) -> Command:
    """OF_A_RUN, in that order in the help."""
    return reduce(lambda decorated, option: option(decorated), reversed(OF_A_RUN), command)
