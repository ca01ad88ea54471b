"""Scripts that run inside the measured environments and print one JSON object of figures as their last line.

Each is run as `python -m cellbench.probes.NAME`, so it may import the standard library,
`cellbench.procfs`, `cellbench.processes`, its siblings here and what its own environment holds. All print
`unit_s` (the median time of one unit) and `unit_cpu_s` (CPU of all processes per unit) when they repeat one
thing. Those that compare modes of a cell print `MODE_s` and `MODE_cpu_s` for each, see `cells`.
"""
