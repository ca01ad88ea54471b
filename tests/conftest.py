"""What all tests share: hypothesis settings and nothing that patches or pretends.

Fixtures for one subject live beside its tests. A fixture belongs here only when several folders need it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Property tests never assert time: the machine may be busy. On CI they draw the same examples every time, so
# that a red run can be repeated; at home they explore.
settings.register_profile(
    "home",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("home"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")
