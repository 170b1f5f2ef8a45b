"""Ours against what else a user could take, all in one run: what ``make bench`` calls.

    python benchmarks/bench.py                                  everything, benchmarks/results/bench.json
    python benchmarks/bench.py --peer published-ddpm300         against some of the peers, told only
    python benchmarks/bench.py --quick --out /tmp/bench.json    a few calls each, to see that everything runs

Ours are the bundles that ship, each as int8 engine (built into a cache of this benchmark) and in float32, timed from
one file to the renamed other with the session open, and from array to array. The peers (benchmarks/peers) are timed
from array to array, which favours them. All have the same number of threads, and no session of ONNX Runtime spins.
Everything is timed in turn, round by round; what takes longer than a turn gets three calls. Before that ``edge-sr run``
is started as a process, again and again, while nothing else is open.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib import metadata
from itertools import cycle
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from benchmarks import rounds as turns  # noqa: E402
from benchmarks.bars import ROOFLINE, ROOFLINE_ONE, bars, ratios  # noqa: E402
from benchmarks.bench_text import as_text  # noqa: E402
from benchmarks.ours import PRECISIONS, AsProcess, build_int8, engines_in, shipped, variant_of  # noqa: E402
from benchmarks.peers.base import PEERS, Peer, Surroundings, make_peer  # noqa: E402
from edge_sr import __version__  # noqa: E402
from edge_sr.backends.onnxrt import MOST_THREADS  # noqa: E402
from edge_sr.bench.caveats import caveats  # noqa: E402
from edge_sr.bench.inputs import pictures_of  # noqa: E402
from edge_sr.bench.latency import times_of  # noqa: E402
from edge_sr.bench.limits import limits_of  # noqa: E402
from edge_sr.bench.measure import Gathered, gather  # noqa: E402
from edge_sr.bench.process import cold_starts_ms, peak_mib  # noqa: E402
from edge_sr.bench.roofline import THIS_CPU  # noqa: E402
from edge_sr.bench.schema import Conditions, Opening, Report, Variant  # noqa: E402
from edge_sr.bench.surroundings import Surroundings as Machine  # noqa: E402
from edge_sr.bench.turns import Timed  # noqa: E402
from edge_sr.bench.variants import Choice, Subject, Wish, open_variants  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.device.cores import usable_physical_cores  # noqa: E402
from edge_sr.errors import EdgeSRError  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "bench.json"
CACHE = ROOT / "runs" / "bench"
SIZE = (64, 64)
SCALE = 4
PACKAGES = ("torch", "diffusers")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Lengths:
    """rounds, turn_s, slow_calls: see ``benchmarks.rounds``. starts: of ``edge-sr run`` as a process, a variant."""

    rounds: int = turns.ROUNDS
    turn_s: float = turns.TURN_S
    slow_calls: int = turns.SLOW_CALLS
    starts: int = 20
    warm_up_s: float = turns.WARM_UP_S


QUICK = Lengths(rounds=2, turn_s=0.3, slow_calls=1, starts=2, warm_up_s=1.0)


@dataclass
class Ours:
    """A variant of ours, ready to be timed."""

    subject: Subject
    gathered: Gathered
    process: AsProcess | None


@dataclass
class Theirs:
    """A peer. entrant: None where it failed, and why says how."""

    peer: Peer
    open_ms: float = 0.0
    entrant: turns.Entrant | None = None
    why: str = ""


def run(
    words: Sequence[str], peers: Sequence[str], *, cache: Path, lengths: Lengths, tell: Tell, threads: int | None = None
) -> dict[str, Any]:
    """The record. words: bundles of ours. peers: names of PEERS. cache: for engines and exported networks."""
    machine, start_s = Machine(), time.perf_counter()
    where = Surroundings(cache, threads or min(usable_physical_cores(), MOST_THREADS))
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        stack.enter_context(engines_in(cache / "engines"))
        for word, reason in build_int8(words, cache / "engines").items():
            tell(f"no int8 engine of {word}: {reason}")
        wish = Wish(tuple(words), precisions=PRECISIONS, threads=(threads,))
        ours = open_ours(wish, Path(folder), stack, lengths=lengths, tell=tell)
        theirs, refused = open_peers(peers, where, stack, lengths=lengths, tell=tell)
        contest(ours, theirs, lengths, tell)
        limits = {
            ROOFLINE: limit_of([each.subject for each in ours], words[0], tell),
            ROOFLINE_ONE: one_thread_limit(words[0], cache / "engines-of-one-thread", tell),
        }
        variants = [
            *(variant_of(each.subject, each.gathered, each.process) for each in ours),
            *(peer_variant(each, where.threads) for each in theirs if each.entrant),
        ]
    conditions, subjects = with_versions(machine.told()), [each.subject for each in ours]
    report = Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        code_version=__version__,
        conditions=conditions,
        options={"rounds": lengths.rounds, "turn_s": lengths.turn_s, "slow_calls": lengths.slow_calls},
        variants=tuple(variants),
        roofline={key: limit for key, limit in limits.items() if limit} or None,
        warnings=tuple(caveats(conditions, [each for each in variants if not each.peer])),
        seconds=round(time.perf_counter() - start_s, 1),
    )
    return record_of(
        report,
        [*map(peer_facts, theirs), *refused],
        forms={each.key: each.entry.manifest.timings["compiled"] for each in subjects if each.entry},
        word=words[0],
        quick=lengths == QUICK,
    )


def open_ours(wish: Wish, folder: Path, stack: ExitStack, *, lengths: Lengths, tell: Tell) -> list[Ours]:
    """Started as processes first, while nothing is open, then opened. folder: for files."""
    subjects = open_variants(wish, stack, warn=tell)
    processes = as_processes([each.choice for each in subjects], folder, starts=lengths.starts, tell=tell)
    return [Ours(each, gather(each, folder), processes.get(each.choice)) for each in subjects]


def as_processes(choices: Sequence[Choice], folder: Path, *, starts: int, tell: Tell) -> dict[Choice, AsProcess]:
    """``edge-sr run`` for each of them, in turn."""
    tell(f"starting edge-sr run, {len(choices)} variants, {starts} times each")
    taken = cold_starts_ms(choices, [SIZE] * len(choices), folder, rounds=starts)
    return {
        choice: AsProcess(cold_ms, peak_mib(choice, SIZE, folder), starts)
        for choice, cold_ms in zip(choices, taken, strict=True)
    }


def open_peers(
    names: Sequence[str], where: Surroundings, stack: ExitStack, *, lengths: Lengths, tell: Tell
) -> tuple[list[Theirs], list[dict[str, Any]]]:
    """Those that could be made, warmed up where they could be opened; and of the others what is known, with why."""
    made, refused = [], []
    for name in names:
        tell(f"opening {name}")
        try:
            theirs = Theirs(make_peer(name, where))
        except EdgeSRError as error:
            refused.append({"key": name, "title": name, "failed": one_line(error)})
            continue
        made.append(opened(theirs, stack, lengths))
        if theirs.why:
            tell(f"{name} is left out: {theirs.why}")
    return made, refused


def opened(theirs: Theirs, stack: ExitStack, lengths: Lengths) -> Theirs:
    """The same, with an entrant or with why there is none."""
    pictures = cycle(picture.pixels for picture in pictures_of(SIZE))
    call = Timed(lambda phases: theirs.peer(next(pictures)))
    start_s = time.perf_counter()
    stack.callback(theirs.peer.close)
    try:
        theirs.peer.open()
        theirs.open_ms = (time.perf_counter() - start_s) * 1e3
        theirs.entrant = turns.warmed(theirs.peer.name, call, turn_s=lengths.turn_s, limit_s=lengths.warm_up_s)
    except Exception as error:  # of others: no compiler, out of memory; the rest goes on
        theirs.why = one_line(error)
    return theirs


def contest(ours: Sequence[Ours], theirs: Sequence[Theirs], lengths: Lengths, tell: Tell) -> None:
    """Everything in turn; a peer that fails on the way loses its entrant."""
    by_name = {each.peer.name: each for each in theirs if each.entrant}
    entrants = [each.entrant for each in by_name.values() if each.entrant]
    for each in ours:
        for kind, call in (("array", each.gathered.array), ("file", each.gathered.file)):
            name = f"{each.subject.key} {kind}"
            entrants.append(turns.warmed(name, call, turn_s=lengths.turn_s, limit_s=lengths.warm_up_s))
            if kind == "array":
                each.gathered.first_call_ms, each.gathered.warm = entrants[-1].first_ms, entrants[-1].warm

    def failed(name: str, error: Exception) -> None:
        if name not in by_name:
            raise error
        by_name[name].entrant, by_name[name].why = None, one_line(error)
        tell(f"{name} is left out: {by_name[name].why}")

    tell(f"{lengths.rounds} rounds of {len(entrants)} kinds of calls")
    turns.in_rounds(
        entrants, failed=failed, rounds=lengths.rounds, turn_s=lengths.turn_s, slow_calls=lengths.slow_calls
    )


def limit_of(ours: Sequence[Subject], word: str, tell: Tell) -> dict[str, Any] | None:
    """The roofline of the judged variant on this processor; None where there is no int8 engine of ONNX Runtime."""
    chosen = [each for each in ours if (each.choice.word, each.precision) == (word, "int8")]
    tell("measuring the roofline of this processor")
    return next(iter(limits_of(chosen[:1], [THIS_CPU], warn=tell).values()), None)


def one_thread_limit(word: str, engines: Path, tell: Tell) -> dict[str, Any] | None:
    """The roofline of a single core, and the engine that a build for one thread makes. engines: a cache of its own."""
    if build_int8([word], engines, threads=1):
        return None
    with engines_in(engines), ExitStack() as stack:
        alone = open_variants(Wish((word,), precisions=("int8",), threads=(1,)), stack, warn=tell)
        return limit_of(alone, word, tell)


def peer_variant(theirs: Theirs, threads: int) -> Variant:
    """A peer in the schema of ``edge-sr bench``."""
    peer, entrant = theirs.peer, theirs.entrant
    assert entrant is not None, "only those that were timed are asked about"
    return Variant(
        key=peer.name,
        title=peer.title,
        model=peer.name,
        bundle=None,
        backend=peer.backend,
        precision="uint8" if peer.parameters is None else "fp32",
        size=SIZE,
        scale=SCALE,
        latency=times_of(entrant.call.taken_ms),
        opening=Opening(round(theirs.open_ms, 3), round(entrant.first_ms, 3), entrant.warm),
        steps=peer.steps,
        threads=threads,
        parameters=peer.parameters,
        macs=peer.macs,
        peer=True,
        note=f"{peer.about}{'; random weights' if peer.random_weights else ''}",
    )


def peer_facts(theirs: Theirs) -> dict[str, Any]:
    """What the schema has no place for, and why one was not timed."""
    peer = theirs.peer
    names = ("title", "about", "random_weights")
    return {"key": peer.name, **{name: getattr(peer, name) for name in names}, "failed": theirs.why or None}


def with_versions(conditions: Conditions) -> Conditions:
    """And those of the peers' packages."""
    found = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return replace(conditions, versions={**conditions.versions, **{n: found[n] for n in PACKAGES if n in found}})


