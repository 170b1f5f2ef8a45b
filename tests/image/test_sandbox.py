from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image import zygote_link
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import Colour, Radiograph, radiograph_of
from edge_sr.image.refusals import Refused
from edge_sr.image.sandbox import Decoder, DecoderFault
from edge_sr.image.system_calls import NEEDED
from edge_sr.image.zygote_link import ZygoteLink
from tests.image.bombs import BOMBS

GREY8, GREY16 = chest_phantom(64), chest_phantom(64, bit_depth=16)
COLOUR = np.stack([GREY8, GREY8[::-1], GREY8.T], axis=-1)
GOOD = encode_png(GREY8, text={})
SECRET = "DOE^JOHN"

T = TypeVar("T")

# What a child may do to its parent, by the first bytes of its file.
PLANTED = """
import ctypes, os, signal
from edge_sr.image import answers, zygote
honest = zygote.answer_to
def header(**fields):
    return answers._header(fields)
def plain(shape, note=""):
    return header(shape=shape, dtype="uint8", note=note)
def hog():
    kept = []
    while True:
        kept.append(bytes(1 << 22))
def busy():
    while True:
        pass
def planted(content, rules):
    act = ACTS.get(os.pread(content, 32, 0).decode("latin-1"))
    answer = act() if act else honest(content, rules)
    return [answer] if isinstance(answer, bytes) else answer
ACTS = {
    "segv": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "trap": lambda: signal.raise_signal(signal.SIGTRAP),
    "exit": lambda: os._exit(7),
    "leave": lambda: os._exit(0),
    "raise": lambda: 1 / 0,
    "hang": lambda: os.read(zygote.WAY, 1),
    "busy": busy,
    "hog": hog,
    "nothing": lambda: b"",
    "noise": lambda: bytes(range(256)) * 40,
    "no JSON": lambda: answers.LENGTH.pack(4) + b"{[{[",
    "deep JSON": lambda: answers.LENGTH.pack(1000) + b"[" * 1000,
    "long header": lambda: answers.LENGTH.pack(2000) + b" " * 2000,
    "too little": lambda: plain([64, 64]) + bytes(4095),
    "too much": lambda: plain([64, 64]) + bytes(4097),
    "for ever": lambda: iter(lambda: bytes(1 << 16), None),
    "too large": lambda: plain([1 << 20, 1 << 20]) + bytes(4096),
    "too small": lambda: plain([2, 2]) + bytes(4),
    "negative": lambda: plain([-64, -64]) + bytes(4096),
    "true": lambda: plain([64, True]) + bytes(64),
    "flat": lambda: plain([4096]) + bytes(4096),
    "colour": lambda: plain([64, 64, 3]) + bytes(3 * 4096),
    "objects": lambda: header(shape=[64, 64], dtype="object", note="") + bytes(8 * 4096),
    "a note": lambda: plain([64, 64], "DOE^JOHN") + bytes(4096),
    "another field": lambda: header(shape=[64, 64], dtype="uint8", note="", exif="DOE^JOHN") + bytes(4096),
    "a reason": lambda: header(refused="DOE^JOHN", numbers=[]),
    "no numbers": lambda: header(refused="too-small", numbers=[]),
    "words": lambda: header(refused="too-small", numbers=["DOE^JOHN", 1, 8]),
    "refused and more": lambda: header(refused="colour", numbers=[]) + b"x",
    "linger": lambda: linger(),
    "forbidden": lambda: forbidden(),
    "open": lambda: open("/etc/passwd"),
    "socket": lambda: __import__("socket").socket(),
    "write": lambda: plain([64, 64]) + bytes([os.write(2, b"DOE^JOHN")] * 4096),
}
def forbidden():
    deeds = [os.fork, lambda: os.kill(1, 0), lambda: os.execv("/bin/true", ["true"]),
             lambda: os.open("/etc/passwd", os.O_RDONLY), lambda: os.ftruncate(4, 0), lambda: os.setsid()]
    for deed in deeds:
        try:
            deed()
        except PermissionError:
            continue
        os._exit(1)
    return plain([64, 64]) + bytes(4096)
def linger():
    yield plain([64, 64]) + bytes(4096)
    os.close(zygote.WAY)
    busy()
zygote.answer_to = planted
"""
BOOT = zygote_link.BOOT.replace("serve(int", f"exec({PLANTED!r})\nserve(int")


class PlantedDecoder(Decoder):
    def _start(self) -> ZygoteLink:
        return ZygoteLink(json.dumps(asdict(self._rules)), boot=BOOT)


