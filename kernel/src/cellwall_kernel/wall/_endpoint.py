"""Where a plugin finds the proxy of its listed hosts: a listening socket, and variables that lead there."""

from __future__ import annotations

import _socket  # `socket` would cost the start of a child some milliseconds

__all__ = ["BACKLOG", "open_listener", "port_of", "proxy_variables"]

BACKLOG = 512
"""How many connections may wait to be accepted; twice what the proxy attends to at once."""


def open_listener() -> int:
    """Return the descriptor of a listening TCP socket on 127.0.0.1, on a port that the system chose.

    Raises:
        OSError: the system has none left.
    """
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener.detach()


def port_of(listener: int) -> int:
    """Return the port that a listening socket has, by its descriptor."""
    view = _socket.socket(fileno=listener)
    try:
        return int(view.getsockname()[1])
    finally:
        view.detach()


def proxy_variables(port: int) -> dict[str, str]:
    """Return the environment variables by which libraries find the proxy.

    `NO_PROXY` is empty, so that `localhost` goes through it, too.

    Args:
        port: where it listens, on 127.0.0.1.
    """
    address = f"http://127.0.0.1:{port}"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    variables = {name: address for upper in names for name in (upper, upper.lower())}
    return variables | {"NO_PROXY": "", "no_proxy": ""}
