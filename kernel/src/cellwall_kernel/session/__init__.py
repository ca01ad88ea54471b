"""A conversation with one plugin: calls and their answers over a child's pipes.

    _deadline   how long a call may take
    _call       one open call: its items, its credit, its one outcome; _calls: all that are open
    _outbox     what is to be written: control before data; _outflow: items, as the plugin takes them
    _services   calls that the plugin makes to the host
    _warden     its wall: that it stands, its listed hosts, what was tried in vain (_attempts)
    _failures   what goes wrong on the wire, as errors for people; _shortage: what the plugin ran out of
    _session    the reader that ties them together, and the session's beginning and end

What may be said when is known to `cellwall_wire.Connection`; here are the clock, the tasks and the pipes.
"""

from __future__ import annotations

from cellwall_kernel.session._call import Call
from cellwall_kernel.session._deadline import Deadline
from cellwall_kernel.session._outbox import Outbox
from cellwall_kernel.session._services import Handler, ServiceCall
from cellwall_kernel.session._session import Session
from cellwall_kernel.session._warden import Warden

__all__ = ["Call", "Deadline", "Handler", "Outbox", "ServiceCall", "Session", "Warden"]
