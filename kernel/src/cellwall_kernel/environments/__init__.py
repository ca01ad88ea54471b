"""Environments: one virtual environment for each plugin that `llm install` brought, below the user folder.

    environments/NAME/environment.json   which generation is current, and what was asked for and installed
    environments/NAME/g1, g2, …          the generations, each a complete virtual environment
    environments/NAME.lock, NAME.log     the lock of all changes, and what the installer said last
    environments/.sdk/                   the SDK as a wheel, which goes into every environment

A generation is built where it will stay, and becomes current when `environment.json` is replaced in one step:
an installation that fails, is interrupted or is killed changes nothing. Nothing of an environment is run here
once something was installed into it, because a `.pth` file of the plugin would run in the host's name: what
must be known is read from files.

    making      what the commands use that change something
    _records    the types, and `installed`, loaded by every command
    _wanted     what the user asks for: a name, a wheel, a folder with sources
    _slot       the folder of one plugin: lock, generations, leftovers
    _make       from what is wanted to a new generation
    _venv       the empty virtual environment, its site folder, bytecode
    _installer  which program fetches and unpacks, and what it is asked
    _uv _pip    the two programs
    _run_pip    pip's start inside a new environment, without the right to start programs
    _programs   running a program: log, progress, its end when we end
    _follow     what makes such a program end when we are killed
    _words      from an installer's log to one sentence
    _sdk        the running host's SDK as a wheel
    _build      from sources to a wheel, behind the wall
"""

from __future__ import annotations

from cellwall_kernel.environments._records import EnvironmentFile, Installed, Locked, Wanted, installed

__all__ = ["EnvironmentFile", "Installed", "Locked", "Wanted", "installed"]
