"""The judge of the order of calls must be able to say no."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.order import Order, parse

JOB = "0123456789abcdef0123456789abcdef"
OUT, WORK, DONE = "/s/outgoing", "/s/work", "/s/done"


def made(suffix: str) -> list[str]:
    part = f".{JOB}.{suffix}.part"
    return [
        f'9 openat(5<{OUT}>, "{part}", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0666) = 8<{OUT}/{part}>',
        f'9 write(8<{OUT}/{part}>, ""..., 900) = 900',
        f"9 fsync(8<{OUT}/{part}>) = 0",
    ]


def shown(suffix: str) -> str:
    return f'9 renameat2(5<{OUT}>, ".{JOB}.{suffix}.part", 5<{OUT}>, "a_x4.{suffix}", RENAME_NOREPLACE) = 0'


SETTLED = f"9 fsync(5<{OUT}>) = 0"
DROPPED = f'9 renameat2(4<{WORK}>, "{JOB}/a.png", 6<{DONE}>, "a.png", RENAME_NOREPLACE) = 0'
LET_GO = f"9 fsync(6<{DONE}>) = 0"
RIGHT = [*made("json"), *made("png"), shown("json"), shown("png"), SETTLED, DROPPED, LET_GO]


def judged(lines: list[str]) -> Order:
    return Order(Path("/s")).follow(parse(lines))


def without(line: str) -> list[str]:
    return [each for each in RIGHT if each != line]


def test_the_right_order_has_no_fault() -> None:
    order = judged(RIGHT)
    assert (order.faults, order.published, order.dropped) == ([], 1, 1)


@pytest.mark.parametrize("suffix", ["json", "png"])
def test_a_file_without_fsync_is_seen(suffix: str) -> None:
    assert "without an fsync" in judged(without(made(suffix)[2])).faults[0]


def test_a_write_after_the_fsync_is_seen() -> None:
    again = made("png")[1]
    place = RIGHT.index(shown("json"))
    assert "without an fsync" in judged([*RIGHT[:place], again, *RIGHT[place:]]).faults[0]


def test_a_folder_without_fsync_is_seen() -> None:
    assert "before outgoing was fsynced" in judged(without(SETTLED)).faults[0]


def test_a_folder_fsynced_too_early_is_seen() -> None:
    early = [each for each in RIGHT if each != SETTLED]
    early.insert(early.index(shown("png")), SETTLED)
    assert "before outgoing was fsynced" in judged(early).faults[0]


def test_a_claim_dropped_first_is_seen() -> None:
    assert "before the result was published" in judged([DROPPED, LET_GO, *RIGHT[:-2]]).faults[0]


def test_a_picture_before_its_sidecar_is_seen() -> None:
    swapped = [*made("json"), *made("png"), shown("png"), shown("json"), SETTLED, DROPPED, LET_GO]
    assert "before its sidecar" in judged(swapped).faults[0]


def test_a_write_under_the_visible_name_is_seen() -> None:
    in_place = f'9 openat(5<{OUT}>, "a_x4.png", O_WRONLY|O_CREAT|O_TRUNC, 0644) = 8<{OUT}/a_x4.png>'
    assert "visible name" in judged([in_place, *RIGHT]).faults[0]


def test_done_without_fsync_is_seen() -> None:
    assert "done was not fsynced" in judged(without(LET_GO)).faults[0]


def test_a_call_that_failed_counts_as_none() -> None:
    failed = SETTLED.replace("= 0", "= -1 EIO (Input/output error) (INJECTED)")
    assert judged([failed if each == SETTLED else each for each in RIGHT]).faults


def test_calls_of_two_threads_are_put_together() -> None:
    (call,) = parse(
        [f"7 fsync(5<{OUT}> <unfinished ...>", "8 fsync(6</x> <unfinished ...>", "7 <... fsync resumed>) = 0"]
    )
    assert (call.name, call.paths) == ("fsync", (OUT,))


def test_a_hostile_name_is_read_whole() -> None:
    (call,) = parse([r'7 openat(5</s>, "a, \"b\\\n)\377 = 1", O_RDONLY) = 8</s/a, "b\\\n)\377 = 1>'])
    assert call.paths == ('/s/a, "b\\\n)\udcff = 1',)
