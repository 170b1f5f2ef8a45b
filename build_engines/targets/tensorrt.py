"""TensorRT as a build sees it: ``compile_trt`` behind ``build_engines.targets.base.Target``."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from build_engines.check.polygraphy import session_runner
from build_engines.lint import lint
from build_engines.lint.rules import ERROR
from build_engines.lint.tensorrt_versions import OLDEST, VERSIONS
from build_engines.targets.base import Compiled, Tell
from build_engines.targets.compile_trt import compile as compile_engine
from build_engines.targets.trt_options import CompileReport, TrtOptions
from edge_sr.artifacts.engine_cache import entries
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_key import Machine, Option, machine_for
from edge_sr.backends.trt import TensorRT
from edge_sr.device.facts import read_facts
from edge_sr.errors import IntegrityError

TIMING_CACHE = "timing.cache"


@dataclass(frozen=True)
class TensorRTTarget:
    """cache: of engines; the tactics that an earlier build for this GPU has timed are taken from there."""

    backend: TensorRT
    build_options: TrtOptions
    cache: Path
    flavour: str = "tensorrt"

    @property
    def machine(self) -> Machine:
        return machine_for(self.backend, read_facts())

    @property
    def batch(self) -> tuple[int, int, int]:
        return self.build_options.batch

    @property
    def options(self) -> Mapping[str, Option]:
        chosen = self.build_options
        return {"workspace_mib": chosen.workspace_mib, "optimization_level": chosen.optimization_level}

    def runner(self, engine: Path, name: str) -> Any:
        """The session that ``edge-sr run`` opens, not Polygraphy's TrtRunner: what is checked is what will run."""
        return session_runner(lambda: self.backend.open(engine), name)

    def compile(self, graph: Path, engine: Path, *, tell: Tell) -> Compiled:
        _refuse_what_it_would(graph, self.backend.version)
        timing = engine.with_name(f"{engine.stem}.{TIMING_CACHE}")
        if (earlier := self._earlier_timing(timing.name)) is not None:
            shutil.copyfile(earlier, timing)
        terminal = sys.stderr if sys.stderr.isatty() else None
        report = compile_engine(graph, engine, self.build_options, timing_cache=timing, tell=tell, terminal=terminal)
        for line in _lines(engine.stem, report):
            tell(line)
        details = {name: value for name, value in asdict(report).items() if name not in ("inspector", "warnings")}
        files = {"inspector.json": report.inspector.encode(), TIMING_CACHE: timing.read_bytes()}
        timing.unlink()
        return Compiled(details, files, report.simulated)

    def _earlier_timing(self, name: str) -> Path | None:
        """Of the newest entry for this machine; it is checked before it is read, as an engine is."""
        found = [each for each in entries(self.cache) if isinstance(each, Entry) and each.key.machine == self.machine]
        for entry in sorted(found, key=lambda each: each.manifest.created, reverse=True):
            if name in entry.manifest.files:
                entry.verify()
                return entry.folder / name
        return None


def _refuse_what_it_would(graph: Path, version: str) -> None:
    """IntegrityError with the findings, before minutes are spent; TensorRT tells one fault at a time."""
    found = [finding for finding in lint(onnx.load(graph), version=rules_for(version)) if finding.severity == ERROR]
    if found:
        what = "TensorRT would refuse it: " + "; ".join(f"{each.where}: {each.what}" for each in found[:5])
        raise IntegrityError(what, where=graph.name, hint="edge-sr build --lint-only, which says what to do")


def rules_for(version: str) -> str:
    """Of the versions that there are rules for, the newest that is not newer. version: such as "10.16.1, CUDA 13.2"."""
    present = _numbers(version)
    older = [known for known in VERSIONS if _numbers(known) <= present]
    return max(older, key=_numbers, default=OLDEST)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition(",")[0])[:2])


def _lines(role: str, report: CompileReport) -> list[str]:
    simulated = "simulated: " if report.simulated else ""
    cost = f"{report.layers} layers, {report.reformat_layers} of them reformat only; {report.bytes / 1e6:.1f} MB"
    built = f"{simulated}{role}: {report.seconds:.1f} s, {cost}; timing cache {report.timing_cache}"
    return [built, *(f"TensorRT: {warning}" for warning in report.warnings)]
