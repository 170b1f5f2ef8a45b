"""Everything pip needs to know about edge-sr; pyproject.toml holds the build backend and the tools' settings only."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
PACKAGES = ("edge_sr", "calibration", "build_engines", "host_training")


def version() -> str:
    """``__version__`` as written in edge_sr/__init__.py, read without importing the package."""
    text = (HERE / "edge_sr" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if not found:
        raise RuntimeError('edge_sr/__init__.py has no line __version__ = "..."')
    return found.group(1)


REQUIRED = [
    "click>=8.1",
    "numpy>=1.26",
    "Pillow>=10.3",
    # The headless build is the same cv2 module and needs no display libraries. On a Jetson apt's python3-opencv counts
    # and a second cv2 would shadow it; `edge-sr doctor` says what to type where cv2 is missing.
    'opencv-python-headless>=4.8; platform_machine != "aarch64"',
]

EXTRAS = {
    # Before 1.30 QuantizeLinear in FP16 truncates on a CPU. Wheels for Python 3.10 (JetPack 6) stop at 1.23, where
    # only float32 graphs are run, so that the fault does not bite.
    "cpu": [
        'onnxruntime>=1.30; python_version >= "3.11"',
        'onnxruntime>=1.23; python_version < "3.11"',
    ],
    "build": ["onnx>=1.16", "onnx-graphsurgeon>=0.5.2", "polygraphy>=0.49.9"],
    # tensorrt itself comes with JetPack by apt (python3-libnvinfer), never from pip. pycuda is compiled on the board,
    # against the board's CUDA; cuda-python captures CUDA graphs; jetson-stats reads the power rails.
    "jetson": ["cuda-python", "jetson-stats", "pycuda"],
    "gpu": ["cuda-python", "pycuda", "tensorrt"],  # a discrete GPU
    "host": [
        "diffusers>=0.30",
        "matplotlib>=3.8",
        "onnx>=1.16",
        "onnxruntime>=1.23",
        "onnxscript>=0.3",  # torch.onnx's exporter is built on it
        "requests>=2.31",
        "safetensors>=0.4",
        'tomli>=2; python_version < "3.11"',
        "torch>=2.6",
        "tqdm>=4.66",
    ],
    # Trainings on several processes, and their curves in a browser; without them one process trains and metrics.jsonl
    # has all the figures.
    "scale": ["accelerate>=1.0", "tensorboard>=2.16"],
    # What ours is measured against: `make bench`.
    "peers": ["diffusers>=0.30", "onnx>=1.16", "onnxruntime>=1.23", "onnxscript>=0.3", "torch>=2.6"],
    # `edge-sr watch` does without both: it scans the folder, and keeps no metrics.
    "service": ["inotify_simple>=1.3.5", "prometheus-client>=0.20"],
    "demo": ["starlette>=0.40", "uvicorn>=0.30"],
    "test": [
        "axe-playwright-python>=0.1",
        "httpx>=0.27",  # starlette's test client
        "hypothesis>=6.100",
        "mypy>=1.11",
        "playwright>=1.45",  # drives Debian's Chromium; no browser of its own is downloaded
        "pytest>=8",
        "pytest-xdist>=3.6",
        "ruff>=0.6",
        "scikit-image>=0.22",
    ],
}

setup(
    name="edge-sr",
    version=version(),
    description="Four-times super-resolution of chest radiographs on a small board, accountable for every pixel",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    author="the edge-sr authors",
    keywords="super-resolution radiograph diffusion onnx tensorrt jetson",
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
    package_data={
        "edge_sr": ["bundles/**/*", "bench/roofline/*.json", "demo/page/*", "py.typed"],
        "host_training": ["configs/*", "download/*.json"],
    },
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["edge-sr = edge_sr.cli:main", "edge-sr-host = host_training.command:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
    ],
    zip_safe=False,
)
