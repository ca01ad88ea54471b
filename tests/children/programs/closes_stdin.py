"""Closes its input and lives on, with a call open."""

import os
import signal

import speak

speak.begin()
os.close(0)
signal.pause()
