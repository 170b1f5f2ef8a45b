"""edge-sr demo: what is told before anything is served."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge_sr.cli.demo import _plan
from edge_sr.cli.exit_codes import ENVIRONMENT, USAGE
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from tests.conftest import RunCli

ROOT = Path(__file__).resolve().parents[2]


def test_a_port_that_cannot_be_is_refused(cli: RunCli) -> None:
    assert cli("demo", "--port", 70000).exit_code == 2


def test_a_token_that_guards_nothing_is_refused(cli: RunCli) -> None:
    result = cli("demo", "--token", "short", "--port", 0, "--no-open")
    assert result.exit_code == USAGE and "is no good token" in result.output


def test_a_model_that_does_not_exist_is_told(cli: RunCli) -> None:
    result = cli("demo", "--model", "nonsense", "--port", 0, "--no-open")
    assert result.exit_code == USAGE and "no such model" in result.output


def test_without_its_packages_it_says_what_to_install() -> None:
    lines = ["import sys", "sys.modules['uvicorn'] = None", "from edge_sr.cli import main", "main()"]
    told = subprocess.run([sys.executable, "-c", "\n".join(lines), "demo"], capture_output=True, text=True, cwd=ROOT)
    assert told.returncode == ENVIRONMENT and 'pip install "edge-sr[demo]"' in told.stderr


def test_a_folder_is_planned_as_run_would(tmp_path: Path) -> None:
    scans, out = tmp_path / "scans", tmp_path / "scans_x4"
    scans.mkdir()
    out.mkdir()
    for path in (scans / "a.png", scans / "b.png", out / "a_x4.png"):
        write_png(path, chest_phantom(64), text={})
    assert (_plan(scans, overwrite=False).jobs, _plan(scans, overwrite=False).left_out) == (
        [(scans / "b.png", out / "b_x4.png")],
        1,
    )
    assert len(_plan(scans, overwrite=True).jobs) == 2
