# SPDX-License-Identifier: Apache-2.0
"""Feeds broken image messages to all that the node does with one: each is accepted or counted."""

from __future__ import annotations

import argparse
import collections
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from image_messages import MessageMaker
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test"))

import tiny_models

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.image import ImageError
from hbm_runtime.image.picture_inputs import input_specs
from hbm_runtime.image.preprocessing import Preprocessor
from hbm_runtime.image.settings import FitSettings, NormalizeSettings
from hbm_runtime.tools.packing.options import InputQuantization
from hbm_runtime_ros.messages.received_image import ReceivedImage
from hbm_runtime_ros.parameters.settings import ImageSettings

MAX_BYTES = 1 << 20  # of an image, so that a good part of the messages is too large
RUN_EVERY = 2  # inputs that are made for one that the model is run on
# Memory that this process may take at most, MiB: room for everything but a decompressed bomb.
MEMORY_LIMIT_MB = 1500
SMALL = NormalizeSettings((127.0,), (0.25,))  # what int8 holds, too
KINDS = {"image": Image, "compressed": CompressedImage}


class Find(Exception):
    """A message that was neither accepted nor refused for a reason that the node counts."""


class Target(NamedTuple):
    """One way from messages to a model's outputs."""

    name: str
    runtime: HB_HBMRuntime
    preprocessor: Preprocessor
    inputs: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]


def main() -> int:
    """Returns 0 unless a message did what none may do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="of messages (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("."), help="for a find")
    parser.add_argument("--message", type=Path, help="file of a find: nothing but this one")
    parser.add_argument(
        "--overread", action="store_true", help="read beyond an array, for a sanitizer to see"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        targets = make_targets(Path(folder))
    if arguments.overread:
        return overread(targets[0])
    reasons = counted_reasons()
    counts: collections.Counter[str] = collections.Counter()
    begin = time.monotonic()
    for number, msg in enumerate(messages(arguments)):
        try:
            feed(msg, targets, number, reasons, counts)
        except Exception as error:
            kind = "image" if isinstance(msg, Image) else "compressed"
            find = arguments.folder / f"{kind}-{arguments.seed}-{number}.cdr"
            if not arguments.message:
                arguments.folder.mkdir(parents=True, exist_ok=True)
                find.write_bytes(serialize_message(msg))
            text = f"{type(error).__name__}: {error}"
            say(f"fuzz_images: message {number} of seed {arguments.seed}: {text}")
            say(f"  again: {Path(__file__).name} --message {arguments.message or find}")
            raise
    seconds = time.monotonic() - begin
    sums = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    say(f"fuzz_images: {number + 1} messages in {seconds:.0f} s, at most {peak} MiB: {sums}")
    return 0 if arguments.message else judge(counts, reasons, number + 1, peak)


def say(text: str) -> None:
    """Prints a line, also where the process ends hard after it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def overread(target: Target) -> int:
    """Runs a model on arrays that claim more memory than they have: a sanitizer ends this."""
    short = {name: np.zeros(16, dtype) for name, (_, dtype) in target.inputs.items()}
    target.runtime.run(
        {
            name: np.lib.stride_tricks.as_strided(short[name], shape, (0, 64, 1, 1))
            for name, (shape, _) in target.inputs.items()
        }
    )
    say("fuzz_images: nobody saw that an array was read beyond its end")
    return 0


