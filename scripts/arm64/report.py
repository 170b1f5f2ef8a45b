"""The pictures that scripts/arm64/check made on both machines, side by side; and the record of it.

    python scripts/arm64/report.py WORK --out benchmarks/results/arm64.json --seconds 600 --fresh-root no

Exits 1 where a float32 picture differs by more than BAR grey levels, an INT8 one is not as near to its float32 one as
on x86, or a picture is missing or was not made by what its folder says.

Two processors round float32 sums in another order. In float32 that stays in the last bits. In INT8 a value that lies
between two codes then takes the other one, and the network carries that on: on one processor too, noise below one step
of 16 bits moves single pixels of an INT8 picture by more than a grey level. So an INT8 picture is held to its distance
from float32, and one that lies beyond BAR is named in the record, as ``beyond_bar``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_sr.image.atomic import write_atomically

BAR = 1.0  # grey levels of 255
AS_NEAR = 0.1  # of the distance to float32 on x86
PACKAGES = ("python", "numpy", "cv2", "PIL", "onnxruntime")  # as `edge-sr doctor` calls them
PRECISION = {"fp32": "fp32", "noise": "fp32", "int8": "int8"}  # by folder


def difference(x86: Path, arm64: Path) -> dict[str, Any]:
    """In grey levels of 255, of pictures of 8 or 16 bits. differing: the share of pixels that are not equal.

    ValueError where they have not one shape and depth, or one is no picture.
    """
    first, second = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (x86, arm64))
    if first is None or second is None or first.shape != second.shape or first.dtype != second.dtype:
        raise ValueError(f"{x86} and {arm64} are no two pictures of one shape and depth")
    levels = np.abs(first.astype(np.float64) - second) * (255 / np.iinfo(first.dtype).max)
    return {
        "bit_depth": 8 * first.dtype.itemsize,
        "size": [first.shape[1], first.shape[0]],
        "largest": round(float(levels.max()), 4),
        "mean": round(float(levels.mean()), 8),
        "differing": round(float(np.count_nonzero(levels) / levels.size), 8),
    }


def farther_from_float32(work: Path) -> list[str]:
    """INT8 pictures whose distance to float32 differs by more than AS_NEAR between the machines, with both of them."""
    told = []
    for name in (path.name for path in (work / "x86" / "int8").glob("*.png")):
        x86, arm64 = (_distance(work / side / "int8" / name, work / side / "fp32" / name) for side in ("x86", "arm64"))
        if abs(arm64 - x86) > AS_NEAR * x86:
            told.append(f"int8/{name}: {arm64:.3f} grey levels from float32, on x86 {x86:.3f}")
    return told


def _distance(one: Path, other: Path) -> float:
    """Root mean square, in grey levels of 255."""
    first, second = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (one, other))
    if first is None or second is None:
        raise ValueError(f"{one} and {other} are no two pictures")
    difference = (first.astype(np.float64) - second) * (255 / np.iinfo(first.dtype).max)
    return float(np.sqrt(np.mean(difference**2)))


def compare(work: Path) -> list[dict[str, Any]]:
    """A row a picture of WORK/x86, by its name below that folder. ValueError where arm64 lacks it, or has others."""
    names = {side: sorted(_names(work / side)) for side in ("x86", "arm64")}
    if not names["x86"] or names["x86"] != names["arm64"]:
        raise ValueError(f"x86 has {names['x86']}, arm64 has {names['arm64']}")
    for name in names["x86"]:
        _check_maker(work, name)
    return [{"name": name, **difference(work / "x86" / name, work / "arm64" / name)} for name in names["x86"]]


def _names(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*.png")]


def _check_maker(work: Path, name: str) -> None:
    """That one model made both, in the precision of the folder: from the record beside each picture."""
    if (wanted := PRECISION.get(Path(name).parts[0])) is None:
        return  # the sample, which no model made
    records = [json.loads((work / side / name).with_suffix(".json").read_text("utf-8")) for side in ("x86", "arm64")]
    makers = {(record["model_sha256"], record["precision"]) for record in records}
    if len(makers) != 1 or records[0]["precision"] != wanted:
        raise ValueError(f"{name} was made by {makers}, not in {wanted} by one model")


def tests_told(path: Path) -> dict[str, int]:
    """Counts of a JUnit report."""
    counts = [suite.attrib for suite in ElementTree.parse(path).iter("testsuite")]
    total, failed, errors, skipped = (
        sum(int(each[name]) for each in counts) for name in ("tests", "failures", "errors", "skipped")
    )
    return {"passed": total - failed - errors - skipped, "skipped": skipped, "failed": failed + errors}


def machine(doctor: Path) -> dict[str, Any]:
    """What a machine says of itself, from the report of ``edge-sr doctor --json``."""
    report = json.loads(doctor.read_text("utf-8"))
    found = {check["name"]: check["found"] for check in report["checks"]}
    device = report["device"]
    return {
        "machine": device["machine"],
        "cpu": device["cpu_model"],
        "instructions": device["instructions"],
        "cores": device["cores"],
        "versions": {"edge-sr": report["version"], **{name: found[name] for name in PACKAGES}},
    }


def record(work: Path, *, emulator: str, seconds: int, fresh_root: bool) -> dict[str, Any]:
    """Everything that benchmarks/results/arm64.json holds. ValueError where the one side is no arm64 machine."""
    arm64 = machine(work / "doctor-arm64.json")
    if arm64["machine"] != "aarch64":
        raise ValueError(f"the pictures were made on {arm64['machine']}, not on aarch64")
    pictures = compare(work)
    return {
        "schema_version": 2,
        "benchmark": "arm64",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": {
            "emulated": f"by {emulator}; right for correctness, useless for time",
            "system": "Debian 12; JetPack 6 is Ubuntu 22.04 with Python 3.10, JetPack 7 Ubuntu 24.04 with 3.12",
            "arm64": arm64,
            "x86": machine(work / "doctor-x86.json"),
            "check_seconds": seconds,
            "root_made_anew": fresh_root,
            "load_average_after": [round(load, 2) for load in os.getloadavg()],
        },
        "bar": BAR,
        "unit": "grey levels of 255, arm64 against x86",
        "beyond_bar": [row["name"] for row in pictures if row["largest"] > BAR],
        "int8_farther_from_float32": farther_from_float32(work),
        "pictures": pictures,
        "tests": tests_told(work / "tests-arm64.xml"),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--fresh-root", choices=("yes", "no"), required=True)
    args = parser.parse_args()
    emulator = os.environ.get("EDGE_SR_EMULATOR", "an emulator that is not named")
    try:
        result = record(args.work, emulator=emulator, seconds=args.seconds, fresh_root=args.fresh_root == "yes")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for row in result["pictures"]:
        print(f"{row['name']:<28} {row['bit_depth']:>2} bits  largest {row['largest']:.4f}, mean {row['mean']:.2e}")
    tests, farther = result["tests"], result["int8_farther_from_float32"]
    for name in result["beyond_bar"]:
        print(f"{name}: beyond the bar of {BAR:g} grey level")
    print("\n".join(farther) or "every int8 picture is as near to float32 as on x86")
    print(f"tests: {tests['passed']} passed, {tests['skipped']} skipped, {tests['failed']} failed")
    write_atomically(args.out, (json.dumps(result, indent=1) + "\n").encode(), overwrite=True)
    float32_beyond = [name for name in result["beyond_bar"] if not name.startswith("int8/")]
    return 1 if float32_beyond or farther or tests["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
