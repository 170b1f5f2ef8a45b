"""Processor, memory, clock on the wall; and of a Jetson its software, power mode and clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from edge_sr.device.jetson import ClockLimits, Jetson, read_clock_limits
from edge_sr.device.power.conditions import read_conditions
from edge_sr.device.power.find import find_meter
from edge_sr.doctor.check import Check, mebibytes
from edge_sr.doctor.surroundings import Surroundings

OLDEST_L4T = 36  # JetPack 6; before it TensorRT is 8.x, whose interface is another
FLASH = "flash JetPack 6.2 or 7.2, https://developer.nvidia.com/embedded/jetpack"
# Free memory that is no worry. A run with ONNX Runtime takes 100 MiB (measured on two cores); a TensorRT build asks for
# its workspace of 1,024 MiB, its libraries' 256 and three copies of the weights (build_engines/targets/compile_trt.py).
RUN_MIB, BUILD_MIB = 300, 1400
RELEASED_S = 1_767_225_600  # 2026-01-01: no clock that goes right shows an earlier time
MAX_MODES = ("MAXN_SUPER", "MAXN")  # the fastest first


def checks(here: Surroundings) -> Iterator[Check]:
    yield check_processor(here)
    yield check_memory(here)
    if here.jetson is not None:
        yield check_board(here, here.jetson)
    if here.board is not None:
        yield check_jetpack(here.board)
        yield check_power_mode(here.board)
        yield check_clocks(read_clock_limits(here.root))
        yield check_throttling(here)
    yield check_power_meter(here)
    yield check_time(here.now_s())


def check_processor(here: Surroundings) -> Check:
    facts = here.facts
    name = f"{facts.cpu_model or facts.machine}, {facts.cores} cores"
    if facts.cpu_features is None:
        return Check("processor", "note", f"{name}; int8 instructions unknown")
    if not facts.cpu_features:
        return Check("processor", "note", f"{name}; no int8 instructions: int8 may not be faster than fp32 here")
    return Check("processor", "ok", f"{name}; {' '.join(facts.cpu_features)}")


def check_memory(here: Surroundings) -> Check:
    """Free memory against what a run takes, and on a Jetson, whose GPU shares it, what a build takes."""
    facts = here.facts
    if facts.memory_mib is None or facts.available_mib is None:
        return Check("memory", "note", "unknown")
    found = f"{mebibytes(facts.available_mib)} of {mebibytes(facts.memory_mib)} are free"
    if here.jetson is not None and facts.available_mib < BUILD_MIB:
        hint = "sudo systemctl isolate multi-user.target (stops the desktop)"
        return Check("memory", "note", f"{found}; a build on the GPU may take {mebibytes(BUILD_MIB)}", hint)
    if facts.available_mib < RUN_MIB:
        hint = "ps aux --sort=-rss | head (and end what is not needed)"
        return Check("memory", "note", f"{found}; a run may take {mebibytes(RUN_MIB)}", hint)
    return Check("memory", "ok", found)


def check_board(here: Surroundings, jetson: Jetson) -> Check:
    name = here.facts.board or f"a Jetson ({jetson.family})"
    if not jetson.supported:
        why = {"tegra210": ": no INT8 hardware, and JetPack ends at 4.6 with Python 3.6"}.get(jetson.chip, "")
        what = f"{name} is not supported{why}; needed is an Orin or a Thor"
        return Check("board", "fault", what, "edge-sr run --backend onnxruntime (on the processor alone)")
    return Check("board", "ok", f"{name} ({jetson.family})" if jetson.family not in name else name)


def check_jetpack(jetson: Jetson) -> Check:
    if jetson.l4t is None:
        # A container has its own /etc: what counts there is the image, and the GPU's line tells whether it works.
        return Check("JetPack", "note", "unknown: no /etc/nv_tegra_release (in a container that is usual)")
    found = f"{jetson.jetpack or 'unknown'}, L4T {jetson.l4t}"
    if jetson.l4t_major is not None and jetson.l4t_major < OLDEST_L4T:
        return Check("JetPack", "fault", f"{found}; too old, its TensorRT is 8", FLASH)
    return Check("JetPack", "ok", found)


def check_power_mode(jetson: Jetson) -> Check:
    """Latency depends on it more than on anything else. Numbers differ by board, so the board's own list is asked."""
    if jetson.power_mode is None:
        return Check("power mode", "note", "not told to this user", "sudo nvpmodel -q")
    numbers = {name: number for number, name in jetson.modes}
    fastest = next((name for name in MAX_MODES if name in numbers), None)
    if fastest is None or jetson.power_mode == fastest:
        return Check("power mode", "ok", jetson.power_mode)
    found = f"{jetson.power_mode}; the fastest is {fastest}"
    return Check("power mode", "note", found, f"sudo nvpmodel -m {numbers[fastest]}")


