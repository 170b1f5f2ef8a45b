"""edge_sr/demo/app.py: what the page asks for, asked without a socket."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from edge_sr.demo.folder import FolderPlan
from edge_sr.demo.serve import Place, Show, application
from edge_sr.device.power.recorder import Recorder
from edge_sr.errors import EnvironmentFault
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.png import encode_png
from tests.conftest import RunCli
from tests.demo.meters import TwoWatts
from tests.demo.pictures import parsed, png
from tests.demo.serving import LIMITS


def upscaled(client: TestClient, content: bytes = b"", **words: object) -> tuple[dict, dict[str, np.ndarray]]:
    answer = client.post("/api/upscale", params=words, content=content)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return parsed(answer.content)


def fault(client: TestClient, path: str = "/api/upscale", content: bytes = b"", **words: object) -> tuple[int, dict]:
    answer = client.post(path, params=words, content=content)  # type: ignore[arg-type]
    return answer.status_code, answer.json()["error"]


def test_a_picture_comes_back_with_its_views(client: TestClient) -> None:
    header, planes = upscaled(client, png(48, width=40))
    assert {name: plane.shape for name, plane in planes.items()} == {
        "input": (48, 40),
        "bicubic": (192, 160),
        "result": (192, 160),
    }
    assert lr_rmse(planes["result"], planes["input"]) == pytest.approx(header["provenance"]["lr_rmse"], abs=1e-3)
    assert "decode" in header["phases_ms"] and header["scores"] is None


def test_sixteen_bits_stay_sixteen(client: TestClient) -> None:
    _, planes = upscaled(client, png(bits=16))
    assert {plane.dtype for plane in planes.values()} == {np.dtype(np.uint16)}


def test_colour_becomes_luma_and_is_told(client: TestClient) -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(file, "png")
    header, planes = upscaled(client, file.getvalue())
    assert planes["result"].ndim == 2 and "luma" in header["note"]


def test_a_picture_is_made_again_without_uploading_it_again(client: TestClient) -> None:
    first, before = upscaled(client, png(), fidelity=0, seed=1)
    again, after = upscaled(client, picture=first["picture"], fidelity=0, seed=2, result_only=1)
    assert list(after) == ["result"] and not np.array_equal(before["result"], after["result"])
    assert again["provenance"]["seed"] == 2 and again["picture"] == first["picture"]


def test_the_same_wish_gives_the_same_pixels(client: TestClient) -> None:
    runs = [upscaled(client, png(), fidelity=0.5, seed=3)[1]["result"] for _ in range(2)]
    assert np.array_equal(*runs)


def test_another_model_may_be_asked_for(client: TestClient) -> None:
    models = client.get("/api/about").json()["models"]
    assert [each["draws_noise"] for each in models] == [True, False]
    header, _ = upscaled(client, png(), model=models[1]["word"])
    assert header["provenance"]["seed"] is None


def test_a_sample_has_its_truth_and_scores(client: TestClient) -> None:
    header, planes = upscaled(client, sample=3)
    assert planes["truth"].shape == (256, 256) and header["has_truth"]
    assert set(header["scores"]["result"]) == {"psnr_db", "ssim", "haarpsi"}


def test_a_large_picture_may_be_made_smaller_first(client: TestClient) -> None:
    status, told = fault(client, content=png(160))
    assert (status, told["code"]) == (422, "too-large") and told["hint"]
    header, planes = upscaled(client, png(160), reduce=1)
    assert planes["input"].shape == (40, 40) and header["scores"]["whole"]


def test_a_truth_is_scored_and_stays_with_the_picture(client: TestClient) -> None:
    first, planes = upscaled(client, png(16))
    truth = encode_png(planes["result"], text={})
    answer = client.post("/api/truth", params={k: first[k] for k in ("picture", "result")}, content=truth)
    header, given = parsed(answer.content)
    assert header["scores"]["result"]["psnr_db"] is None and np.array_equal(given["truth"], planes["result"])
    again, _ = upscaled(client, picture=header["picture"])
    assert again["scores"]["result"]["ssim"] == 1


def test_a_truth_of_another_size_is_declined(client: TestClient) -> None:
    first, _ = upscaled(client, png(16))
    status, told = fault(client, "/api/truth", png(60), **{k: first[k] for k in ("picture", "result")})
    assert status == 422 and told["expected"] == "64x64, 4 times the picture's"


def test_the_spread_is_over_seeds_at_fidelity_zero_where_nothing_is_drawn(client: TestClient) -> None:
    first, _ = upscaled(client, png(16))
    answer = client.post("/api/spread", params={"picture": first["picture"], "fidelity": 1})
    header, planes = parsed(answer.content)
    assert (header["seeds"], header["fidelity"]) == (8, 0.0)
    assert planes["spread"].dtype == np.float32 and planes["spread"].max() > 0


def test_a_model_that_draws_nothing_has_no_spread(client: TestClient) -> None:
    first, _ = upscaled(client, png(16), model="bundle-1")
    status, told = fault(client, "/api/spread", picture=first["picture"], model="bundle-1")
    assert status == 400 and "draws no noise" in told["what"] and "--" not in told["hint"]


def test_the_download_holds_its_provenance(client: TestClient) -> None:
    header, planes = upscaled(client, png(16))
    answer = client.get(f"/api/results/{header['result']}/picture.png")
    picture = Image.open(io.BytesIO(answer.content))
    assert np.array_equal(np.asarray(picture), planes["result"])
    assert json.loads(picture.info["edge-sr"]) == header["provenance"]  # type: ignore[attr-defined]
    assert "Not for diagnostic use" in picture.info["Comment"]  # type: ignore[attr-defined]
    record = client.get(f"/api/results/{header['result']}/provenance.json").json()
    assert record["input_sha256"] == header["provenance"]["input_sha256"] and record["phases_ms"] and record["created"]


def test_without_a_meter_energy_is_not_available(client: TestClient) -> None:
    header, _ = upscaled(client, sample=0)
    assert client.get(f"/api/results/{header['result']}/energy").json() == {
        "ready": True,
        "energy_j": None,
        "power_w": None,
        "readings": 0,
    }


def test_with_a_meter_energy_is_told_once_it_is_known(show: Show) -> None:
    with (
        Recorder(TwoWatts()) as recorder,
        application(show, Place(), recorder=recorder) as app,
        TestClient(app, base_url="http://localhost") as client,
    ):
        time.sleep(0.2)  # readings before it
        name = upscaled(client, sample=0)[0]["result"]
        time.sleep(0.2)  # and after it
        told = client.get(f"/api/results/{name}/energy").json()
    assert told["ready"] and told["energy_j"] > 0 and told["power_w"] == pytest.approx(2.0)


def test_a_sample_is_the_picture_that_the_command_writes(client: TestClient, cli: RunCli, tmp_path: Path) -> None:
    cli("sample", "chest.png", "--seed", 3)
    sha256 = hashlib.sha256((tmp_path / "chest.png").read_bytes()).hexdigest()
    assert upscaled(client, sample=3)[0]["provenance"]["input_sha256"] == sha256


@pytest.mark.parametrize(
    ("content", "status", "what"),
    [
        (b"", 400, "is empty"),
        (b"GIF89a", 422, "is not a picture"),
        (png()[:-20], 422, "truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, 422, "cannot be read"),
        (bytes(LIMITS.most_bytes + 1), 413, "too large"),
    ],
)
def test_what_is_no_fit_picture_is_told(client: TestClient, content: bytes, status: int, what: str) -> None:
    told_status, told = fault(client, content=content)
    assert told_status == status and what in told["what"] and set(told) == {"what", "expected", "hint", "code"}


@pytest.mark.parametrize(
    "words", [{"seed": "x"}, {"fidelity": "2"}, {"steps": "0"}, {"model": "none"}, {"sample": "1001"}]
)
def test_words_that_cannot_be_are_declined(client: TestClient, words: dict[str, str]) -> None:
    status, told = fault(client, **{"sample": 0, **words})
    assert status == 400 and told["what"]


def test_what_is_kept_no_longer_is_told_so(client: TestClient) -> None:
    assert fault(client, picture="never-was")[1]["code"] == "gone"
    assert client.get("/api/results/never-was/picture.png").status_code == 404


def test_paths_and_methods_that_are_not_there(client: TestClient) -> None:
    assert client.get("/secret").json()["error"]["what"] == "there is no such page"
    assert client.get("/../setup.py").status_code == 404
    assert client.get("/api/upscale").status_code == 405


def test_the_page_is_cached_by_its_content(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    assert client.get("/", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_a_bug_is_told_without_its_words(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Doe^John.png")

    monkeypatch.setattr("edge_sr.demo.desk.upscale", broken)
    status, told = fault(client, sample=0)
    said = capfd.readouterr().err
    assert status == 500 and "Doe" not in str(told) + said and "RuntimeError in test_app.py" in said


@pytest.fixture
def folder(show: Show, plan: Callable[[], FolderPlan]) -> Iterator[TestClient]:
    shown = Show(show.models, threads=1, folder=plan)
    with (
        application(shown, Place(), recorder=Recorder(None)) as app,
        TestClient(app, base_url="http://localhost") as client,
    ):
        yield client


def worked_through(client: TestClient) -> dict:
    assert client.post("/api/folder/start").status_code == 200
    deadline = time.monotonic() + 30
    while (told := client.get("/api/folder").json())["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    return told


def test_a_folder_is_worked_through_as_run_would(folder: TestClient, tmp_path: Path) -> None:
    told = worked_through(folder)
    assert [told[name] for name in ("state", "total", "done", "failed", "left_out")] == ["done", 3, 2, 1, 2]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0_x4.json",
        "0_x4.png",
        "2_x4.json",
        "2_x4.png",
    ]


def test_a_fault_of_the_machine_ends_the_folder(folder: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise EnvironmentFault("no space left", where="/somewhere/Doe^John.png")

    monkeypatch.setattr("edge_sr.demo.desk.upscale_file", full)
    told = worked_through(folder)
    assert told["state"] == "ended early: no space left" and told["failed"] == 1


def test_a_folder_may_be_stopped_and_started_anew(folder: TestClient) -> None:
    folder.post("/api/folder/start")
    assert folder.post("/api/folder/stop").json()["state"] in ("stopped", "done")
    told = worked_through(folder)
    assert told["state"] == "done" and told["done"] + told["failed"] == 3


def test_without_a_folder_there_is_nothing_to_start(client: TestClient) -> None:
    assert client.post("/api/folder/start").status_code == 404 and not client.get("/api/about").json()["folder"]
