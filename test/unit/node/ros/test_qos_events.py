# SPDX-License-Identifier: Apache-2.0
"""Events of publishers and subscriptions that another thread destroys while an executor spins."""

from __future__ import annotations

from typing import Any

import pytest
from sensor_msgs.msg import Image

from hbm_runtime_ros.ros.qos_events import PublisherEventCallbacks, SubscriptionEventCallbacks


def ignore(event: Any) -> None:
    """Nothing to do."""


class NoWaitSet:
    """One that must not be asked for an event that is gone."""


@pytest.mark.parametrize("kind", ["publisher", "subscription"])
def test_an_event_that_is_gone_ends_no_spinning(observer: Any, kind: str) -> None:
    node = observer.node
    if kind == "publisher":
        events: Any = PublisherEventCallbacks(incompatible_qos=ignore)
        made = node.create_publisher(Image, "/image", 1, event_callbacks=events)
        destroy = node.destroy_publisher
    else:
        events = SubscriptionEventCallbacks(incompatible_qos=ignore)
        made = node.create_subscription(Image, "/image", ignore, 1, event_callbacks=events)
        destroy = node.destroy_subscription
    handler = made.event_handlers[0]
    handler._ready_to_take_data = True  # it was ready when another thread destroyed it
    destroy(made)
    handler.add_to_wait_set(NoWaitSet())
    assert not handler.is_ready(NoWaitSet())
    assert handler.take_data() is None
