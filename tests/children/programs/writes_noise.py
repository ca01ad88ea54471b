"""Writes NUL bytes, UTF-16, invalid UTF-8, a lone byte-order mark and control characters between messages."""

import speak

call = speak.begin()
speak.raw(bytes(100) + b"\n")
speak.raw('{"jsonrpc": "2.0"}'.encode("utf-16") + b"\n")
speak.raw(b'{"jsonrpc": "2.0", "method": "\xff\xfe\xc3("}\n')
speak.raw(b"\xef\xbb\xbf\n\x1b[2J\x07\x9b31m\n")
speak.end_well(call, "fine")
