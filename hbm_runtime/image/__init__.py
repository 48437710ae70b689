# SPDX-License-Identifier: Apache-2.0
"""From a camera's bytes to a model's input: views of buffers, fitting, colour, coordinates.

A camera's picture is a ``Frame``: NV12 (a plane of luma Y and one of interleaved chroma U, V at
half the width and height), YUV 4:2:2 (luma and chroma interleaved, chroma at half the width), BGR,
or grey. A ``Preprocessor`` makes all inputs of a model of such frames, and says where each pixel
came from:

    prepare = Preprocessor.for_model(runtime.models["detector"])
    inputs, (transform,) = prepare(nv12_from_buffer(data, 1920, 1080))
    outputs = runtime.run({"detector": inputs})

``fit_nv12``, ``fit_bgr`` and ``fit_grey`` are its parts: they fit a frame into a size.

YUV is BT.601 or BT.709, either *full* range (luma 0..255, what the vendor's compiler calls
``regular``) or *limited* range (luma 16..235, ``bt601_video``, what most video files and OpenCV's
I420 hold). Grey is luma; of limited range it is stretched to 0..255.

Everything here works on the CPU with OpenCV (``pip install opencv-python-headless``), except
``nv12_from_buffer``, ``yuv422_from_buffer``, ``place`` and ``ImageTransform``, which need numpy
only.
"""

from __future__ import annotations

from hbm_runtime.image.color import (
    ColorMatrix,
    ColorRange,
    bgr_to_nv12,
    bgr_to_yuv422,
    frame_to_bgr,
    frame_to_grey,
    nv12_to_bgr,
    nv12_to_rgb,
    rgb_to_nv12,
)
from hbm_runtime.image.faults import ImageError, ImageFault
from hbm_runtime.image.fit_geometry import (
    ImageTransform,
    Placement,
    Points,
    Region,
    ResizeMode,
    place,
)
from hbm_runtime.image.fit_pixels import (
    bgr_resize,
    bgr_resize_to_nv12,
    fit_bgr,
    fit_grey,
    fit_nv12,
    nv12_resize,
)
from hbm_runtime.image.frames import (
    CHROMA_GREY,
    Frame,
    NV12Frame,
    Plane,
    YUV422Frame,
    YUV422Order,
    frame_size,
    new_nv12,
    nv12_from_buffer,
    yuv422_from_buffer,
)
from hbm_runtime.image.picture_inputs import InputSpec, UnsupportedInputsError
from hbm_runtime.image.preprocessing import ModelInputs, PreparedImage, Preprocessor
from hbm_runtime.image.settings import FitSettings, NormalizeSettings, PictureSettings

__all__ = [
    "CHROMA_GREY",
    "ColorMatrix",
    "ColorRange",
    "FitSettings",
    "Frame",
    "ImageError",
    "ImageFault",
    "ImageTransform",
    "InputSpec",
    "ModelInputs",
    "NV12Frame",
    "NormalizeSettings",
    "PictureSettings",
    "Placement",
    "Plane",
    "Points",
    "PreparedImage",
    "Preprocessor",
    "Region",
    "ResizeMode",
    "UnsupportedInputsError",
    "YUV422Frame",
    "YUV422Order",
    "bgr_resize",
    "bgr_resize_to_nv12",
    "bgr_to_nv12",
    "bgr_to_yuv422",
    "fit_bgr",
    "fit_grey",
    "fit_nv12",
    "frame_size",
    "frame_to_bgr",
    "frame_to_grey",
    "new_nv12",
    "nv12_from_buffer",
    "nv12_resize",
    "nv12_to_bgr",
    "nv12_to_rgb",
    "place",
    "rgb_to_nv12",
    "yuv422_from_buffer",
]