@contextlib.contextmanager
def opened(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("picture")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield descriptor
    finally:
        os.close(descriptor)


def decode(decoder: Decoder, content: bytes) -> Radiograph:
    with opened(content) as descriptor:
        return decoder.decode(descriptor)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(max_pixels=4_000_000, colour="refuse") as decoder:
        yield decoder


@pytest.fixture(scope="module")
def planted() -> Iterator[Decoder]:
    with PlantedDecoder(max_pixels=4_000_000, colour="refuse", memory_bytes=200 << 20) as decoder:
        yield decoder


def saved(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, kind, **options)
    return file.getvalue()


# --- The same as in this process --------------------------------------------------------------------------------------

EXIF = Image.Exif()
EXIF[274], EXIF[0x010E] = 6, SECRET
TEXT = PngInfo()
TEXT.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="8"/>', zip=True)
FILES: dict[str, Callable[[], bytes]] = {
    "8-bit PNG": lambda: GOOD,
    "16-bit PNG": lambda: encode_png(GREY16, text={}),
    "interlaced": lambda: saved(GREY8, "PNG", interlace=1, exif=EXIF),
    "palette": lambda: saved(Image.fromarray(COLOUR).quantize(16), "PNG"),
    "XMP": lambda: saved(GREY8[:, :32], "PNG", pnginfo=TEXT),
    "alpha": lambda: saved(Image.fromarray(GREY8).convert("RGBA"), "PNG"),
    "1-bit": lambda: saved(GREY8 > 99, "TIFF", compression="group4"),
    "JPEG": lambda: saved(GREY8[:, :32], "JPEG", exif=EXIF),
    "progressive": lambda: saved(COLOUR, "JPEG", progressive=True),
    "CMYK": lambda: saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"),
    "LZW": lambda: saved(GREY16, "TIFF", compression="tiff_lzw"),
    "deflate": lambda: saved(GREY8, "TIFF", compression="tiff_adobe_deflate"),
    "BigTIFF": lambda: saved(GREY16, "TIFF", big_tiff=True),
    "32-bit": lambda: saved(GREY16.astype(np.int32), "TIFF"),
    "float": lambda: saved(GREY8.astype(np.float32), "TIFF"),
    "colour": lambda: saved(COLOUR, "PNG"),
    "cut": lambda: GOOD[:-40],
    "flipped": lambda: GOOD[:60] + b"x" + GOOD[61:],
    "cut JPEG": lambda: saved(GREY8, "JPEG")[:900],
    "text": lambda: b"hello",
    "small": lambda: encode_png(GREY8[:4], text={}),
}


@pytest.mark.parametrize("colour", ["refuse", "luma", "rgb"])
def test_what_comes_back_is_what_reading_in_this_process_gives(colour: Colour) -> None:
    with Decoder(max_pixels=1_000_000, colour=colour) as decoder:
        for name, make in FILES.items():
            content = make()
            try:
                want = radiograph_of(content, colour=colour)
            except Refused as refused:
                with pytest.raises(Refused) as told:
                    decode(decoder, content)
                assert (told.value.code, told.value.numbers) == (refused.code, refused.numbers), name
                continue
            got = decode(decoder, content)
            np.testing.assert_array_equal(got.pixels, want.pixels, err_msg=name)
            assert (got.pixels.dtype, got.bit_depth, got.sha256) == (want.pixels.dtype, want.bit_depth, want.sha256)
            assert (got.note, got.chroma is None) == (want.note, want.chroma is None), name
            np.testing.assert_equal(got.chroma, want.chroma, err_msg=name)


def test_a_large_picture_comes_back_whole(decoder: Decoder) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (1500, 2000), np.uint16)
    np.testing.assert_array_equal(decode(decoder, encode_png(pixels, text={}, level=0)).pixels, pixels)


def test_the_position_in_the_file_neither_matters_nor_moves(decoder: Decoder) -> None:
    with opened(GOOD) as descriptor:
        for position in (0, 99, len(GOOD)):
            os.lseek(descriptor, position, os.SEEK_SET)
            np.testing.assert_array_equal(decoder.decode(descriptor).pixels, GREY8)
            assert os.lseek(descriptor, 0, os.SEEK_CUR) == position


def test_a_hash_that_is_known_is_taken(decoder: Decoder) -> None:
    with opened(GOOD) as descriptor:
        assert decoder.decode(descriptor, sha256="ab").sha256 == "ab"


