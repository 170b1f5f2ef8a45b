"""What a picture costs in joules, and what the machine takes while it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from build_engines.device_check.steps import Findings, NotAvailable
from build_engines.device_check.subject import Subject
from edge_sr.bench.energy import LEAST_READINGS, work
from edge_sr.device.power.conditions import throttled
from edge_sr.device.power.find import Found, find_meter
from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import Figures


def measure_energy(
    subject: Subject,
    precision: str,
    *,
    seconds: float,
    idle_s: float,
    find: Callable[[], Found] = find_meter,
    recorder_of: Callable[[Found], Recorder] = lambda found: Recorder(found.meter),
) -> Findings:
    """Idle with nothing open, then picture after picture. NotAvailable where no meter answers or its readings fail."""
    found = find()
    if found.meter is None:
        reason = "no power meter answers here; edge-sr power tells what was looked for"
        raise NotAvailable(reason, {"meter": None, "missing": found.reasons})
    with recorder_of(found) as recorder:
        recorder.measure_idle(idle_s)
        before = recorder.conditions()
        with subject.opened(precision) as session:
            (feeds,) = subject.feeds(session)
            done = work(lambda: session.run(feeds), recorder, seconds)
        worked, pictures = done.figures, done.pictures
        after = recorder.conditions()
        if worked is None:
            raise NotAvailable(recorder.sampler.trouble() or "no reading came in time")
        figures = {
            "meter": found.meter.name,
            "covers": found.meter.covers,
            "missing": found.reasons,
            "pictures": pictures,
            **_told(worked, "work"),
            **_told(recorder.idle, "idle"),
            "joules_per_picture": round(done.joules_per_picture, 6),
            "above_idle_joules_per_picture": _above_idle(worked, recorder.idle, pictures),
            "trouble": recorder.sampler.trouble(),
            "before": before.to_json(),
            "after": after.to_json(),
            "throttling": throttled([before, after]),
        }
    few = f"; only {worked.readings} readings" if worked.readings < LEAST_READINGS else ""
    idle = "idle not available" if recorder.idle is None else f"idle {recorder.idle.power_w:.2f} W"
    line = f"{worked.power_w:.2f} W, {idle}, {done.joules_per_picture:.4f} J a picture, by {found.meter.name}{few}"
    return Findings(figures, line=line)


def _told(figures: Figures | None, name: str) -> Mapping[str, object]:
    """None is "not available"."""
    if figures is None:
        return {name: None}
    rails_w = {rail: round(watts, 4) for rail, watts in figures.mean_w.items()}
    return {
        name: {
            "seconds": round(figures.seconds, 4),
            "energy_j": round(figures.energy_j, 4),
            "power_w": round(figures.power_w, 4),
            "rails_w": rails_w,
            "readings": figures.readings,
        }
    }


def _above_idle(worked: Figures, idle: Figures | None, pictures: int) -> float | None:
    """What the picture adds to a machine that is on anyway."""
    return None if idle is None else round((worked.energy_j - idle.power_w * worked.seconds) / pictures, 6)
