"""The service as a real systemd runs it, booted in namespaces over a layer that is thrown away; a minute or two."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sr.image.png import write_png

from .conftest import CHECKOUT
from .wheels import write_wheel

BOOTED = Path(__file__).with_name("booted")
PYTHON = "/usr/bin/python3"
WORKS = "def main():\n    from edge_sr.cli import main\n    main()\n"
DIES = f"import sys\nif sys.argv[1:] == ['watch']:\n    sys.exit(3)\n{WORKS}"


def why_not() -> str:
    """What keeps this machine from it, "" where nothing does."""
    if not os.environ.get("EDGE_SR_TEST_BOOT"):
        return "boots a systemd, as root; EDGE_SR_TEST_BOOT=1 asks for it"
    if os.geteuid() != 0 or not Path("/lib/systemd/systemd").exists() or not shutil.which("unshare"):
        return "needs root, systemd and unshare"
    asked = [PYTHON, "-c", "import ensurepip, sys; print(*sys.version_info[:2])"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    if told != [str(part) for part in sys.version_info[:2]]:
        return f"{PYTHON} has no venv, or is of another version than the one that runs the tests"
    return "the service could not see this checkout" if CHECKOUT.parts[1] in ("home", "root", "tmp") else ""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What booted/story saw, by name."""
    if reason := why_not():
        pytest.skip(reason)
    share = tmp_path_factory.mktemp("share")
    share.chmod(0o755)
    paths = "".join(f"{path}\n" for path in (CHECKOUT, *(p for p in sys.path if p.endswith("site-packages"))))
    wheels = {
        name: write_wheel(share / f"edge_sr-{version}-py3-none-any.whl", code, paths=paths)
        for name, version, code in (("OLD", "1.0.0", WORKS), ("NEW", "1.1.0", DIES))
    }
    write_png(share / "picture.png", np.arange(4096, dtype=np.uint16).astype(np.uint8).reshape(64, 64), text={})
    (share / "picture.png").chmod(0o644)
    env = {
        "PYTHON": PYTHON,
        "CHECKOUT": str(CHECKOUT),
        **{name: f"/run/share/{path.name}" for name, path in wheels.items()},
    }
    (share / "env").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in env.items()))
    done = subprocess.run([BOOTED / "start", share, BOOTED / "story"], capture_output=True, text=True, check=False)
    lines = (share / "told").read_text().splitlines() if (share / "told").exists() else []
    assert lines, done.stderr
    return dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "") for line in lines)


@pytest.mark.parametrize(
    ("name", "seen"),
    {
        "installed": "0",
        "started": "0",
        "build": "failed",  # and the service starts all the same
        "hook": "edge-sr-build.service",
        "first": "there",
        "result-mode": "640 edge-sr edge-sr",
        "capabilities": "0000000000000000",
        "network": "lo",
        "second": "there",
        "killed": "active 1",
        "hung": "active 2",
        "relax-memory": "active",
        "relax-users": "active",
        "relax-resources": "active",
        "relax-system-calls": "active",
        "devices-thor": "active",
        "stopped": "success",
        "upgraded": "3   try: /opt/edge-sr/install-service rollback",
        "rolled-back": "0",
        "third": "there",
        "uninstalled": "inactive first.png second.png third.png",
        "ask head -c 1 /dev/nvidia0": "yes",
        "ask head -c 1 /dev/fuse": "no",
        "ask unshare --user true": "no",
        "ask touch /etc/x": "no",
    }.items(),
)
def test_seen(told: dict[str, str], name: str, seen: str) -> None:
    assert told[name].strip() == seen


def test_a_member_of_the_group_reads_results_and_no_names(told: dict[str, str]) -> None:
    assert told["reader"].startswith("PNG") and "Permission denied" in told["reader"]


def test_engines_and_homes_are_out_of_reach(told: dict[str, str]) -> None:
    assert "Read-only file system" in told["engines"]
    assert "denied" in told["home"] or told["home"].strip() == ""