def judge(counts: collections.Counter[str], reasons: set[str], total: int, peak: int) -> int:
    """Tells whether they were worth it: what is refused at the door finds nothing behind it."""
    expected = {"zero_size", "odd_size", "bad_step", "short_data", "too_large", "encoding"}
    expected |= {"undecodable", "outside"}
    assert expected <= reasons
    missing = {name for name in expected | {"ran"} if counts[name] < total // 1000}
    if total >= 10_000 and (missing or counts["accepted"] < total // 5):
        say(f"fuzz_images: too few of {', '.join(missing) or 'accepted'}: mend the generator")
        return 1
    if peak > MEMORY_LIMIT_MB:
        say(f"fuzz_images: {peak} MiB, allowed are {MEMORY_LIMIT_MB}")
        return 1
    return 0


def messages(arguments: argparse.Namespace) -> Iterator[Image | CompressedImage]:
    """Yields them."""
    if arguments.message:
        kind = KINDS[arguments.message.name.partition("-")[0]]
        yield deserialize_message(arguments.message.read_bytes(), kind)
        return
    maker = MessageMaker(arguments.seed)
    for _ in range(arguments.count):
        yield maker.message()


def feed(
    msg: Image | CompressedImage,
    targets: Sequence[Target],
    number: int,
    reasons: set[str],
    counts: collections.Counter[str],
) -> None:
    """Does with a message what the node does with it, for one model in turn.

    Raises:
        Find: if it is refused for an unknown reason, or accepted with tensors of another shape.
    """
    target = targets[number % len(targets)]
    try:
        made = target.preprocessor(ReceivedImage(msg, MAX_BYTES))
    except ImageError as error:
        if error.fault.value not in reasons:
            raise Find(f"msg/DropCount.msg does not know '{error.fault.value}'") from error
        counts[error.fault.value] += 1
        return
    counts["accepted"] += 1
    found = {name: (tensor.shape, tensor.dtype) for name, tensor in made.tensors.items()}
    if found != target.inputs:
        raise Find(f"tensors of {target.name} are {found}, expected {target.inputs}")
    if not all(np.isfinite(tensor).all() for tensor in made.tensors.values()):
        raise Find(f"a tensor of {target.name} is not finite")
    if number // len(targets) % RUN_EVERY == 0:
        (outputs,) = target.runtime.run(made.tensors).values()
        if outputs["y"].shape != (1, 4, 8, 12):
            raise Find(f"the output of {target.name} is {outputs['y'].shape}")
        counts["ran"] += 1


def make_targets(folder: Path) -> list[Target]:
    """Returns models of NV12, of normalised floats and of int8, for all ways to fit an image."""
    pack = tiny_models.pack
    quantized = {"x": InputQuantization("int8", 0.5, 3)}
    specs = {
        "nv12": pack(tiny_models.conv(), "nv12", nv12_inputs=("x",)),
        "float": pack(tiny_models.conv(), "float"),
        "int8": pack(tiny_models.conv(channels_last=True), "int8", input_quantization=quantized),
    }
    fits = {
        "stretch": FitSettings("stretch"),
        "letterbox": FitSettings("letterbox", color_range="limited"),
        "center_crop": FitSettings("center_crop", color_matrix="bt709"),
        "roi": FitSettings("roi", roi=(2, 2, 8, 6)),
    }
    targets = []
    for kind, spec in specs.items():
        runtime = HB_HBMRuntime(str(tiny_models.save(folder / f"{kind}.hbm", spec)))
        (model,) = runtime.model_names
        inputs = input_specs(runtime.models[model])
        for way, fit in fits.items():
            normalize = NormalizeSettings() if kind == "nv12" else SMALL
            image = ImageSettings(fit=fit, normalize=normalize)
            shared = way in ("letterbox", "roi")  # as with several models on one topic
            preprocessor = Preprocessor(inputs, [image], shared=shared)
            types = {"U8": np.uint8, "S8": np.int8, "F32": np.float32}
            wanted = {i.name: (i.shape, np.dtype(types[i.data_type])) for i in inputs}
            targets.append(Target(f"{kind} by {way}", runtime, preprocessor, wanted))
    return targets


def counted_reasons() -> set[str]:
    """Returns the reasons that the node's statistics have."""
    text = (ROOT / "msg" / "DropCount.msg").read_text(encoding="utf-8")
    return set(re.findall(r"^string [A-Z_]+=(\w+)", text, re.MULTILINE))


if __name__ == "__main__":
    sys.exit(main())
