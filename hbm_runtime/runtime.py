# SPDX-License-Identifier: Apache-2.0
"""HB_HBMRuntime: loads models and runs them, as the vendor's manual describes it and beyond."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from hbm_runtime import _core
from hbm_runtime._inputs import arrange, check_model_name, check_timeout, shown
from hbm_runtime._library import open_library
from hbm_runtime._metadata import Metadata
from hbm_runtime._model_paths import check_paths
from hbm_runtime._model_table import ModelTable, Snapshot
from hbm_runtime._version import VersionProperty
from hbm_runtime.errors import HBMInputError

Array = npt.NDArray[Any]
Inputs = Array | Mapping[str, Array | Mapping[str, Array]]
Results = dict[str, dict[str, Array]]
PathLike = Union[str, "os.PathLike[str]"]

_INPUT_KEYWORDS = ("input_tensor", "input_tensors", "multi_input_tensors")
_NOT_GIVEN: Any = object()


class HB_HBMRuntime(Metadata):
    """One or more models, loaded from ``.hbm`` files and ready to run.

    Any number of threads may call ``run`` on one object. All properties are read-only; what they
    return are copies in plain types, in the order of ``model_names``, ``input_names`` and
    ``output_names``.

    Args:
        model_file: Path of a model file (str or PathLike), or a list or tuple of paths.
        model_files: The same under the manual's second name.
        library: Folder with ``libhbucp.so`` and ``libdnn.so``; see ``doc/configuration.md`` for
            what is used when it is not given.

    Raises:
        HBMInputError: The argument is no path and no list of paths, or the list is empty.
        HBMModelError: A file is missing, damaged or made for another accelerator.
        HBMLibraryError: The accelerator's libraries, or the simulator's engine, are missing.
        HBMMemoryError: The accelerator has no room for the models.
    """

    version: VersionProperty = VersionProperty()
    """Version of the accelerator's library ``libdnn.so``, a str that may also be called.

    On an object it is that of its own libraries, on the class that of those found by default;
    there it raises HBMLibraryError if there are none.
    """

    def __init__(
        self,
        model_file: PathLike | Sequence[PathLike] | None = None,
        model_files: PathLike | Sequence[PathLike] | None = None,
        *,
        library: PathLike | None = None,
    ) -> None:
        if (model_file is None) == (model_files is None):
            raise HBMInputError("pass either model_file or model_files")
        paths = check_paths(model_files if model_file is None else model_file)
        self._library = open_library(library)
        self._runtime = _core.Runtime(self._library)
        self._table = ModelTable(self._library)
        self._table.load(paths, first_wins=True)
        self._plain = self._make_plain()

    def _make_plain(self) -> Callable[[Any], Any]:
        return self._runtime.plain_runner(self._snapshot.plan)

    @property
    def library(self) -> _core.Library:
        """The accelerator's libraries in use.

        Its read-only attributes: ``path`` (str; the folder, '' if the loader found it),
        ``is_simulator`` (bool), ``soc_name`` (str), ``core_count`` (int; BPU cores),
        ``ucp_version`` and ``dnn_version`` (str).
        """
        return self._library

    def set_scheduling_params(
        self,
        priority: Mapping[str, int] | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | None = None,
        custom_id: Mapping[str, int] | None = None,
        device_id: Mapping[str, int] | None = None,
        *,
        timeout: Mapping[str, float | None] | None = None,
        max_wait_ms: Mapping[str, float | None] | None = None,
    ) -> None:
        """Set the scheduling parameters of models from the next run on; all or nothing.

        Args:
            priority: ``{model: 0 to 255}``, higher first.
            bpu_cores: ``{model: core numbers}``; ``[]`` or ``[-1]`` leaves the choice to the
                scheduler.
            custom_id: ``{model: number}``, 64 bits; among equal priorities the smaller runs first.
            device_id: ``{model: device}``; reserved, 0.
            timeout: ``{model: seconds}`` for calls that give none; None waits as long as it takes.
            max_wait_ms: ``{model: milliseconds}`` after which a waiting task goes before all
                others of this process, whatever their priority; None for never.

        Raises:
            HBMInputError: A model is unknown, a priority out of range or a core not on the chip;
                nothing was changed.
        """
        self._table.update(
            {
                "priority": priority,
                "bpu_cores": bpu_cores,
                "custom_id": custom_id,
                "device_id": device_id,
                "timeout": timeout,
                "max_wait_ms": max_wait_ms,
            }
        )
        self._plain = self._make_plain()

    def run(
        self,
        input: Inputs = _NOT_GIVEN,
        model_name: str | None = None,
        priority: Mapping[str, int] | int | None = None,
        bpu_cores: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
        custom_id: Mapping[str, int] | int | None = None,
        device_id: Mapping[str, int] | int | None = None,
        *,
        timeout: float | None = None,
        dense: bool = False,
        **named: Inputs,
    ) -> Results:
        """Run one or more models and wait for their outputs.

        Args:
            input: An array for a model with one input, ``{input: array}``, or
                ``{model: {input: array}}``. Data type and shape must be the model's; any
                strides will do.
            model_name: The model, where several are loaded; filters the third form.
            priority: For this call only, ``{model: value}`` or one value for all.
            bpu_cores: For this call only, likewise.
            custom_id: For this call only, likewise.
            device_id: For this call only, likewise.
            timeout: Seconds until the outputs must be there; None waits as long as it takes.
            dense: Return C-contiguous arrays: outputs with padded rows are copied together.
            **named: The input under a name of the manual's: ``input_tensor``,
                ``input_tensors`` or ``multi_input_tensors``.

        Returns:
            Outputs by model and by name, in the order of the models. The arrays are writable views
            of device memory, padded where the model pads; they stay valid for as long as they are
            held.

        Raises:
            HBMInputError: A name, data type, shape or parameter does not fit the model.
            HBMTimeoutError: The time is over; the task was cancelled.
            HBMTaskError: The accelerator failed.
            HBMMemoryError: The accelerator has no memory left.
        """
        if (
            model_name is None
            and priority is None
            and bpu_cores is None
            and custom_id is None
            and device_id is None
            and timeout is None
            and dense is False
            and not named
        ):
            plain = self._plain(input)
            if plain is not NotImplemented:
                return plain  # type: ignore[no-any-return]
        changes = {
            "priority": priority,
            "bpu_cores": bpu_cores,
            "custom_id": custom_id,
            "device_id": device_id,
        }
        snapshot = self._snapshot
        items = _items(snapshot, _the_input(input, named), model_name, changes)
        if not isinstance(dense, (bool, np.bool_)):
            raise HBMInputError(f"dense: expected True or False, got {shown(dense)}")
        results: Results = self._runtime.run(snapshot.plan, items, check_timeout(timeout))
        return _made_dense(results) if dense else results


def _items(
    snapshot: Snapshot, given: Any, model_name: str | None, changes: Mapping[str, Any]
) -> list[tuple[int, list[Array], _core.Scheduling | None]]:
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


def _made_dense(results: Results) -> Results:
    return {
        model: {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        for model, arrays in results.items()
    }


def _the_input(input: Any, named: dict[str, Any]) -> Any:
    """Return run's one input, which may have any of the manual's names."""
    unknown = [name for name in named if name not in _INPUT_KEYWORDS]
    if unknown:
        raise HBMInputError(
            f"run() got an unknown argument {unknown[0]!r}; it takes {', '.join(_INPUT_KEYWORDS)}, "
            f"model_name, priority, bpu_cores, custom_id, device_id, timeout and dense"
        )
    given = [*([] if input is _NOT_GIVEN else [input]), *named.values()]
    if len(given) != 1:
        raise HBMInputError(f"run() takes exactly one input argument, got {len(given)}")
    return given[0]
