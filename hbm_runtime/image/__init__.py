# SPDX-License-Identifier: Apache-2.0
"""Images for models: views of camera buffers, fitting, colour conversion, coordinates.

A camera's picture is a ``Frame``: NV12 (a plane of luma Y and one of interleaved chroma U, V at
half the width and height), YUV 4:2:2 (luma and chroma interleaved, chroma at half the width), BGR,
or grey. ``fit_nv12``, ``fit_bgr`` and ``fit_grey`` make a model's input of any of them and say
where each pixel came from.

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
from hbm_runtime.image.fitting import (
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
from hbm_runtime.image.placement import (
    ImageTransform,
    Placement,
    Points,
    Region,
    ResizeMode,
    place,
)

__all__ = [
    "CHROMA_GREY",
    "ColorMatrix",
    "ColorRange",
    "Frame",
    "ImageError",
    "ImageFault",
    "ImageTransform",
    "NV12Frame",
    "Placement",
    "Plane",
    "Points",
    "Region",
    "ResizeMode",
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
