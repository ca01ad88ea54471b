"""Scripts that run inside the measured environments and print one JSON object of figures as their last line.

Each is run as `python -m cellbench.probes.NAME`, so it may import the standard library,
`cellbench.procfs`, `cellbench.probes.trips` and what its own environment holds. All print `unit_s` (the
median time of one unit) and `unit_cpu_s` (CPU of all processes per unit) when they repeat something.
"""
