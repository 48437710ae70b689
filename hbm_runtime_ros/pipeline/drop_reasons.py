# SPDX-License-Identifier: Apache-2.0
"""Why a frame became no result: the reasons of DropCount.msg, and which of them are faults."""

from __future__ import annotations

from typing import Final

from hbm_runtime.image import ImageFault

# Somebody decided on these: the policy, the synchronisation, the life cycle.
REPLACED: Final = "replaced"
QUEUE_FULL: Final = "queue_full"
SKIPPED: Final = "skipped"
RATE: Final = "rate"
AGE: Final = "age"
DEADLINE: Final = "deadline"
UNMATCHED: Final = "unmatched"
STOPPED: Final = "stopped"
# Something went wrong; those of the image are the values of ImageFault.
TIMEOUT: Final = "timeout"
INFERENCE_ERROR: Final = "inference_error"
PUBLISH_ERROR: Final = "publish_error"
INTERNAL_ERROR: Final = "internal_error"

POLICY: Final = frozenset((REPLACED, QUEUE_FULL, SKIPPED, RATE, AGE, DEADLINE, UNMATCHED, STOPPED))
IMAGE: Final = frozenset(fault.value for fault in ImageFault)
FAULTS: Final = IMAGE | {TIMEOUT, INFERENCE_ERROR, PUBLISH_ERROR, INTERNAL_ERROR}
