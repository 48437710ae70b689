# SPDX-License-Identifier: Apache-2.0
"""Warns when a pre-empting priority is asked for and no function-call boundaries are there."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

_logger = logging.getLogger("hbm_runtime")

PRIORITY_PREEMPT = 254
"""Runs before 0 to 253, and interrupts them at their next function-call boundary.

Examples:
    >>> import numpy as np
    >>> from hbm_runtime import PRIORITY_PREEMPT, HB_HBMRuntime
    >>> rt = HB_HBMRuntime("model.hbm")
    >>> outputs = rt.run(np.zeros((1, 4), np.float32), priority=PRIORITY_PREEMPT)
"""

PRIORITY_URGENT = 255
"""Runs before all others, and interrupts 0 to 254 at their next function-call boundary.

Examples:
    >>> from hbm_runtime import PRIORITY_URGENT, HB_HBMRuntime
    >>> rt = HB_HBMRuntime("model.hbm")
    >>> rt.set_scheduling_params(priority={"plus": PRIORITY_URGENT})
"""

_KEY = "MAX_TIME_PER_FC"  # of the compiler's description: microseconds, 0 for no boundaries


def has_boundaries(description: str) -> bool | None:
    """Tell whether a model was compiled with function-call boundaries.

    Args:
        description: The model's, JSON as the compiler writes it.

    Returns:
        None if the description does not say.
    """
    try:
        fields = json.loads(description)
        value: Any = fields.get(_KEY) if isinstance(fields, dict) else None
        return None if value is None else float(value) > 0
    except (ValueError, TypeError, RecursionError):
        return None


def warn_of_missing_boundaries(
    descriptions: Mapping[str, str], priorities: Mapping[str, int], warned: set[str]
) -> None:
    """Log which loaded models a pre-empting priority cannot interrupt.

    Args:
        descriptions: ``{model: its description}`` of all loaded models.
        priorities: ``{model: priority}`` that is asked for.
        warned: Models that have been warned about; added to.
    """
    if all(priority < PRIORITY_PREEMPT or name in warned for name, priority in priorities.items()):
        return
    solid = [name for name, text in descriptions.items() if has_boundaries(text) is False]
    for name, priority in priorities.items():
        if priority >= PRIORITY_PREEMPT and solid and name not in warned:
            warned.add(name)
            _logger.warning(
                "priority %d of model %r pre-empts only models that were compiled with "
                "max_time_per_fc; without function-call boundaries are: %s",
                priority,
                name,
                ", ".join(map(repr, solid)),
            )