def check_clocks(limits: Sequence[ClockLimits]) -> Check:
    """``jetson_clocks`` sets the lower limit of every clock to the upper one."""
    if not limits:
        return Check("clocks", "note", "cannot be read")
    gpu = next((each for each in limits if each.part == "GPU"), None)
    cores = [each for each in limits if each.part != "GPU"]
    told = [*([_told("GPU", [gpu])] if gpu else []), *([_told("cores", cores)] if cores else [])]
    if all(each.held for each in limits):
        return Check("clocks", "ok", f"held at their highest: {', '.join(told)}")
    return Check("clocks", "note", f"follow the load: {', '.join(told)}", "sudo jetson_clocks (until the next start)")


def _told(name: str, limits: Sequence[ClockLimits]) -> str:
    highest = max(each.highest_mhz for each in limits)
    now = [each.now_mhz for each in limits if each.now_mhz is not None]
    return f"{name} {max(now):.0f} of {highest:.0f} MHz" if now else f"{name} up to {highest:.0f} MHz"


def check_throttling(here: Surroundings) -> Check:
    found = read_conditions(here.root)
    warmest = max(found.temperatures_c.items(), key=lambda pair: pair[1], default=None)
    heat = "" if warmest is None else f"{warmest[0]} {warmest[1]:.0f} C"
    if found.throttling:
        held = ", ".join(found.throttling)
        return Check(
            "heat", "note", f"held down now by {held}; {heat}", "edge-sr power (watch it; check fan and supply)"
        )
    counts = sum(count for name, count in found.throttle_counts.items() if name.startswith("over-current"))
    if counts:
        times = "once" if counts == 1 else f"{counts} times"
        hint = "sudo nvpmodel -q (a lower mode, or a stronger supply)"
        return Check("heat", "note", f"{heat}; held down {times} by over-current since the start", hint)
    return Check("heat", "ok", f"{heat or 'unknown'}; nothing is held down")


def check_power_meter(here: Surroundings) -> Check:
    """The meter that reports would come from; on a Jetson also why those that would tell more do not serve."""
    found = find_meter(meters=here.meters)
    before = "; ".join(f"{name}: {fault.what}" for name, fault in found.missing.items())
    if found.meter is None:
        if here.jetson is None:
            return Check("power meter", "absent", "none answers: reports say power is not available")
        return Check("power meter", "note", f"none answers ({before})", "edge-sr power")
    name, covers = found.meter.name, found.meter.covers
    found.meter.close()
    if here.jetson is None or not before:
        return Check("power meter", "ok", f"{name}: {covers}")
    hint = next((fault.hint for fault in found.missing.values() if fault.hint), "")
    return Check("power meter", "ok", f"{name}: {covers}; better ones do not answer ({before})", hint)


def check_time(now_s: float) -> Check:
    """A board without a battery starts in the past, and then every record and every certificate is wrong."""
    told = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))
    if now_s < RELEASED_S:
        return Check("time", "note", f"the clock says {told}, before this release", "sudo timedatectl set-ntp true")
    return Check("time", "ok", told)
