"""Stands where the SDK would: the bootstrap hands over to it exactly as it does to the real one."""
