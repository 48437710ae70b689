# SPDX-License-Identifier: Apache-2.0
"""A frame of a camera becomes the inputs of a loaded model, without ROS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tiny_models

cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install 'hbm-runtime[image]'")

from hbm_runtime import HB_HBMRuntime
from hbm_runtime.image import (
    FitSettings,
    Frame,
    PictureSettings,
    Preprocessor,
    UnsupportedInputsError,
    bgr_to_nv12,
    bgr_to_yuv422,
    fit_nv12,
)

BGR = cv2.resize(np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8), (64, 48))


@pytest.mark.parametrize(
    "frame",
    [bgr_to_nv12(BGR), bgr_to_yuv422(BGR), BGR, BGR[..., 1].copy()],
    ids=["nv12", "yuyv", "bgr", "grey"],
)
def test_a_loaded_model_runs_on_a_frame_of_any_kind(save: Callable[..., str], frame: Frame) -> None:
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.conv(), "m", nv12_inputs=("x",))))
    prepare = Preprocessor.for_model(
        runtime.models["m"], [PictureSettings(fit=FitSettings(resize="letterbox"))]
    )
    inputs, (transform,) = prepare(frame)
    planes, expected = fit_nv12(frame, 12, 8, "letterbox")
    assert transform == expected
    by_hand = {"x_y": planes.y[np.newaxis, :, :, np.newaxis], "x_uv": planes.uv[np.newaxis]}
    np.testing.assert_equal(runtime.run({"m": inputs}), runtime.run({"m": by_hand}))


def test_without_settings_a_model_takes_one_stretched_picture(save: Callable[..., str]) -> None:
    runtime = HB_HBMRuntime(save(tiny_models.pack(tiny_models.conv(), "m")))
    inputs, _ = Preprocessor.for_model(runtime.models["m"])(BGR)
    expected = cv2.resize(BGR, (12, 8))[..., ::-1].transpose(2, 0, 1)
    assert np.array_equal(inputs["x"][0], expected)


def test_a_model_without_pictures_is_refused_by_name(pair: HB_HBMRuntime) -> None:
    with pytest.raises(UnsupportedInputsError, match=r"model 'sums' .*images: .*a: F32 \[2, 3\]"):
        Preprocessor.for_model(pair.models["sums"])
