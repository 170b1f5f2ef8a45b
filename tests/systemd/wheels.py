"""A wheel that installs a command edge-sr and needs nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path


def write_wheel(path: Path, code: str, *, paths: str = "") -> Path:
    """path: edge_sr-<version>-py3-none-any.whl. code: of a module with a function main. paths: what sys.path gets."""
    stem = path.name.partition("-py3")[0]
    about = f"{stem}.dist-info"
    files = {
        "edge_sr_small.py": code,
        "edge_sr_small.pth": paths,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: edge-sr\nVersion: {stem.partition('-')[2]}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nedge-sr = edge_sr_small:main\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, f"{about}/RECORD": record}.items():
            archive.writestr(name, content)
    return path