def test_what_is_no_file_with_something_in_it_is_refused(decoder: Decoder, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="empty"):
        decode(decoder, b"")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(InputError, match="regular"):
        decoder.decode(folder)
    os.close(folder)
    with opened(b"") as descriptor, pytest.raises(Refused, match="at most 48777216 bytes"):
        os.ftruncate(descriptor, 48_777_217)
        decoder.decode(descriptor)


def test_an_unknown_colour_treatment_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        Decoder(max_pixels=100, colour="keep")  # type: ignore[arg-type]


def test_no_message_quotes_the_file(decoder: Decoder) -> None:
    """Its own words would be in Pillow's: of a chunk's name, of text that is not UTF-8, of an EXIF value."""
    name = saved(GREY8, "PNG").replace(b"IDAT", b"JOHN")
    comment = GOOD[:33] + b"\0\0\0\x04JoHnDoe^\0\0\0\0" + GOOD[33:]
    header = b"II*\0" + SECRET.encode() * 9
    for content in (name, comment, header, saved(GREY8, "TIFF", exif=EXIF)[:400], SECRET.encode() * 9):
        with pytest.raises(InputError) as told:
            decode(decoder, content)
        assert "doe" not in str(told.value).lower() and "john" not in str(told.value).lower()


# --- Children that go wrong -------------------------------------------------------------------------------------------

CRASHED = ["segv", "abort", "trap", "exit", "leave", "raise", "nothing", "noise", "no JSON", "deep JSON", "long header",
           "too little", "too much", "for ever", "too large", "too small", "negative", "true", "flat", "colour",
           "objects", "a note", "another field", "a reason", "no numbers", "words", "refused and more",
           "open", "socket"]  # fmt: skip


@pytest.mark.parametrize("act", CRASHED)
def test_a_child_that_goes_wrong_is_a_fault_of_its_file_alone(planted: Decoder, act: str) -> None:
    with pytest.raises(DecoderFault) as told:
        decode(planted, act.encode())
    assert told.value.reason == "decoder-crashed" and SECRET not in str(told.value)
    np.testing.assert_array_equal(decode(planted, GOOD).pixels, GREY8)


def test_a_child_that_wants_too_much_memory_is_told_so(planted: Decoder) -> None:
    with pytest.raises(DecoderFault, match="at most 200 MiB") as told:
        decode(planted, b"hog")
    assert told.value.reason == "decoder-memory"
    np.testing.assert_array_equal(decode(planted, GOOD).pixels, GREY8)


def test_a_picture_that_wants_too_much_memory_is_told_so() -> None:
    large = saved(np.zeros((1500, 1500), np.uint16), "TIFF", compression="tiff_lzw")
    with Decoder(max_pixels=4_000_000, colour="refuse", memory_bytes=2 << 20) as decoder:
        with pytest.raises(DecoderFault) as told:
            decode(decoder, large)
        assert told.value.reason == "decoder-memory"
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


@pytest.mark.skipif(os.uname().machine not in NEEDED, reason="the filter knows x86_64 and aarch64")
def test_a_child_can_reach_no_process_and_no_file(planted: Decoder) -> None:
    decode(planted, GOOD)
    if "Seccomp" not in fields(os.getpid()):
        pytest.skip("this kernel has no seccomp")
    assert not decode(planted, b"forbidden").pixels.any()


@pytest.mark.parametrize("act", ["hang", "busy"])
def test_a_child_that_does_not_end_is_ended(act: str) -> None:
    with PlantedDecoder(max_pixels=10_000, colour="refuse", seconds=0.5) as decoder:
        with pytest.raises(DecoderFault, match=r"at most 0\.5 s") as told:
            decode(decoder, act.encode())
        assert told.value.reason == "decoder-timeout"
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


def test_a_child_that_stays_behind_its_answer_is_ended(planted: Decoder) -> None:
    assert not decode(planted, b"linger").pixels.any()
    np.testing.assert_array_equal(decode(planted, GOOD).pixels, GREY8)
    assert len(waited_for(lambda: planted.pids, lambda pids: len(pids) == 2)) == 2


def test_what_a_child_writes_to_stderr_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    with PlantedDecoder(max_pixels=10_000, colour="refuse") as decoder:
        decode(decoder, b"write")
    assert capfd.readouterr() == ("", "")


