"""The benchmark harness: environments, measured processes, rows, reports.

Nothing in here depends on anything but the standard library, so that `python benchmarks/run.py` works on
a bare clone. What is measured runs in child processes, in environments of their own; the scripts for
that are in `../probes`.
"""
