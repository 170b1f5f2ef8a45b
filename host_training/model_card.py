"""The model card of a bundle: what it is, what it was trained on, how well it does, what it must not be used for."""

from __future__ import annotations

from edge_sr.artifacts.manifest import Manifest
from host_training.evaluation.tables import headline_tables

CARD = """# {name} {version}

{subject}

**Not for diagnostic use.** {caution}

## What it is

{what}
## Training data

{data}
## Evaluation

{evaluation}
"""

ESTIMATE = "Everything finer than the input pixels is the model's estimate. {consistency} {spread}"
SPREAD = "The spread over seeds at fidelity 0 shows where the model itself is unsure, not where it errs."

MEANINGLESS = """\
**The weights are random: nothing was trained, and the pictures mean nothing.** This
bundle is for measuring what the published networks cost to build and run, and what FP16 and INT8 change in them."""
CONSISTENCY = {
    "area": """The mean of each 4x4 block
of the output is the input pixel it came from, before rounding; within the block the picture may be wrong in ways that
look right.""",
}
FREE = """Nothing holds
the output to the input, which may differ from it in brightness as well as in detail."""
SUBJECT = "{times} super-resolution of {of}, {tile}x{tile} to {side}x{side}, larger ones by tiles."
TIMES = {2: "Two-times", 4: "Four-times"}

WHAT = {
    "edge": """\
A latent diffusion model whose whole chain is one graph: an LR encoder, a UNet-lite denoiser ({steps} step{s} by
default, {sampler}, sample prediction, zero terminal SNR), a decoder that also sees the input, and the projection that
makes the output consistent with the input. Fidelity scales the noise that goes in: 1 is the central estimate, 0 a
sample. Default: {fidelity}.
""",
    "paper": """\
The published latent diffusion system, to be compared with: a frozen AutoencoderKL, and a denoiser that sees the latents
of the upsampled LR picture beside the noisy ones. {steps} steps of {sampler} from pure noise, with {prediction}
prediction, one call of a network each, so it is slow. Which autoencoder and denoiser they are, and how they were
trained, stands in `training/training.json`. Fidelity scales the noise that goes in: 0 is the sampler as published.
Default: {fidelity}.
""",
    "radiographs": """\
A feed-forward network, {channels}: one pass, nothing drawn, the same picture each time.
What it adds is an estimate of the mean over all fine pictures that fit the input, sharpened only as far as its loss
asked for. Its configuration lies beside this card in `training/`.
""",
    "natural": """\
A feed-forward network, {channels}: one pass, nothing drawn, the same picture each time.
Its configuration lies beside this card in `training/`.
""",
    "random": """\
The published latent diffusion system as far as its networks go: AutoencoderKL, and UNet-lite, which sees the latents of
the upsampled LR picture beside the noisy ones. {steps} steps of {sampler} from pure noise, with {prediction}
prediction. Seed and settings of the weights stand in `provenance` of the manifest.
""",
}

DATA = {
    "edge": """\
NIH ChestX-ray14 (Wang et al., ChestX-ray8, CVPR 2017; provided by the NIH Clinical Center,
https://nihcc.app.box.com/v/ChestXray-NIHCC), a subset of frontal pictures, split by patient. HR is 256x256 by area
averaging, LR the 4x4 mean of HR rounded to 8 bit. Configuration and figures of the training lie beside this card in
`training/`. LPIPS (squeeze, v0.1) was part of the loss; its weights are not part of this bundle.

The pictures come from one hospital in the United States. Other institutions, children, other body parts and other ways
of making the small picture (bicubic, a photograph of a screen) are outside what it was trained for.
""",
    "paper": """\
The training split of the listing whose sha256 the manifest has as `data_manifest_sha256`. LR is made from a finer
picture by the degradation `{degradation}`; small pictures made in other ways are outside what it was trained for.
Configuration and figures of the training lie beside this card in `training/`.
""",
    "radiographs": """\
The training split of the listing whose sha256 the manifest has as `data_manifest_sha256`, split by patient. LR is made
from HR by the degradation `{degradation}`; small pictures made in other ways are outside what it was trained for.
""",
    "natural": """\
A folder of natural pictures, the kind `[data]` of the configuration tells of. LR is made by the degradation
`{degradation}`. **It knows nothing of radiographs.**
""",
    "random": """\
None. Phantoms set the scale of the latents, which are of unit variance.
""",
}


def model_card(manifest: Manifest, kind: str) -> str:
    """Markdown; the tables are made from the evaluation that the manifest carries. kind: of what was trained."""
    caution = ESTIMATE.format(
        consistency=CONSISTENCY.get(manifest.input.degradation, FREE), spread=SPREAD if manifest.sampler else ""
    )
    return CARD.format(
        name=manifest.name,
        version=manifest.version,
        subject=_subject(manifest, kind),
        caution=MEANINGLESS if kind == "random" else caution.strip(),
        what=WHAT[kind].format(**_words(manifest)),
        data=DATA[kind].format(degradation=manifest.input.degradation),
        evaluation=headline_tables(manifest.evaluation) if manifest.evaluation else "Not evaluated yet.",
    )


def _subject(manifest: Manifest, kind: str) -> str:
    tile, scale = manifest.input.tile, manifest.scale
    subject = "natural pictures" if kind == "natural" else "frontal chest radiographs"
    return SUBJECT.format(times=TIMES.get(scale, f"{scale}-times"), of=subject, tile=tile, side=tile * scale)


def _words(manifest: Manifest) -> dict[str, object]:
    """What the text of a kind may tell."""
    words: dict[str, object] = {"channels": "one channel" if manifest.input.channels == 1 else "three channels"}
    if manifest.sampler is not None and manifest.diffusion is not None:
        steps = manifest.sampler.num_inference_steps
        words |= {
            "steps": steps,
            "s": "" if steps == 1 else "s",
            "sampler": manifest.sampler.name.upper(),
            "prediction": manifest.diffusion.prediction_type,
            "fidelity": f"{manifest.sampler.fidelity:g}",
        }
    return words
