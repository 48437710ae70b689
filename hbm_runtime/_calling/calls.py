# SPDX-License-Identifier: Apache-2.0
"""What the calls of a runtime have in common: their arguments checked, their results made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._calling.inputs import arrange
from hbm_runtime._checks import check_model_name
from hbm_runtime._loading.loaded_models import Snapshot
from hbm_runtime.errors import HBMInputError
from hbm_runtime.telemetry.statistics import StageTimes

Array = npt.NDArray[Any]
Results = dict[str, dict[str, Array]]
ModelCalls = list[tuple[int, list[Array], "_core.Scheduling | None"]]

MISSING: Any = object()
_INPUT_KEYWORDS = ("input_tensor", "input_tensors", "multi_input_tensors")


class RunResult(dict[str, dict[str, Array]]):
    """``{model: {output: array}}`` of a run that was asked for its times.

    Attributes:
        timing: ``{model: StageTimes}``.

    Examples:
        >>> import numpy as np
        >>> from hbm_runtime import HB_HBMRuntime
        >>> rt = HB_HBMRuntime("model.hbm")
        >>> result = rt.run(np.zeros((1, 4), np.float32), timing=True)
        >>> list(result["plus"]), result.timing["plus"].execute_ns > 0
        (['y'], True)
    """

    timing: dict[str, StageTimes]


def model_calls(
    snapshot: Snapshot, given: Any, model_name: str | None, changes: Mapping[str, Any]
) -> ModelCalls:
    """Return one call's parts as the core takes them."""
    if model_name is not None:
        check_model_name(model_name, list(snapshot.entries), "model_name")
    arranged = arrange(given, model_name, snapshot.input_names)
    names = list(arranged)
    scheduling = snapshot.scheduling_for(names, changes)
    return [
        (snapshot.indices[name], arranged[name], of_model)
        for name, of_model in zip(names, scheduling, strict=True)
    ]


def single_input(input: Any, named: Mapping[str, Any], call: str) -> Any:
    """Return a call's one input, which may have any of the manual's names."""
    unknown = [name for name in named if name not in _INPUT_KEYWORDS]
    if unknown:
        raise HBMInputError(
            f"{call}() got an unknown argument {unknown[0]!r}; it takes "
            f"{', '.join(_INPUT_KEYWORDS)}, model_name, priority, bpu_cores, custom_id, device_id, "
            f"timeout, dense and timing"
        )
    given = [*([] if input is MISSING else [input]), *named.values()]
    if len(given) != 1:
        raise HBMInputError(f"{call}() takes exactly one input argument, got {len(given)}")
    return given[0]


def as_requested(
    results: Results,
    times: Mapping[str, tuple[int, int, int, int]],
    dense: bool,
    timing: bool,
    runtime: _core.Runtime,
) -> Results:
    """Return results in the form that was asked for."""
    if dense:
        results = {name: _made_dense(name, arrays, runtime) for name, arrays in results.items()}
    if timing:
        timed = RunResult(results)
        timed.timing = {name: StageTimes(*of_model) for name, of_model in times.items()}
        return timed
    return results


def _made_dense(model: str, arrays: dict[str, Array], runtime: _core.Runtime) -> dict[str, Array]:
    padded = [array for array in arrays.values() if not array.flags.c_contiguous]
    if padded:
        runtime.count_copied_out(model, len(padded), sum(array.nbytes for array in padded))
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
