"""Takes a minute to be imported."""

import time

time.sleep(60)
