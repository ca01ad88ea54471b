"""What several test folders share; found because pytest's `pythonpath` names `tests`."""
