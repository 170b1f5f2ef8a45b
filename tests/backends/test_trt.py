"""The TensorRT backend on the simulated GPU: right pictures under any legal timing, and a clean end in every order.

The simulator faults whatever CUDA forbids or leaves to luck (tests/sim). What it cannot show is the time that things
take, and that NVIDIA's libraries behave as their documents say.
"""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from edge_sr.artifacts.engine_key import machine_for
from edge_sr.backends import cuda_driver
from edge_sr.backends.base import Backend, Session
from edge_sr.backends.trt import EngineSession, TensorRT
from edge_sr.cli.exit_codes import code_of
from edge_sr.device.facts import read_facts
from edge_sr.errors import (
    AccuracyError,
    DeviceLost,
    EdgeSRError,
    EnvironmentFault,
    IntegrityError,
    UsageError,
)
from tests.sim.engines import GRAPH, MOST, expected, feeds, same, write_engine
from tests.sim.install import install
from tests.sim.libcuda import LibCuda
from tests.sim.machine import Machine

Open = Callable[..., EngineSession]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return write_engine(tmp_path / "g.engine")


@pytest.fixture
def open_(machine: Machine, engine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens the engine; afterwards nothing was faulty and, once all is closed, nothing is left."""
    install(monkeypatch, machine)
    opened = []

    def call(file: Path = engine, **options: object) -> EngineSession:
        opened.append(TensorRT(**options).open(file))  # type: ignore[arg-type]
        return opened[-1]

    yield call
    for session in opened:
        session.close()
    assert (machine.faults, machine.leaks()) == ([], [])


def fives() -> list[dict[str, np.ndarray]]:
    return [feeds(number, batch) for number, batch in enumerate((1, 1, 3, 2, 2))]


# what it computes


def test_run_gives_what_the_graph_computes(open_: Open) -> None:
    session = open_()
    for fed in fives():
        assert same(session.run(fed), expected(fed))


@pytest.mark.parametrize("buffers", [1, 2, 3])
@pytest.mark.parametrize("zero_copy", [False, True])
def test_stream_gives_the_same_in_order(buffers: int, zero_copy: bool, open_: Open) -> None:
    session = open_(buffers=buffers, zero_copy=zero_copy)
    results = list(session.stream(iter(fives())))
    assert len(results) == 5 and all(same(got, expected(fed)) for got, fed in zip(results, fives(), strict=True))


def test_a_long_stream_equals_runs_in_a_loop(open_: Open) -> None:
    session = open_()
    fed = [feeds(number, 1 + number % 2) for number in range(64)]
    assert all(same(got, session.run(each)) for got, each in zip(open_().stream(fed), fed, strict=True))


def test_between_calls_no_context_is_current(machine: Machine, open_: Open) -> None:
    session = open_()
    assert machine.contexts == []
    session.run(feeds(0))
    assert machine.contexts == []
    next(session.stream(fives()))
    assert machine.contexts == []


def test_results_stay_what_they_were(open_: Open) -> None:
    session = open_()
    first = session.run(feeds(1))
    for number in range(2, 6):
        session.run(feeds(number))
    assert same(first, expected(feeds(1)))


def test_feeds_need_not_be_contiguous(open_: Open) -> None:
    fed = feeds(0)
    turned = {**fed, "lr": np.asfortranarray(fed["lr"])[:, :, ::-1]}
    assert same(open_().run(turned), expected({**fed, "lr": np.ascontiguousarray(turned["lr"])}))


def test_specs_come_from_the_engine(open_: Open) -> None:
    session = open_()
    assert list(map(str, session.inputs)) == [
        "lr float32[N, 1, 4, 4]",
        "noise float32[N, 1, 4, 4]",
        "share float32[1]",
    ]
    assert list(map(str, session.outputs)) == ["sr float32[N, 1, 8, 8]", "mean float32[N]"]
    assert session.batch == (1, 1, MOST)


def test_an_engine_of_fixed_shape_runs(open_: Open, tmp_path: Path) -> None:
    session = open_(write_engine(tmp_path / "fixed", text=GRAPH.replace("[N", "[2")))
    assert session.batch == (2, 2, 2)
    assert same(session.run(feeds(0, 2)), expected(feeds(0, 2)))


# any legal timing


def one_schedule(seed: int, engine: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(seed, integrated=seed % 5 == 0)
    install(monkeypatch, machine, cuda_python=seed % 3 != 0)
    with TensorRT(buffers=1 + seed % 3, timed=seed % 4 != 0).open(engine) as session:
        for got, fed in zip(session.stream(map(FED.__getitem__, range(4))), FED, strict=False):
            assert same(got, WANTED[id(fed)]), f"seed {seed}"
        last, out = FED[seed % 4], {"mean": np.empty(len(FED[seed % 4]["lr"]), np.float32)} if seed % 2 else None
        assert same(session.run(last, out=out), WANTED[id(last)]), f"seed {seed}"
    return machine


FED = [feeds(number, batch) for number, batch in enumerate((1, 1, 1, 2))]
WANTED = {id(fed): expected(fed) for fed in FED}


def test_a_thousand_random_schedules_give_the_same_bits(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1000):
        machine = one_schedule(seed, engine, monkeypatch)
        assert (machine.faults, machine.leaks()) == ([], []), f"seed {seed}"


def test_schedules_do_differ(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [one_schedule(seed, engine, monkeypatch) for seed in (1, 16)]
    assert machines[0].order != machines[1].order


def test_copies_overlap_the_compute_of_their_neighbours(machine: Machine, open_: Open) -> None:
    results = open_().stream(feeds(number) for number in range(3))
    next(results)
    # Picture 0 is back, so its copies and its inference ran; of picture 1 everything is queued and nothing had to run.
    assert machine.order.count("an inference") == 1
    assert [len(stream.queue) > 0 for stream in machine.streams.values()] == [True] * 3


# CUDA graphs


def test_a_graph_is_captured_after_one_warm_up_and_replayed(machine: Machine, open_: Open) -> None:
    session = open_(buffers=1)
    states = []
    for number in range(3):
        assert same(session.run(feeds(number)), expected(feeds(number)))
        states.append(session.cuda_graph)
    assert states == ["after a warm-up", "captured", "captured"]
    assert machine.names.count("cuGraphLaunch") == 2 and machine.names.count("execute_async_v3") == 2


def test_another_batch_captures_anew(machine: Machine, open_: Open) -> None:
    session = open_(buffers=1)
    for batch in (1, 1, 2, 2, 2, 1, 1):
        assert same(session.run(feeds(batch, batch)), expected(feeds(batch, batch)))
    assert machine.names.count("cuStreamBeginCapture") == 3


def test_a_fixed_shape_sets_nothing_again(machine: Machine, open_: Open) -> None:
    session = open_(buffers=1)
    for number in range(3):
        session.run(feeds(number))
    before = len(machine.names)
    session.run(feeds(3))
    assert not {"set_input_shape", "set_tensor_address", "execute_async_v3", "mem_alloc"} & {*machine.names[before:]}


def test_without_cuda_python_it_runs_and_says_so(
    machine: Machine, open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, machine, cuda_python=False)
    session = open_()
    assert all(same(session.run(fed), expected(fed)) for fed in fives())
    assert session.cuda_graph == "cuda-python is not installed"
    assert open_(cuda_graph=False).cuda_graph == "not wanted"


def test_what_cannot_be_captured_runs_plainly(machine: Machine, open_: Open) -> None:
    machine.refuses_capture = True
    session = open_(buffers=1)
    assert all(same(session.run(feeds(n)), expected(feeds(n))) for n in range(3))
    assert session.cuda_graph == "cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"


# zero-copy


@pytest.mark.parametrize("integrated", [False, True])
def test_memory_is_copied_unless_the_gpu_shares_it(integrated: bool, machine: Machine, open_: Open) -> None:
    machine.integrated = integrated
    session = open_()
    session.run(feeds(0))
    assert session.zero_copy is integrated
    assert ("memcpy_htod_async" in machine.names) is not integrated
    assert ("mem_alloc" in machine.names) is not integrated


# feeds that do not fit


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({"lr": np.zeros((9, 1, 4, 4), np.float32)}, UsageError, "lr has a batch of 9.*profile; expected 1 to 3"),
        ({"lr": np.zeros((2, 1, 4, 4), np.float32)}, EdgeSRError, "the batches differ: {'lr': 2, 'noise': 1}"),
        ({"lr": np.zeros((1, 1, 4, 5), np.float32)}, EdgeSRError, "lr: got float32"),
        ({"more": np.zeros(1)}, EdgeSRError, "no such input: more"),
    ],
)
def test_unfit_feeds_are_named(change: dict[str, np.ndarray], kind: type[Exception], reason: str, open_: Open) -> None:
    session = open_()
    with pytest.raises(kind, match=reason):
        session.run({**feeds(0), **change})
    assert same(session.run(feeds(0)), expected(feeds(0)))


def test_an_unfit_feed_in_a_stream_comes_after_the_results_before_it(open_: Open) -> None:
    results = open_(buffers=3).stream([feeds(0), feeds(1), {}])
    assert same(next(results), expected(feeds(0))) and same(next(results), expected(feeds(1)))
    with pytest.raises(EdgeSRError, match="lr: input is missing"):
        next(results)


def test_a_source_that_fails_is_heard_after_its_results(open_: Open) -> None:
    def source() -> Iterator[dict[str, np.ndarray]]:
        yield feeds(0)
        raise OSError("the disk is gone")

    results = open_().stream(source())
    assert same(next(results), expected(feeds(0)))
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


# streams that end early, and several at once


def test_a_stream_left_half_way_frees_its_buffers(open_: Open) -> None:
    session = open_()
    for _ in range(5):
        results = session.stream(feeds(number) for number in range(4))
        next(results)
        results.close()
    assert same(session.run(feeds(9)), expected(feeds(9)))


def test_run_between_two_results_of_a_stream(open_: Open) -> None:
    session = open_()
    for got, fed in zip(session.stream(fives()), fives(), strict=True):
        assert same(session.run(feeds(77)), expected(feeds(77))) and same(got, expected(fed))


def test_two_streams_in_turn(open_: Open) -> None:
    session = open_()
    for one, two, fed in zip(session.stream(fives()), session.stream(fives()), fives(), strict=True):
        assert same(one, expected(fed)) and same(two, expected(fed))


# the guard


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("sr = Div(lr, zero)", "sr holds NaN or Inf"),
        ("a = Mul(lr, zero)  sr = Div(a, zero)", "sr holds NaN or Inf"),
        ("sr = Mul(lr, zero)", "sr is one value all over for picture 1, its input is not"),
    ],
)
def test_broken_pictures_do_not_get_out(body: str, reason: str, open_: Open, tmp_path: Path) -> None:
    text = (
        GRAPH[: GRAPH.index("g (")] + "g (float[N,1,4,4] lr) => (float[N,1,4,4] sr) <float zero = {0}> {" + body + "}"
    )
    session = open_(write_engine(tmp_path / "broken", text=text))
    fed = {"lr": feeds(0, 2)["lr"]}
    fed["lr"][0] = 0.5
    with pytest.raises(AccuracyError, match=reason):
        session.run(fed)


def test_an_even_picture_may_be_clipped_to_one_value(open_: Open, tmp_path: Path) -> None:
    body = "g (float[N,1,4,4] lr) => (float[N,1,4,4] sr) <float one = {1}> { sr = Max(lr, one) }"
    session = open_(write_engine(tmp_path / "clip", text=GRAPH[: GRAPH.index("g (")] + body))
    assert (session.run({"lr": 0.95 + feeds(0)["lr"] / 20})["sr"] == 1).all()


def test_a_constant_picture_of_a_constant_one_is_right(open_: Open) -> None:
    fed = {**feeds(0), "lr": np.full((1, 1, 4, 4), 0.5, np.float32), "noise": np.zeros((1, 1, 4, 4), np.float32)}
    assert same(open_().run(fed), expected(fed))


# the device fails


def script(session: EngineSession) -> None:
    """Enough for each of two slots to capture a graph, replay it, and drop it."""
    list(session.stream(feeds(number, batch) for number, batch in enumerate((1, 1, 1, 1, 1, 1, 2))))
    session.run(feeds(0, 2))


def calls_of(integrated: bool, engine: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    machine = Machine(integrated=integrated)
    install(monkeypatch, machine)
    with TensorRT().open(engine) as session:
        script(session)
    return machine.calls


@pytest.mark.parametrize("integrated", [False, True])
def test_a_device_lost_at_any_call_is_one_kind_of_error(
    integrated: bool, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(1, calls_of(integrated, engine, monkeypatch) + 1):
        machine = Machine(integrated=integrated)
        machine.lost_at = at
        install(monkeypatch, machine)
        try:
            with TensorRT().open(engine) as session:
                script(session)
        except DeviceLost as error:
            assert code_of(error) == 71
        else:
            assert machine.names[at - 1] in ENDING, f"call {at}, {machine.names[at - 1]}, failed unheard"
        assert (machine.faults, machine.leaks()) == ([], []), f"call {at}"


@pytest.mark.parametrize("integrated", [False, True])
def test_ctrl_c_at_any_call_leaves_a_session_that_works_and_closes(
    integrated: bool, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(1, calls_of(integrated, engine, monkeypatch) + 1):
        machine = Machine(integrated=integrated)
        install(monkeypatch, machine)
        with TensorRT().open(engine) as session:
            machine.interrupt_at = machine.calls + at
            with contextlib.suppress(KeyboardInterrupt):
                script(session)
            machine.interrupt_at = None
            assert same(session.run(feeds(8)), expected(feeds(8))), f"call {at}"
        assert (machine.faults, machine.leaks()) == ([], []), f"call {at}"


@pytest.mark.parametrize("integrated", [False, True])
def test_ctrl_c_while_it_opens_leaves_nothing(integrated: bool, engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(1, calls_of(integrated, engine, monkeypatch) + 1):
        machine = Machine(integrated=integrated)
        machine.interrupt_at = at
        install(monkeypatch, machine)
        try:
            session = TensorRT().open(engine)
        except KeyboardInterrupt:
            assert (machine.faults, machine.leaks()) == ([], []), f"call {at}, {machine.names[at - 1]}"
        else:
            machine.interrupt_at = None  # it was open before that call
            session.close()
            break


# What fails while a session is closed has done its work and is not worth an error.
ENDING = {"push", "pop", "Stream.synchronize", "free", "host free", "detach", "cuGraphDestroy", "cuGraphExecDestroy"}


def test_a_lost_device_stays_lost(machine: Machine, open_: Open) -> None:
    session = open_()
    machine.lost_at = machine.calls + 4
    for _ in range(2):
        with pytest.raises(DeviceLost, match="g.engine: the GPU failed: .*launch timed out"):
            session.run(feeds(0))
        machine.lost_at = None


def test_too_little_gpu_memory_is_no_lost_device(machine: Machine, open_: Open) -> None:
    machine.free_mib = 0
    with pytest.raises(EnvironmentFault, match="not enough GPU memory") as caught:
        open_()
    assert not isinstance(caught.value, DeviceLost)


# the end


def test_closing_twice_is_fine_and_a_closed_session_refuses(open_: Open) -> None:
    session = open_()
    session.run(feeds(0))
    session.close()
    session.close()
    with pytest.raises(EdgeSRError, match="session is closed"):
        session.run(feeds(0))


def test_closing_inside_a_stream(machine: Machine, open_: Open) -> None:
    session = open_()
    results = session.stream(fives())
    next(results)
    session.close()
    with pytest.raises(EdgeSRError, match="session is closed"):
        next(results)
    assert machine.leaks() == []


def test_a_forgotten_session_gives_all_back(machine: Machine, open_: Open, engine: Path) -> None:
    session = TensorRT().open(engine)
    next(session.stream(fives()))
    del session
    gc.collect()
    assert machine.leaks() == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_sessions_end_in_any_order(order: tuple[int, int], open_: Open) -> None:
    sessions = [open_(), open_()]
    for number in order:
        sessions[number].run(feeds(number))
        sessions[number].close()


def test_any_thread_may_run_and_close(machine: Machine, open_: Open) -> None:
    session, results = open_(), []

    def work() -> None:
        results.append(session.run(feeds(1)))
        session.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert same(results[0], expected(feeds(1))) and machine.leaks() == []


def test_threads_take_turns(open_: Open) -> None:
    session, wrong, done = open_(), [], []

    def work(number: int) -> None:
        fed = [feeds(number, 1 + number % MOST)] * 10
        for got in map(session.run, fed) if number % 2 else session.stream(fed):
            if not same(got, expected(fed[0])):
                wrong.append(number)
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and sorted(done) == [0, 1, 2, 3]


def test_an_exception_in_the_caller_leaves_nothing(machine: Machine, open_: Open, engine: Path) -> None:
    with pytest.raises(ZeroDivisionError), TensorRT().open(engine) as session:
        for _ in session.stream(fives()):
            raise ZeroDivisionError
    assert machine.leaks() == []


AT_EXIT = """
import atexit, sys
import pytest
from pathlib import Path
from tests.sim.engines import feeds
from tests.sim.install import install
from tests.sim.machine import Machine
machine = Machine()
atexit.register(lambda: print(machine.faults, machine.leaks()))  # runs after what is registered later
install(pytest.MonkeyPatch(), machine)
from edge_sr.backends.trt import TensorRT
session = TensorRT().open(Path(sys.argv[1]))
results = session.stream(feeds(number) for number in range(4))
next(results)
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1 / 0"])
def test_an_interpreter_that_exits_releases_what_is_open(end: str, engine: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    words = [sys.executable, "-c", AT_EXIT + end, str(engine)]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "[] []\n", done.stderr
    assert "Exception ignored" not in done.stderr


# what is not there


def test_no_gpu_means_no_tensorrt_object(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "load_library", lambda: LibCuda(machine, fails={"cuInit": 100}))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EnvironmentFault, match="CUDA does not start: cuInit says 'no CUDA-capable"):
        TensorRT()


@pytest.mark.parametrize(("module", "hint"), [("tensorrt", "python3-libnvinfer"), ("pycuda.driver", "pycuda")])
def test_a_missing_package_says_what_to_type(
    module: str, hint: str, machine: Machine, engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, machine)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(EnvironmentFault, match=hint):
        TensorRT().open(engine)


def test_files_that_are_no_engines_are_named(machine: Machine, open_: Open, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"hello")
    older = write_engine(tmp_path / "older", version="8.6.1")
    for file, reason in (
        (tmp_path / "bad", "does not load it"),
        (older, "built by 8.6.1"),
        (tmp_path / "no", "no such"),
    ):
        with pytest.raises(IntegrityError, match=rf"{file.name}: .*{reason}"):
            open_(file)
    assert machine.leaks() == []


def test_it_says_that_it_is_simulated(open_: Open) -> None:
    assert open_().simulated
    backend = TensorRT()
    assert (backend.name, backend.version, backend.simulated) == ("tensorrt", "10.3.0 simulated, CUDA 12.6", True)


def test_the_machine_of_its_engines_is_the_gpu(open_: Open) -> None:
    machine = machine_for(TensorRT(), read_facts())
    assert (machine.device, machine.compute_capability, machine.sm_count) == ("Simulated GPU", "8.7", 8)
    assert "simulated" in machine.backend_version


def test_it_keeps_the_two_protocols(open_: Open) -> None:
    backend: Backend = TensorRT()
    session: Session = open_()
    assert backend.name == "tensorrt" and session.inputs


def test_buffers_are_counted_from_one() -> None:
    with pytest.raises(UsageError, match="got 0 sets of buffers"):
        TensorRT(buffers=0)
