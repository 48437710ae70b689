# SPDX-License-Identifier: Apache-2.0
"""Loads, unloads and reloads models of a running node, while the others work on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hbm_runtime._texts import shortened
from hbm_runtime_ros.models.model_version import ModelVersion
from hbm_runtime_ros.models.served_model import ServedModel
from hbm_runtime_ros.parameters.reading import ConfigurationError

if TYPE_CHECKING:
    from hbm_runtime_ros.models.model_file_runtime import ModelFileRuntime
    from hbm_runtime_ros.models.served_models import ServedModels

Completion = Callable[[], str]

PATIENCE = 60.0  # seconds that a change waits for those before it


class Refused(Exception):
    """Why a change was not made; the text names the model and what to do."""


class ModelChanges:
    """Changes in two parts.

    What takes time is done by the methods, in any thread; what they return completes the change
    and says what was done, in the thread that carries out transitions.
    """

    def __init__(
        self,
        served: ServedModels,
        state: Callable[[], str],
        changed: Callable[[], None],
    ) -> None:
        """Change nothing yet.

        Args:
            served: The models.
            state: Label of the node's life cycle.
            changed: Called after a change, to subscribe and to publish ~/model_info.
        """
        self._served = served
        self._state = state
        self._changed = changed
        # from the loading, in one thread, until its completion in another
        self._replacing = threading.Lock()

    def load(self, name: str) -> Completion:
        """Load a model that was unloaded.

        Args:
            name: Of the model, "" for all.

        Returns:
            Completes it.

        Raises:
            Refused: If there is no such model.
            ConfigurationError: If it cannot be loaded.
        """
        return self._replace([model for model in self._named(name) if model.loaded is None])

    def reload(self, name: str) -> Completion:
        """Load a model's file again, for all models in it; the old version works on meanwhile.

        Args:
            name: Of the model, "" for all that are loaded.

        Returns:
            Completes it.

        Raises:
            Refused: If there is no such model, or it is not loaded.
            ConfigurationError: If it cannot be loaded; the old version stays.
        """
        named = self._named(name)
        if name and named[0].loaded is None:
            raise Refused(f"model '{shortened(name)}' is not loaded; call ~/load")
        files = {model.settings.file for model in named}
        models = [m for m in self._served.models if m.loaded and m.settings.file in files]
        return self._replace(models, fresh=True)

    def unload(self, name: str) -> Completion:
        """Free a model, and its file if no other model uses it.

        Args:
            name: Of the model, "" for all.

        Returns:
            Completes it.

        Raises:
            Refused: If there is no such model.
        """
        models = self._named(name)

        def complete() -> str:
            self._check_present(models)
            done = []
            for model in models:
                if model.loaded is None:
                    continue
                # the frame that it is busy with ends in the background
                model.pipeline.stop(0.0, drain=False)
                file = model.loaded.file
                model.set_loaded(None)
                self._served.close_unused(file)
                done.append(model.name)
            self._changed()
            return _said("unloaded", done)

        return complete

    def reset(self, name: str) -> Completion:
        """Let counters start from zero.

        Args:
            name: Of the model, "" for all.

        Returns:
            Completes it.

        Raises:
            Refused: If there is no such model.
        """
        models = self._named(name)

        def complete() -> str:
            self._check_present(models)
            for model in models:
                model.pipeline.reset()
                for input in model.inputs:
                    input.reset()
            return _said("counts from zero:", [model.name for model in models])

        return complete

    def _named(self, name: str) -> tuple[ServedModel, ...]:
        models = self._served.models
        if not models:
            raise Refused(f"the node is {self._state()} and has no models; configure it first")
        if not name:
            return models
        found = tuple(model for model in models if model.name == name)
        if not found:
            names = ", ".join(model.name for model in models)
            raise Refused(
                f"there is no model '{shortened(name)}'; the parameter 'models' has {names}"
            )
        return found

    def _replace(self, models: Sequence[ServedModel], fresh: bool = False) -> Completion:
        """Load models, each file once, and return what puts them in their places.

        One such change at a time: each holds a second copy of its models.
        """
        if not self._replacing.acquire(timeout=PATIENCE):
            raise Refused("another model has been loading for too long; try again")
        try:
            put = self._load(models, fresh)
        except BaseException:
            self._replacing.release()
            raise

        def complete() -> str:
            try:
                return put()
            finally:
                self._replacing.release()

        return complete

    def _load(self, models: Sequence[ServedModel], fresh: bool) -> Completion:
        before = _files_of(models)
        files: dict[str, ModelFileRuntime] = {}
        if not fresh:
            files = {file.path: file for file in self._served.files()}
        loaded: list[ModelVersion] = []
        try:
            for model in models:
                loaded.append(self._served.load(model.settings, files.get(model.settings.file)))
                files[model.settings.file] = loaded[-1].file
        except ConfigurationError:
            self._close_unused(loaded)
            raise

        def complete() -> str:
            try:
                self._check_present(models)
                if _files_of(models) != before:
                    raise Refused("the model was changed meanwhile; try again")
            except Refused:
                self._close_unused(loaded)
                raise
            for model, new in zip(models, loaded, strict=True):
                old = model.loaded
                model.set_loaded(new)
                if old is None and self._state() == "active":
                    model.pipeline.start()
                if old is not None:
                    self._served.close_unused(old.file)
            self._changed()
            return _said("loaded", [model.name for model in models])

        return complete

    def _check_present(self, models: Sequence[ServedModel]) -> None:
        if any(model not in self._served.models for model in models):
            raise Refused("the node was configured anew meanwhile; try again")

    def _close_unused(self, loaded: list[ModelVersion]) -> None:
        for file in dict.fromkeys(each.file for each in loaded):
            self._served.close_unused(file)


def _files_of(models: Sequence[ServedModel]) -> list[ModelFileRuntime | None]:
    return [None if model.loaded is None else model.loaded.file for model in models]


def _said(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(names)}" if names else "nothing to do"