@pytest.fixture(scope="module")
def hurried() -> Iterator[Decoder]:
    with Decoder(max_pixels=4_000_000, colour="refuse", seconds=2) as decoder:
        yield decoder


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_or_decoded_within_its_limits(hurried: Decoder, name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        assert decode(hurried, BOMBS[name]).pixels.size <= 4_000_000
    except InputError as told:
        assert isinstance(told, Refused | DecoderFault)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


# --- The processes ----------------------------------------------------------------------------------------------------


def waited_for(look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 10) -> T:
    """What look gives once it is wanted, or at the end."""
    end = time.monotonic() + seconds
    while not wanted(found := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def fields(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_is_killed_between_files_is_replaced(which: int) -> None:
    with Decoder(max_pixels=10_000, colour="refuse") as decoder:
        for _ in range(3):
            np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)
            os.kill(waited_for(lambda: decoder.pids, lambda pids: len(pids) == 2)[which], signal.SIGKILL)


def test_the_zygote_killed_at_work_is_replaced_and_the_file_decoded_again() -> None:
    with PlantedDecoder(max_pixels=10_000, colour="refuse", seconds=3) as decoder:
        decode(decoder, GOOD)
        first = decoder.pids[0]
        killer = threading.Timer(0.3, os.kill, (first, signal.SIGKILL))
        killer.start()
        with pytest.raises(DecoderFault) as told:
            decode(decoder, b"hang")
        killer.join()
        assert told.value.reason == "decoder-timeout"
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)
        assert decoder.pids[0] != first


@pytest.mark.parametrize(("kills", "reason"), [(1, "decoder-timeout"), (3, "decoder-crashed")])
def test_a_child_killed_at_work_is_replaced_and_the_file_decoded_again(kills: int, reason: str) -> None:
    with PlantedDecoder(max_pixels=10_000, colour="refuse", seconds=3) as decoder:
        decode(decoder, GOOD)
        killers = [
            threading.Timer(0.7 * (number + 1), lambda: os.kill(decoder.pids[1], signal.SIGKILL))
            for number in range(kills)
        ]
        for killer in killers:
            killer.start()
        with pytest.raises(DecoderFault) as told:
            decode(decoder, b"hang")
        for killer in killers:
            killer.join()
        assert told.value.reason == reason
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


def test_where_no_child_can_be_forked_the_next_file_tries_again() -> None:
    """The parent of the planted zygote takes its right to fork away for two forks."""
    failing = (
        PLANTED
        + """
fork, left = os.fork, [2]
def scarce():
    if left[0]:
        left[0] -= 1
        raise BlockingIOError(11, "no process")
    return fork()
os.fork = scarce
"""
    )
    with Decoder(max_pixels=10_000, colour="refuse") as decoder:
        decoder.close()
        decoder._zygote = ZygoteLink(
            json.dumps(asdict(decoder._rules)),
            boot=zygote_link.BOOT.replace("serve(int", f"exec({failing!r})\nserve(int"),
        )
        for _ in range(2):
            with pytest.raises(EnvironmentFault, match="no process can be started"):
                decode(decoder, GOOD)
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


def test_nothing_is_left_over_after_many_files(decoder: Decoder) -> None:
    def held() -> tuple[int, int, int]:
        pids = waited_for(lambda: decoder.pids, lambda pids: len(pids) == 2)
        ours, zygotes = (len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in ("self", pids[0]))
        return ours, zygotes, len(pids)

    decode(decoder, GOOD)
    before = held()
    for number in range(100):
        with contextlib.suppress(InputError):
            decode(decoder, GOOD[: len(GOOD) - number % 2])
    assert held() == before


def test_closing_ends_the_processes_and_a_later_file_starts_them_again() -> None:
    decoder = Decoder(max_pixels=10_000, colour="refuse")
    decode(decoder, GOOD)
    pids = decoder.pids
    decoder.close()
    decoder.close()
    assert decoder.pids == () and not any(waited_for(lambda: [alive(pid) for pid in pids], lambda up: not any(up)))
    np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)
    decoder.close()


