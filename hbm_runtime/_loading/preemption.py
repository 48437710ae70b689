# SPDX-License-Identifier: Apache-2.0
"""Warns when a pre-empting priority is asked for and no function-call boundaries are there."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hbm_runtime._loading.loaded_models import Entry

_logger = logging.getLogger("hbm_runtime")

PRIORITY_PREEMPT = 254
"""Runs before 0 to 253, and interrupts them at their next function-call boundary."""

PRIORITY_URGENT = 255
"""Runs before all others, and interrupts 0 to 254 at their next function-call boundary."""

_KEY = "MAX_TIME_PER_FC"  # of the compiler's description: microseconds, 0 for no boundaries


def has_boundaries(description: str) -> bool | None:
    """Tell whether a model was compiled with function-call boundaries.

    Args:
        description: The model's, JSON as the compiler writes it.

    Returns:
        None if the description does not tell.
    """
    try:
        told = json.loads(description)
        value: Any = told.get(_KEY) if isinstance(told, dict) else None
        return None if value is None else float(value) > 0
    except (ValueError, TypeError, RecursionError):
        return None


def warn_of_missing_boundaries(
    entries: Mapping[str, Entry], priorities: Mapping[str, int], told: set[str]
) -> None:
    """Log which loaded models a pre-empting priority cannot interrupt.

    Args:
        entries: The loaded models.
        priorities: ``{model: priority}`` that is asked for.
        told: Models for which this was said; added to, and not told again.
    """
    if all(priority < PRIORITY_PREEMPT or name in told for name, priority in priorities.items()):
        return
    solid = [
        name for name, entry in entries.items() if has_boundaries(entry.model.description) is False
    ]
    for name, priority in priorities.items():
        if priority >= PRIORITY_PREEMPT and solid and name not in told:
            told.add(name)
            _logger.warning(
                "priority %d of model %r pre-empts only models that were compiled with "
                "max_time_per_fc; without function-call boundaries are: %s",
                priority,
                name,
                ", ".join(map(repr, solid)),
            )
