# SPDX-License-Identifier: Apache-2.0
"""A trace is a file that Perfetto draws rightly, whole or not there at all."""

from __future__ import annotations

import itertools
import logging
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from perfetto_checks import Picture, read_trace

from hbm_runtime import _core
from hbm_runtime.errors import HBMError, HBMInputError
from hbm_runtime.telemetry import trace
from hbm_runtime.telemetry.chrome_trace import cores_text

MODELS = "hbm_runtime: models"
CORES = "hbm_runtime: BPU cores"
OK, TIMEOUT, CANCELLED, REJECTED, FAILED = range(5)
HOUR = 3_600_000_000_000


class Recorder:
    """Stands for the core's recorder: gives a recording that a test has made up."""

    def __init__(self, recording: dict[str, Any]) -> None:
        self.recording = recording
        self.starts: list[int] = []
        self.stops = 0

    def start(self, capacity: int) -> None:
        self.starts.append(capacity)

    def stop(self) -> dict[str, Any]:
        self.stops += 1
        return self.recording


def run(
    *times: tuple[int, int],
    model: int = 0,
    core_mask: int = 0,
    priority: int = 0,
    custom_id: int = 0,
    outcome: int = OK,
) -> dict[str, Any]:
    """One run; times: (begin, end) of queue, copy in, execute and copy out in ns."""
    return locals()


def recording(*runs: dict[str, Any], models: tuple[str, ...] = ("m",), dropped: int = 0) -> Any:
    """What the core gives for these runs."""
    times = [[*one["times"], *[(0, 0)] * (4 - len(one["times"]))] for one in runs]
    columns = {
        name: np.array([one[name] for one in runs], np.int64)
        for name in ("model", "core_mask", "priority", "custom_id", "outcome")
    }
    spans = np.array(times, np.int64).reshape(len(runs), 4, 2)
    return {
        "models": list(models),
        "dropped": dropped,
        "number": np.arange(len(runs)),
        **columns,
        "begin": spans[:, :, 0],
        "end": spans[:, :, 1],
    }


def written(path: Path, *runs: dict[str, Any], **more: Any) -> Picture:
    trace.Trace(Recorder(recording(*runs, **more)), path).stop()  # type: ignore[arg-type]
    return read_trace(path)


def test_a_run_has_its_stages_inside_it_and_its_arguments(tmp_path: Path) -> None:
    picture = written(
        tmp_path / "t.json",
        run(
            (HOUR, HOUR + 1_001),
            (HOUR + 1_001, HOUR + 2_500),
            (HOUR + 2_500, HOUR + 9_000),
            (HOUR + 9_000, HOUR + 9_007),
            core_mask=0b100,
            priority=255,
            custom_id=2**62 + 1,
        ),
    )
    (whole,) = picture.processes[MODELS]["m"]
    assert (whole.name, whole.begin_us, whole.end_us) == ("run", 3.6e9, 3.6e9 + 9.007)
    assert [part.name for part in whole.parts] == ["queue", "copy_in", "execute", "copy_out"]
    assert whole.parts[2].begin_us == 3.6e9 + 2.5 and whole.parts[2].end_us == 3.6e9 + 9
    assert whole.arguments == {
        "run": 0,
        "priority": 255,
        "custom_id": 2**62 + 1,
        "outcome": "ok",
        "cores": "core 2",
    }
    (task,) = picture.processes[CORES]["core 2"]
    assert (task.name, task.begin_us, task.end_us) == ("m", 3.6e9 + 2.5, 3.6e9 + 9)
    assert task.arguments["model"] == "m"


def test_each_model_and_each_set_of_cores_has_its_track(tmp_path: Path) -> None:
    picture = written(
        tmp_path / "t.json",
        run((0, 0), (0, 0), (10, 20), model=0, core_mask=0),
        run((0, 0), (0, 0), (20, 30), model=1, core_mask=0b0001),
        run((0, 0), (0, 0), (30, 40), model=0, core_mask=0b1010),
        run((0, 0), (0, 0), (40, 50), model=0, core_mask=0b0001),
        models=('strange "name"\n', "other"),
    )
    assert sorted(picture.processes[MODELS]) == ["other", 'strange "name"\n']
    assert sorted(picture.processes[CORES]) == ["any core", "core 0", "cores 1+3"]
    assert [s.name for s in picture.processes[CORES]["core 0"]] == ["other", 'strange "name"\n']