@pytest.mark.parametrize("act", [b"hang", GOOD])
def test_the_processes_end_with_a_parent_that_is_killed(act: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(act)
    script = f"""
        import os, sys, threading
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from tests.image.test_sandbox import GOOD, PlantedDecoder, decode
        decoder = PlantedDecoder(max_pixels=10_000, colour="refuse", seconds=60)
        decode(decoder, GOOD)
        threading.Timer(0.3, lambda: print(*decoder.pids, flush=True)).start()
        decode(decoder, open({str(tmp_path / "file")!r}, "rb").read())
        threading.Event().wait(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(map(alive, pids))
        parent.kill()
    assert not any(waited_for(lambda: [alive(pid) for pid in pids], lambda up: not any(up)))


def test_signals_of_the_terminal_and_of_systemd_pass_it_by(decoder: Decoder) -> None:
    decode(decoder, GOOD)
    pids = waited_for(lambda: decoder.pids, lambda pids: len(pids) == 2)
    assert all(os.getsid(pid) != os.getsid(0) for pid in pids)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for pid in pids:
            os.kill(pid, number)
    np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)
    assert decoder.pids[0] == pids[0]


def test_a_child_is_confined(decoder: Decoder) -> None:
    decode(decoder, GOOD)
    zygote, child = waited_for(lambda: decoder.pids, lambda pids: len(pids) == 2)
    status = waited_for(lambda: fields(child), lambda status: status["NoNewPrivs"] == "1")
    assert (status["NoNewPrivs"], status["Threads"], fields(zygote)["Threads"]) == ("1", "1", "1")
    limits = waited_for(
        lambda: Path(f"/proc/{child}/limits").read_text(), lambda text: "Max processes             0" in text
    )
    for line in ("Max core file size        0", "Max file size             0", "Max cpu time              11"):
        assert line in limits
    assert "Max address space         unlimited" not in limits
    with contextlib.suppress(FileNotFoundError):
        assert Path(f"/proc/{child}/oom_score_adj").read_text() == "1000\n"


def test_neither_the_environment_nor_the_folder_says_what_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "numpy.py").write_text("raise SystemExit")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with Decoder(max_pixels=10_000, colour="refuse") as decoder:
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


def test_a_start_that_fails_is_no_fault_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_link, "BOOT", "raise ImportError('no such library')")
    monkeypatch.setattr(Decoder, "_start", lambda self: ZygoteLink("{}", boot=zygote_link.BOOT))
    with Decoder(max_pixels=10_000, colour="refuse") as decoder:
        for _ in range(2):
            with pytest.raises(EnvironmentFault, match="no such library"):
                decode(decoder, GOOD)
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    with pytest.raises(EnvironmentFault, match="No such file"):
        Decoder(max_pixels=10_000, colour="refuse")


def test_no_descriptor_to_spare_is_no_fault_of_the_file(decoder: Decoder) -> None:
    decode(decoder, GOOD)
    was = resource.getrlimit(resource.RLIMIT_NOFILE)
    with opened(GOOD) as descriptor:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptor + 1, was[1]))
        try:
            spares = []
            with contextlib.suppress(OSError):
                while True:
                    spares.append(os.dup(descriptor))
            with pytest.raises(EnvironmentFault):
                decoder.decode(descriptor)
                decoder.decode(descriptor)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, was)
            for spare in spares:
                os.close(spare)
        np.testing.assert_array_equal(decoder.decode(descriptor).pixels, GREY8)


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_an_interruption_leaves_the_decoder_fit_for_the_next_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with Decoder(max_pixels=10_000, colour="refuse") as decoder:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(
                "edge_sr.image.sandbox.read_answer", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
            )
            decode(decoder, GOOD)
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)


def test_several_threads_take_turns(decoder: Decoder) -> None:
    right: list[bool] = []
    threads = [
        threading.Thread(target=lambda: right.append(np.array_equal(decode(decoder, GOOD).pixels, GREY8)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 6


def test_the_zygote_outlives_the_thread_that_started_it() -> None:
    made: list[Decoder] = []
    maker = threading.Thread(target=lambda: made.append(Decoder(max_pixels=10_000, colour="refuse")))
    maker.start()
    maker.join()
    with made[0] as decoder:
        pid = decoder.pids[0]
        np.testing.assert_array_equal(decode(decoder, GOOD).pixels, GREY8)
        assert decoder.pids[0] == pid


def descriptors(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return [each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir()]
    return []


def test_a_child_that_waits_holds_no_descriptor_but_its_socket() -> None:
    with Decoder(max_pixels=10_000, colour="refuse") as decoder, opened(GOOD) as descriptor:
        os.set_inheritable(descriptor, True)
        decoder.decode(descriptor)
        held = waited_for(
            lambda: sorted(map(str, descriptors(decoder.pids[-1]))), lambda held: "socket" in "".join(held[3:4])
        )
        assert held[:3] == ["/dev/null"] * 3 and held[3].startswith("socket:") and len(set(held[3:])) == 1
