"""The model card of a bundle: what it is, what it was trained on, how well it does, what it must not be used for."""

from __future__ import annotations

from edge_sr.artifacts.manifest import Manifest
from host_training.evaluation.tables import markdown_tables

CARD = """# {name} {version}

Four-times super-resolution of frontal chest radiographs, 64x64 to 256x256, larger ones by tiles.

**Not for diagnostic use.** Everything finer than the input pixels is the model's estimate. The mean of each 4x4 block
of the output is the input pixel it came from, before rounding; within the block the picture may be wrong in ways that
look right. The spread over seeds at fidelity 0 shows where the model itself is unsure, not where it errs.

## What it is

A latent diffusion model whose whole chain is one graph: an LR encoder, a UNet-lite denoiser ({steps} step{s} by
default, {sampler}, sample prediction, zero terminal SNR), a decoder that also sees the input, and the projection that
makes the output consistent with the input. Fidelity scales the noise that goes in: 1 is the central estimate, 0 a
sample. Default: {fidelity}.

## Training data

NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017; provided by the NIH Clinical Center,
https://nihcc.app.box.com/v/ChestXray-NIHCC), a subset of frontal pictures, split by patient. HR is 256x256 by area
averaging, LR the 4x4 mean of HR rounded to 8 bit. Configuration and figures of the training lie beside this card in
`training/`. LPIPS (squeeze, v0.1) was part of the loss; its weights are not part of this bundle.

The pictures come from one hospital in the United States. Other institutions, children, other body parts and other ways
of making the small picture (bicubic, a photograph of a screen) are outside what it was trained for.

## Evaluation

{evaluation}
"""


def model_card(manifest: Manifest) -> str:
    """Markdown; the tables are made from the evaluation that the manifest carries."""
    assert manifest.sampler is not None
    steps = manifest.sampler.num_inference_steps
    evaluation = markdown_tables(dict(manifest.evaluation)) if manifest.evaluation else "Not evaluated yet."
    return CARD.format(
        name=manifest.name,
        version=manifest.version,
        steps=steps,
        s="" if steps == 1 else "s",
        sampler=manifest.sampler.name.upper(),
        fidelity=f"{manifest.sampler.fidelity:g}",
        evaluation=evaluation,
    )
