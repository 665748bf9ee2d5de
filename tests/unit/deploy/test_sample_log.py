import json
import shutil

from deploy.sample_log import SampleLog


def test_lines_are_json_with_the_time_in_front(tmp_path):
    samples = SampleLog(tmp_path)
    samples.write({"service": "100% of it", "fds": 3})
    samples.close()
    [line] = (tmp_path / "watchdog.ndjson").read_text().splitlines()
    wire = json.loads(line)
    assert list(wire) == ["time", "service", "fds"]
    assert wire["service"] == "100% of it"


def test_two_files_hold_the_newest_lines_and_no_more(tmp_path):
    samples = SampleLog(tmp_path, file_bytes=4096)
    for n in range(1000):
        samples.write({"n": n})
    samples.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["watchdog.ndjson", "watchdog.ndjson.1"]
    assert sum(file.stat().st_size for file in files) <= 2 * 4096
    kept = [json.loads(line)["n"] for file in reversed(files) for line in file.open()]
    assert kept == list(range(kept[0], 1000))


def test_a_file_that_cannot_be_written_is_said_once_and_so_is_that_it_can(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = tmp_path / "state"
    samples = SampleLog(folder)
    for _ in range(2):
        samples.write({})
        samples.write({})
        folder.mkdir()
        samples.write({"n": 1})
        samples.write({"n": 2})
        samples.close()
        assert len((folder / "watchdog.ndjson").read_text().splitlines()) == 2
        shutil.rmtree(folder)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 4
    for lost, back in (said[:2], said[2:]):
        assert lost.endswith("watchdog.ndjson'")
        assert (
            "watchdog.ndjson cannot be written, so the watchdog's measurements are lost: " in lost
        )
        assert back.endswith("watchdog.ndjson can be written again")


def test_a_full_disk_fails_neither_a_line_nor_the_end(tmp_path, caplog):
    (tmp_path / "watchdog.ndjson").symlink_to("/dev/full")
    samples = SampleLog(tmp_path)
    for _ in range(100):
        samples.write({"n": "x" * 1000})
    samples.close()
    [said] = [record.getMessage() for record in caplog.records]
    assert "measurements are lost: [Errno 28] No space left on device" in said


def test_a_file_is_full_when_the_disk_is_and_is_written_again_all_the_same(tmp_path, caplog):
    samples = SampleLog(tmp_path, file_bytes=100)
    (tmp_path / "watchdog.ndjson").symlink_to("/dev/full")
    samples.write({"n": 0})
    (tmp_path / "watchdog.ndjson").unlink()
    samples.write({"n": 1})
    samples.close()
    assert json.loads((tmp_path / "watchdog.ndjson").read_text())["n"] == 1
