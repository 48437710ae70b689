# SPDX-License-Identifier: Apache-2.0
"""Bags: what the script writes, what the player plays, and results that repeat exactly."""

from __future__ import annotations

import hashlib
import itertools
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcap", reason="needs the Python package mcap: pip install mcap")

import zstandard
from hbm_runtime_ros.msg import TensorList
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from hbm_runtime_ros.messages.conversions import tensors_to_numpy
from hbm_runtime_ros.player import bag as bag_source
from hbm_runtime_ros.player.bag import Bag
from hbm_runtime_ros.player.pace import LONGEST_GAP, Pace
from hbm_runtime_ros.player.pictures import SourceError
from hbm_runtime_ros.ros.qos import TENSORS

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_bag.py"
TOPIC = "/camera/image"
COUNT = 20


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Twenty images of 64x48 on /camera/image, recorded at 100 Hz."""
    file = tmp_path / "short.mcap"
    make_bag(file, "--size", "64", "48", "--count", str(COUNT), "--rate", "100", "--topic", TOPIC)
    return file


def make_bag(file: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, str(SCRIPT), str(file), *arguments], check=True)


def write(file: Path, messages: Sequence[tuple[str, str, bytes, int]], **options: Any) -> Path:
    """Write a bag of (topic, type, data, time); `encoding` is that of the messages."""
    encoding = options.pop("encoding", "cdr")
    with file.open("wb") as output:
        writer = Writer(output, **options)
        writer.start(profile="ros2")
        channels: dict[str, int] = {}
        for topic, kind, data, time in messages:
            if topic not in channels:
                schema = writer.register_schema(kind, "ros2msg", b"")
                channels[topic] = writer.register_channel(topic, encoding, schema)
            writer.add_message(channels[topic], time, data, time)
        writer.finish()
    return file


def image_data(**fields: Any) -> bytes:
    return serialize_message(Image(encoding="nv12", width=2, height=2, step=2, **fields))


IMAGE = "sensor_msgs/msg/Image"


def read(file: Path, topic: str = "") -> list[Any]:
    return list(Bag(file, topic).images(loop=False))


# What the script writes


@pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
def test_a_bag_has_all_that_ros2_bag_play_asks_for(tmp_path: Path, compression: str) -> None:
    file = tmp_path / "new" / "one.mcap"
    make_bag(file, "--size", "32", "16", "--count", "3", "--compression", compression)
    with file.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        found = list(reader.iter_messages())
    assert len(found) == 3
    for number, (schema, channel, message) in enumerate(found):
        assert schema is not None
        assert (schema.name, schema.encoding, channel.message_encoding) == (IMAGE, "ros2msg", "cdr")
        text = schema.data.decode()
        assert text.count("=" * 80 + "\nMSG: std_msgs/Header\n") == 1
        assert text.count("=" * 80 + "\nMSG: builtin_interfaces/Time\n") == 1
        assert "offered_qos_profiles" in channel.metadata
        msg = deserialize_message(message.data, Image)
        assert (msg.encoding, msg.width, msg.height, msg.step) == ("nv12", 32, 16, 32)
        assert len(msg.data) == 32 * 16 * 3 // 2
        assert msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec == message.log_time
        assert message.sequence == number


def test_a_bag_is_made_of_a_picture(tmp_path: Path) -> None:
    import cv2
    import numpy as np

    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((90, 120, 3), 77, np.uint8))
    make_bag(tmp_path / "a.mcap", "--source", str(picture), "--size", "16", "8", "--count", "1")
    (only,) = read(tmp_path / "a.mcap")
    assert set(only.msg.data[: 16 * 8]) == {77}


# What the player plays


@pytest.fixture
def play(start: Callable, observer: Any) -> Callable[..., tuple[Any, list[Image]]]:
    """Subscribe to the player's images, then play."""

    def start_player(source: Path, **parameters: Any) -> tuple[Any, list[Image]]:
        images = observer.collect(Image, "image_raw", qos_profile_sensor_data)
        return start("image_player", {"source": str(source), **parameters}), images

    return start_player


def stamp_of(msg: Any) -> int:
    return int(msg.header.stamp.sec * 10**9 + msg.header.stamp.nanosec)


def test_images_are_played_as_recorded_with_their_stamps_and_the_clock(
    play: Callable, observer: Any, bag: Path
) -> None:
    clocks = observer.collect(Clock, "/clock", qos_profile_sensor_data)
    _, images = play(bag, stamps="source", clock=True)
    observer.until(lambda: len(images) > 2 * COUNT, "two rounds")
    recorded = {image.time: image.msg for image in read(bag)}
    for msg in images:
        assert msg == recorded[stamp_of(msg)]
    assert {c.clock.sec * 10**9 + c.clock.nanosec for c in clocks} <= recorded.keys()
    stamps = [stamp_of(msg) for msg in images]
    assert any(later < earlier for earlier, later in itertools.pairwise(stamps))