def test_runs_that_overlap_get_further_tracks(tmp_path: Path) -> None:
    picture = written(
        tmp_path / "t.json",
        run((100, 110), (0, 0), (110, 200)),
        run((150, 160), (0, 0), (160, 300)),
        run((200, 210), (0, 0), (210, 250)),  # begins as the first one ends
    )
    tracks = picture.processes[MODELS]
    assert [(name, len(slices)) for name, slices in tracks.items()] == [("m", 2), ("m (2)", 1)]
    assert len(picture.slices(CORES, "any core")) == 3


def test_a_run_without_a_result_says_why_and_ends(tmp_path: Path) -> None:
    picture = written(
        tmp_path / "t.json",
        run((100, 110), (110, 120), (120, 500), outcome=TIMEOUT),
        run((600, 610), (610, 620), (620, 0), outcome=FAILED),  # nobody told when it ended
        run((700, 750), outcome=CANCELLED),
        run(outcome=REJECTED),  # not even queued
    )
    timeout, failed, cancelled = picture.slices(MODELS, "m")
    assert [s.name for s in (timeout, failed, cancelled)] == [
        "run: timeout",
        "run: failed",
        "run: cancelled",
    ]
    assert timeout.end_us == 0.5 and failed.end_us == 0.62
    assert [part.name for part in cancelled.parts] == ["queue"]
    assert len(picture.slices(CORES, "any core")) == 2, "the third was never submitted"


def test_a_stage_that_never_ended_lasts_to_the_end_of_its_run(tmp_path: Path) -> None:
    picture = written(tmp_path / "t.json", run((100, 100), (100, 300), (100, 0), outcome=FAILED))
    (whole,) = picture.slices(MODELS, "m")
    assert [part.end_us for part in whole.parts] == [0.1, 0.3, 0.3]
    assert whole.end_us == 0.3


def test_stages_come_in_the_order_in_which_they_happened(tmp_path: Path) -> None:
    picture = written(tmp_path / "t.json", run((200, 300), (100, 200), (300, 400)))
    (whole,) = picture.slices(MODELS, "m")
    assert [part.name for part in whole.parts] == ["copy_in", "queue", "execute"]


def test_many_random_runs_make_a_sound_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    runs = []
    for _ in range(10_000):
        edges = np.cumsum(random.integers(0, 3_000, 5)) + random.integers(HOUR, HOUR + 10**8)
        edges = edges.tolist()
        runs.append(
            run(
                *itertools.pairwise(edges),
                model=int(random.integers(3)),
                core_mask=int(random.integers(16)),
            )
        )
    picture = written(tmp_path / "t.json", *runs, models=("a", "b", "c"))
    counts = [len(picture.slices(MODELS, name)) for name in ("a", "b", "c")]
    assert sum(counts) == 10_000
    assert sum(len(slices) for slices in picture.processes[CORES].values()) == 10_000
    assert {run.arguments["run"] for run in picture.slices(MODELS, "a")} <= set(range(10_000))


def test_no_runs_make_a_file_too(tmp_path: Path) -> None:
    picture = written(tmp_path / "t.json")
    assert picture.processes == {MODELS: {}, CORES: {}}
    assert picture.about["runs"] == 0 and picture.about["clock"] == "CLOCK_MONOTONIC"


