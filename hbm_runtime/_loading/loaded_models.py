# SPDX-License-Identifier: Apache-2.0
"""The loaded models of one runtime, as snapshots that are replaced and never changed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hbm_runtime import _core
from hbm_runtime._checks import check_model_name
from hbm_runtime._loading.log import forward_log_lines
from hbm_runtime._loading.model_paths import check_origin, explain_refusal
from hbm_runtime._loading.preemption import warn_of_missing_boundaries
from hbm_runtime._loading.scheduling import Changes, ModelScheduling, changed
from hbm_runtime._source_file import SourceFile
from hbm_runtime.errors import HBMClosedError, HBMInputError, HBMModelError
from hbm_runtime.models import Models, models_of

_logger = logging.getLogger("hbm_runtime")


@dataclass(frozen=True)
class Entry:
    """One loaded model."""

    model: _core.LoadedModel
    source: SourceFile
    scheduling: ModelScheduling

    @property
    def path(self) -> str:
        """Path of its file, as given."""
        return self.source.path


@dataclass(frozen=True)
class Snapshot:
    """All loaded models at one time."""

    entries: Mapping[str, Entry]
    file_descriptions: Mapping[str, str]
    plan: _core.Plan
    fast_path: Callable[[Any], Any]  # runs an input of a usual form, or returns NotImplemented
    core_count: int
    warned: set[str]  # models that were warned about their pre-empting priority

    @cached_property
    def indices(self) -> dict[str, int]:
        """``{model: its place in the plan}``."""
        return {name: index for index, name in enumerate(self.entries)}

    @cached_property
    def descriptions(self) -> dict[str, str]:
        """``{model: the compiler's description}``; '' without one."""
        return {name: entry.model.description for name, entry in self.entries.items()}

    @cached_property
    def input_names(self) -> dict[str, list[str]]:
        """``{model: [input, …]}``."""
        return {
            name: [tensor.name for tensor in entry.model.inputs]
            for name, entry in self.entries.items()
        }

    @cached_property
    def output_names(self) -> dict[str, list[str]]:
        """``{model: [output, …]}``."""
        return {
            name: [tensor.name for tensor in entry.model.outputs]
            for name, entry in self.entries.items()
        }

    @cached_property
    def models(self) -> Models:
        """The models as typed objects."""
        return models_of(
            (entry.model for entry in self.entries.values()),
            {name: entry.source for name, entry in self.entries.items()},
        )

    def scheduling_for(
        self, names: Sequence[str], changes: Changes
    ) -> list[_core.Scheduling | None]:
        """Return what applies to one call: None where that is the plan's own."""
        if all(values is None for values in changes.values()):
            return [None] * len(names)
        # Names of models that take no part in the call are checked as well.
        scheduling = {name: entry.scheduling for name, entry in self.entries.items()}
        named = {
            what: values if isinstance(values, Mapping) or values is None
            else dict.fromkeys(names, values)
            for what, values in changes.items()
        }  # fmt: skip
        merged = changed(scheduling, named, per_model=True)
        if named.get("priority"):
            priorities = {name: merged[name].param.priority for name in names}
            warn_of_missing_boundaries(self.descriptions, priorities, self.warned)
        return [merged[name].compile(self.entries[name].model, self.core_count) for name in names]


class ModelLoader:
    """Changes the set of loaded models; every change makes a new snapshot or none at all."""

    snapshot: Snapshot

    def __init__(self, library: _core.Library, runtime: _core.Runtime) -> None:
        self._library = library
        self._runtime = runtime
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        self.snapshot = self._make({}, {})

    def load(self, paths: Sequence[str], *, first_wins: bool) -> list[str]:
        """Load files and return the names of their models.

        Args:
            paths: The files.
            first_wins: Whether a model of a name that exists is left out with a warning, as the
                accelerator does within one call, instead of being an error.
        """
        loaded = [self._read(path) for path in paths]
        with self._lock:
            entries = dict(self.snapshot.entries)
            descriptions = dict(self.snapshot.file_descriptions)
            names: list[str] = []
            for source, models, description in loaded:
                path = source.path
                descriptions[path] = description
                for model in models:
                    if model.name not in entries:
                        entries[model.name] = Entry(model, source, ModelScheduling())
                        names.append(model.name)
                    elif not first_wins:
                        raise HBMInputError(
                            f"{path} holds a model {model.name!r}, but one of that name is loaded "
                            f"from {entries[model.name].path}; replace it with reload(), or "
                            f"unload() it first",
                            model=model.name,
                        )
                    else:
                        _logger.warning(
                            "model %r of %s is left out: one of that name is loaded from %s",
                            model.name,
                            path,
                            entries[model.name].path,
                        )
            self.snapshot = self._make(entries, descriptions)
        return names

    def unload(self, name: str) -> None:
        """Forget a model; its runs in flight end as they would."""
        with self._lock:
            entries = dict(self.snapshot.entries)
            check_model_name(name, list(entries), "model_name")
            path = entries.pop(name).path
            descriptions = dict(self.snapshot.file_descriptions)
            if all(entry.path != path for entry in entries.values()):
                descriptions.pop(path, None)
            self.snapshot = self._make(entries, descriptions)
            self._runtime.forget(name)

    def reload(self, name: str, path: str | None) -> None:
        """Replace a model by the one of that name in a file; on any error the old one stays."""
        known = self.snapshot.entries
        check_model_name(name, list(known), "model_name")
        path = known[name].path if path is None else path
        source, models, description = self._read(path)
        fresh = {model.name: model for model in models}
        if name not in fresh:
            raise HBMModelError(
                f"{path} holds no model {name!r}, only {', '.join(map(repr, fresh))}; the loaded "
                f"one stays",
                model=name,
            )
        with self._lock:
            entries = dict(self.snapshot.entries)
            check_model_name(name, list(entries), "model_name")  # another thread may unload it
            entries[name] = replace(entries[name], model=fresh[name], source=source)
            used = {entry.path for entry in entries.values()}
            descriptions = {
                known: text
                for known, text in self.snapshot.file_descriptions.items()
                if known in used
            }
            descriptions[path] = description
            self.snapshot = self._make(entries, descriptions)

    def update(self, changes: Changes) -> None:
        """Change scheduling parameters; check everything, then change everything."""
        with self._lock:
            old = self.snapshot
            scheduling = {name: entry.scheduling for name, entry in old.entries.items()}
            merged = changed(scheduling, changes, per_model=True)
            entries = {
                name: replace(entry, scheduling=merged[name]) for name, entry in old.entries.items()
            }
            self.snapshot = self._make(entries, old.file_descriptions)
            if changes.get("priority"):
                priorities = {name: merged[name].param.priority for name in changes["priority"]}
                warn_of_missing_boundaries(self.snapshot.descriptions, priorities, self._warned)

    def close(self) -> None:
        """Forget all models; from now on asking for the snapshot raises HBMClosedError."""
        with self._lock:
            self.__dict__.pop("snapshot", None)

    def __getattr__(self, name: str) -> Any:
        """Explain why there is no snapshot; an attribute that exists never comes here."""
        if name == "snapshot":
            raise HBMClosedError("the runtime is closed; make a new HB_HBMRuntime")
        raise AttributeError(name)

    def _read(self, path: str) -> tuple[SourceFile, list[_core.LoadedModel], str]:
        source = SourceFile(path)  # before the accelerator reads it: a later change is noticed
        check_origin(path, self._library.is_simulator)
        try:
            models, descriptions = _core.load(self._library, [path])
        except HBMModelError as error:
            explained = explain_refusal(path, error, self._library.is_simulator)
            raise explained from None
        finally:
            forward_log_lines()
        return source, models, descriptions[0]

    def _make(self, entries: Mapping[str, Entry], descriptions: Mapping[str, str]) -> Snapshot:
        core_count = self._library.core_count
        plan = _core.Plan(
            self._runtime,
            [(entry.model, entry.scheduling.compile(entry.model, core_count))
             for entry in entries.values()],
        )  # fmt: skip
        fast_path = self._runtime.fast_path(plan)
        return Snapshot(entries, descriptions, plan, fast_path, core_count, self._warned)