def test_images_are_stamped_anew_where_nothing_else_is_asked_for(
    play: Callable, observer: Any, bag: Path
) -> None:
    before = observer.node.get_clock().now().nanoseconds
    _, images = play(bag, topic=TOPIC)
    observer.until(lambda: len(images) > 3, "images")
    assert all(stamp_of(msg) > before for msg in images)
    assert images[0].header.frame_id == "camera"


def test_compressed_images_are_played_on_the_topic_for_them(
    start: Callable, observer: Any, tmp_path: Path
) -> None:
    msg = CompressedImage(format="jpeg", data=b"\xff\xd8 not looked at")
    kind = "sensor_msgs/msg/CompressedImage"
    write(tmp_path / "c.mcap", [("/eye/compressed", kind, serialize_message(msg), 5)])
    played = observer.collect(CompressedImage, "image_raw/compressed", qos_profile_sensor_data)
    start("image_player", {"source": "c.mcap", "rate": 50.0, "stamps": "source"})
    observer.until(lambda: played, "an image")
    assert played[0] == msg


def test_the_pace_is_that_of_the_recording() -> None:
    pace = Pace(0.0, recorded=1000)
    assert pace.next_due(1030, now=5_000) == 5_030
    # played late: the next one is not
    assert pace.next_due(1050, now=5_045) == 5_050
    # much too late: from then on
    assert pace.next_due(1060, now=7_000) == 7_000
    # the bag begins again, after one more gap like the last
    assert pace.next_due(1000, now=7_001) == 7_010
    assert pace.next_due(1000 + 10 * LONGEST_GAP, now=7_020) == 7_010 + LONGEST_GAP


def test_the_pace_is_a_rate_where_one_is_given() -> None:
    pace = Pace(50.0, recorded=1000)
    assert pace.next_due(1, now=0) == 20_000_000
    assert pace.next_due(None, now=20_000_400) == 40_000_000


# Through the node


def test_the_same_bag_twice_gives_equal_tensors(
    start: Callable, observer: Any, nv12_model: Path, bag: Path
) -> None:
    eye = {"file": str(nv12_model), "image_topic": TOPIC, "image_qos": {"profile": "reliable"}}
    node = start("inference_node", {"models": ["eye"], "eye": eye})
    topic = "/inference_node/eye/tensors"
    results: list[TensorList] = []
    listening = observer.node.create_subscription(TensorList, topic, results.append, TENSORS)
    observer.until(lambda: is_connected(listening), f"the node's topics:\n{node.log}")
    rounds = []
    for _ in range(2):
        results.clear()
        parameters = {"stamps": "source", "rate": 1000.0, "loop": False, "wait_for": topic}
        player = start(
            *("image_player", {"source": str(bag), **parameters}, "--remap", f"image_raw:={TOPIC}")
        )
        observer.until(lambda ended=player.process.poll: ended() is not None, "the player's end")
        assert player.process.returncode == 0, player.log
        observer.until(lambda: len(results) >= COUNT, f"all results:\n{player.log}\n{node.log}")
        assert [stamp_of(result) for result in results] == [image.time for image in read(bag)]
        rounds.append([hash_of(result) for result in results])
    assert rounds[0] == rounds[1]
    assert len(set(rounds[0])) == COUNT, "the images of the bag should differ"


def is_connected(subscription: Any) -> bool:
    """As seen by the middleware; Humble only tells what is known of others."""
    if hasattr(subscription, "get_publisher_count"):
        return bool(subscription.get_publisher_count())
    time.sleep(1.0)
    return True


def hash_of(result: TensorList) -> str:
    digest = hashlib.sha256()
    for name, tensor in tensors_to_numpy(result).items():
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest.hexdigest()


# Files that are no bags, or claim to be more than they are


def too_large(file: Path) -> None:
    """A megabyte, packed into a few bytes."""
    write(file, [(TOPIC, IMAGE, bytes(1 << 21), 1)], compression=CompressionType.ZSTD)
    assert file.stat().st_size < 10_000


def too_large_lz4(file: Path) -> None:
    write(file, [(TOPIC, IMAGE, bytes(1 << 21), 1)], compression=CompressionType.LZ4)


def too_large_record(file: Path) -> None:
    """A record that says that it is as large as all memory."""
    good = write(file, [(TOPIC, IMAGE, image_data(), 1)]).read_bytes()
    file.write_bytes(good[:9] + (1 << 62).to_bytes(8, "little") + good[17:])


def cut(file: Path) -> None:
    good = write(file, [(TOPIC, IMAGE, image_data(), 1)]).read_bytes()
    file.write_bytes(good[:-40])


def wrong_checksum(file: Path) -> None:
    write(file, [(TOPIC, IMAGE, image_data(), 1)], compression=CompressionType.NONE)
    data = file.read_bytes()
    file.write_bytes(data.replace(b"nv12", b"nv21", 1))


