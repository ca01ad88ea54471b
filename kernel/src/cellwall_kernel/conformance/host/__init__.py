"""The conformance run for hosts: what `protocol.md` asks of a host, tried by a plugin that probes it.

    probe        the plugin: a program of its own, with a scenario for each thing that may be tried
    _checks      the table of checks          _exclusions  rules without one, each with its reason
    _scenarios   how the host is run for each scenario, and how that must end
    _drive       runs its command line        _run         all of it, and what came of it

The host is a real command line with a user folder made for each scenario, and the probe stands behind the
same wall as every plugin. What it finds it writes into its own folder.
"""

from __future__ import annotations

from cellwall_kernel.conformance.host._checks import CHECKS
from cellwall_kernel.conformance.host._exclusions import EXCLUSIONS
from cellwall_kernel.conformance.host._run import HostConformance, HostReport
from cellwall_kernel.conformance.host._scenarios import SCENARIOS, Scenario, Step

__all__ = ["CHECKS", "EXCLUSIONS", "SCENARIOS", "HostConformance", "HostReport", "Scenario", "Step"]