def test_a_name_in_gz_is_compressed(tmp_path: Path) -> None:
    picture = written(tmp_path / "t.json.gz", run((1, 2)))
    assert (tmp_path / "t.json.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert len(picture.slices(MODELS, "m")) == 1


def test_the_core_gives_what_is_written(tmp_path: Path) -> None:
    with trace.Trace(_core.RunTrace(), tmp_path / "t.json") as recorded:
        pass
    assert recorded.runs == 0 and recorded.dropped == 0
    assert read_trace(tmp_path / "t.json").about["process"] == os.getpid()


def test_a_second_trace_of_a_runtime_is_refused(tmp_path: Path) -> None:
    recorder = _core.RunTrace()
    with trace.Trace(recorder, tmp_path / "first.json"):
        with pytest.raises(HBMInputError, match="already being recorded"):
            trace.Trace(recorder, tmp_path / "second.json")
        assert recorder.on
    assert not recorder.on
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.json"]


def test_stopping_twice_writes_once(tmp_path: Path) -> None:
    recorder = Recorder(recording(run((1, 2))))
    with trace.Trace(recorder, tmp_path / "t.json", max_runs=7) as recorded:  # type: ignore[arg-type]
        assert recorded.runs == 0
        recorded.stop()
        assert recorded.runs == 1
        (tmp_path / "t.json").unlink()
    recorded.stop()
    assert recorder.starts == [7] and recorder.stops == 1
    assert list(tmp_path.iterdir()) == []


def test_dropped_runs_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "hbm_runtime.telemetry.trace"):
        picture = written(tmp_path / "t.json", run((1, 2)), dropped=41)
    assert picture.about["dropped_runs"] == 41
    assert "kept 1 runs, dropped 41 later ones" in caplog.text


def test_the_file_is_written_when_the_block_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyError), trace.Trace(_core.RunTrace(), tmp_path / "t.json"):
        raise KeyError
    read_trace(tmp_path / "t.json")


def test_an_error_of_the_block_is_not_hidden_by_one_of_the_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    recorded = trace.Trace(_core.RunTrace(), folder / "t.json")
    folder.rmdir()
    with pytest.raises(KeyError), recorded:
        raise KeyError
    assert "cannot write" in caplog.text


def test_a_file_that_cannot_be_written_at_the_end_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")
    recorded = trace.Trace(Recorder(recording(run((1, 2)))), path)  # type: ignore[arg-type]

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trace, "_write", full)
    with pytest.raises(HBMError, match=r"t\.json: No space left on device; its 1 runs are lost"):
        recorded.stop()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.json"], "nothing half written is left"


def test_the_old_file_stays_until_the_end_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")
    with trace.Trace(_core.RunTrace(), path):
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["t.json"]
    read_trace(path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o200, "as the umask says, not as a temporary file"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    link = tmp_path / "t.json"
    link.symlink_to("real.json")
    with pytest.raises(HBMInputError, match="is a symbolic link, no regular file"):
        trace.Trace(_core.RunTrace(), link)
    assert link.is_symlink()
    assert (tmp_path / "real.json").read_text() == "old"


def test_a_relative_path_means_the_folder_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with trace.Trace(_core.RunTrace(), "t.json"):
        monkeypatch.chdir("/")
    read_trace(tmp_path / "t.json")


@pytest.mark.parametrize(
    "path", ["missing/t.json", "a_file/t.json", "", "nul\0.json", "folder", "x" * 300, 7, None]
)
def test_an_unwritable_path_is_refused_at_once(tmp_path: Path, path: Any) -> None:
    (tmp_path / "a_file").touch()
    (tmp_path / "folder").mkdir()
    recorder = _core.RunTrace()
    with pytest.raises(HBMInputError, match=r"^trace: "):
        trace.Trace(recorder, tmp_path / path if isinstance(path, str) and path else path)
    assert not recorder.on


def test_a_device_or_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HBMInputError, match="no regular file"):
        trace.Trace(_core.RunTrace(), tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("max_runs", [0, -1, True, 1.5, "many", None])
def test_a_wrong_number_of_runs_is_refused(tmp_path: Path, max_runs: Any) -> None:
    with pytest.raises(HBMInputError, match="max_runs: expected an int from 1 to 100000000, got"):
        trace.Trace(_core.RunTrace(), tmp_path / "t.json", max_runs)


def test_a_forked_child_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    with trace.Trace(_core.RunTrace(), path) as recorded:
        child = os.fork()
        if child == 0:
            recorded.stop()
            os._exit(0 if not path.exists() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert path.exists()


def test_sets_of_cores_have_names() -> None:
    assert [cores_text(mask) for mask in (0, 1, 8, 0b1011)] == [
        "any core",
        "core 0",
        "core 3",
        "cores 0+1+3",
    ]