def lying_message(file: Path) -> None:
    data = image_data(data=bytes(6))
    write(file, [(TOPIC, IMAGE, data.replace(b"\x06\0\0\0", b"\xf0\xff\xff\xff"), 1)])


BROKEN = {
    "empty": (lambda file: file.write_bytes(b""), "ends too early"),
    "another": (lambda file: file.write_bytes(b"SQLite format 3" * 9), "not an MCAP file"),
    "cut": (cut, "ends too early"),
    "checksum": (wrong_checksum, "a chunk's checksum is wrong"),
    "bomb": (too_large, "a chunk of more than 1048576 bytes"),
    "bomb of lz4": (too_large_lz4, "a chunk of more than 1048576 bytes"),
    "record": (too_large_record, "not an MCAP file"),
    "lying message": (lying_message, f"message 1 on {TOPIC} is no Image"),
    "no message": (lambda file: write(file, []), "it holds no messages"),
    "garbage": (lambda file: write(file, [(TOPIC, IMAGE, b"\0\1\0\0x", 1)]), "is no Image"),
    "time": (
        lambda file: write(file, [(TOPIC, IMAGE, image_data(), 1 << 63)]),
        "9223372036854775808 ns is no time that ROS knows",
    ),
    "no image": (
        lambda file: write(file, [("/chat", "std_msgs/msg/String", b"", 1)]),
        "must hold one topic of images (sensor_msgs Image or CompressedImage, cdr), it holds "
        "/chat (std_msgs/msg/String)",
    ),
    "ROS 1": (
        lambda file: write(file, [(TOPIC, IMAGE, b"", 1)], encoding="ros1"),
        f"it holds {TOPIC} (?)",
    ),
    "two topics": (
        lambda file: write(file, [("/a", IMAGE, b"", 1), ("/b", IMAGE, b"", 1)]),
        f"it holds /a ({IMAGE}), /b ({IMAGE}); the parameter 'topic' chooses one",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bag_that_cannot_be_played_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(bag_source, "MAX_BYTES", 1 << 20)
    file = tmp_path / "bad.mcap"
    make, says = BROKEN[case]
    make(file)
    with pytest.raises(SourceError) as caught:
        read(file)
    assert says in str(caught.value)
    assert f"'{file}'" in str(caught.value)


def test_a_topic_that_a_bag_lacks_is_named(bag: Path) -> None:
    with pytest.raises(SourceError, match=r"must hold images on /other .* it holds /camera"):
        Bag(bag, "/other")


def test_what_a_recorder_wrote_before_it_was_killed_is_played(bag: Path) -> None:
    with bag.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    # without index and end, and without the last bytes of the only chunk's successors
    last = summary.chunk_indexes[-1]
    killed = bag.with_name("killed.mcap")
    killed.write_bytes(bag.read_bytes()[: last.chunk_start_offset + last.chunk_length])
    images, found = Bag(killed, TOPIC).images(loop=False), []
    with pytest.raises(SourceError, match="ends too early"):
        found.extend(iter(lambda: next(images), None))
    assert len(found) == COUNT


def test_a_broken_bag_ends_in_images_or_in_an_error_of_ours(
    bag: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag_source, "MAX_BYTES", 1 << 20)
    good, file, dice = bag.read_bytes(), bag.with_name("broken.mcap"), random.Random(1)
    outcomes = {"played": 0, "refused": 0}
    for _ in range(500):
        data = bytearray(good)
        for _ in range(dice.choice((1, 1, 2, 8))):
            # mostly at the ends, where the structure is
            place = min(int(dice.expovariate(1 / 200)), len(data) - 1)
            data[place if dice.random() < 0.5 else -1 - place] = dice.randrange(256)
        if dice.random() < 0.2:
            del data[dice.randrange(len(data)) :]
        file.write_bytes(data)
        try:
            read(file, TOPIC)
            outcomes["played"] += 1
        except SourceError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20, outcomes


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"source": "bad.mcap"}, "parameter 'source': 'bad.mcap' is not an MCAP file"),
        ({"source": "none.mcap"}, "parameter 'source': 'none.mcap' is not"),
        ({"source": "p.png", "clock": True}, "parameter 'clock' must be False where the source"),
        ({"source": "p.png", "stamps": "source"}, "parameter 'stamps' must be 'now' where"),
        ({"source": "p.png", "stamps": "old"}, "'stamps' must be one of now, source"),
    ],
)
def test_the_player_refuses_what_it_cannot_play(
    start: Callable, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    (tmp_path / "bad.mcap").write_bytes(zstandard.compress(b"no bag"))
    player = start("image_player", parameters)
    assert player.wait() == 1
    fatal = [line for line in player.log.splitlines() if "FATAL" in line]
    assert len(fatal) == 1
    assert says in fatal[0]
