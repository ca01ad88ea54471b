"""Ends with a call open while a grandchild holds its output, unseen by any keeper."""

import os
import subprocess
import sys

import speak

call = speak.begin()
speak.data(call, 0, "one")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(5)"], start_new_session=True)
os._exit(3)
