"""Sends one item, then neither answers a cancel nor anything else, and ignores SIGTERM."""

import signal

import speak

signal.signal(signal.SIGTERM, signal.SIG_IGN)
call = speak.begin()
speak.data(call, 0, "one")
while True:
    signal.pause()
