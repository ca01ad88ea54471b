"""The catalogue: what every installed plugin offers, in one file, so that most commands start no plugin.

Reading it costs a file and a few `stat` calls. When they show that something was installed, upgraded, removed
or edited, discovery runs again, and only plugins whose key has changed are asked again.

    _entries     what is known about one plugin
    _file        the file: damaged parts are forgotten, concurrent writers lose nothing
    _models      who provides which model
    _describing  asking plugins, several at a time
    _installed   everything that is installed
    _catalogue   the whole: load, find, refresh
"""

from __future__ import annotations

from cellwall_kernel.catalogue._catalogue import Catalogue
from cellwall_kernel.catalogue._entries import Entry, PluginProblem, State
from cellwall_kernel.catalogue._models import Collision

__all__ = ["Catalogue", "Collision", "Entry", "PluginProblem", "State"]
