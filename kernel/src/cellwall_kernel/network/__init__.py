"""Network by name: a plugin that was granted hosts reaches them through the host's proxy, and nothing else.

    Proxy   decides by name, resolves, checks the addresses, connects, carries bytes
    Broker  without a network namespace: connects the plugin's sockets to the proxy, itself
    Binder  without a network: gives a plugin a socket to listen on that nobody can reach

    _rules, _addresses   what may be reached
    _head, _body, _hello what is said on the wire, read strictly; no IO
    _stream, _relay      one connection, two connections
    _dial, _upstream     the way out
    _notices, _attending the kernel's side of broker and binder

What keeps a plugin from going another way is `wall`'s part. All this runs in the host's event loop.
"""

from __future__ import annotations

from cellwall_kernel.network._binder import Binder
from cellwall_kernel.network._broker import Broker
from cellwall_kernel.network._proxy import Proxy

__all__ = ["Binder", "Broker", "Proxy"]