def record_of(
    report: Report, peers: list[dict[str, Any]], *, forms: dict[str, Any], word: str, quick: bool
) -> dict[str, Any]:
    """What is written: the report, what else is known of the peers, the ratios, and the bars of the bundle ``word``.

    forms: what the build says of each engine of ours, by variant.
    """
    judged = (each.key for each in report.variants if (each.model, each.precision) == (word, "int8"))
    record: dict[str, Any] = {
        "schema_version": 1,
        "benchmark": "bench",
        "quick": quick,
        "judged": next(judged, None),
        "report": report.to_json(),
        "peers": peers,
        "forms": forms,
    }
    record["ratios"] = ratios(record)
    record["bars"] = [bar.to_json() for bar in bars(record)]
    return record


def one_line(error: Exception) -> str:
    """The kind of an error that is not ours, and the first line of what it says."""
    kind = "" if isinstance(error, EdgeSRError) else f"{type(error).__name__}: "
    return kind + (str(error).strip().splitlines() or [""])[0][:300]


@click.command()
@click.option("--peer", "peers", multiple=True, type=click.Choice(list(PEERS)), help="Repeatable.  [default: all]")
@click.option("--model", "words", multiple=True, help="Of ours, a word or a bundle folder.  [default: all that ship]")
@click.option("--quick", is_flag=True, help="A few calls each: to see that everything runs.")
@click.option("--threads", type=click.IntRange(1), help="Of everything.  [default: one a core, 8 at most]")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="[default: runs/bench]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the record goes.  [default: benchmarks/results/bench.json; nowhere for some of the peers or --quick]",
)
def command(
    peers: tuple[str, ...], words: tuple[str, ...], quick: bool, threads: int | None, cache: Path, out: Path | None
) -> None:
    """Time ours and what else a user could take, side by side."""
    record = run(
        words or shipped(),
        peers or tuple(PEERS),
        cache=cache.absolute(),
        lengths=QUICK if quick else Lengths(),
        tell=lambda line: click.echo(line, err=True),
        threads=threads,
    )
    click.echo(as_text(record))
    if out is None and not (peers or words or quick):
        out = RESULT
    if out is not None:
        write_atomically(out, (json.dumps(record, indent=1) + "\n").encode(), overwrite=True)
        click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
