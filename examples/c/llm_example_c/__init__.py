"""Only here because an entry point names a Python module; plugin.toml beside it names the program."""
