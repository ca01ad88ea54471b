"""What runs first in every child: a keeper that outlives every mishap, and then the plugin's process.

The host runs this file by path (`python -I -S -X utf8 bootstrap.py KEY=VALUE…`), so it imports the standard
library only, and little of that: its imports are paid by every child. The arguments:

    host=PID        the host's process, 0 when it cannot be known
    target=TEXT     MODULE or MODULE:ATTRIBUTE, handed on to the SDK
    site=FOLDER     a site folder (its `.pth` files count); may be given many times, in search order
    path=FOLDER     a folder that is only searched; likewise
    wall=FD         where the plan of the wall is read from; without it there is none
    report=FD       a socket on which the host hears that the wall stands
    wire=FD         twice, what shall be 0 and 1: in a wrapping, those two are the wrapping's

The order, which is the point of this file:
1. The process that the host started stays as the *keeper*. It adopts orphans, hears of the host's death,
   forks the plugin's process and lets go of the wire.
2. The plugin's process ties its life to the keeper's and moves the wire away from descriptors 0 and 1, so
   that no later print, read or child process can touch it.
3. The wall is built as the host planned it, still before a line of foreign code, which includes `.pth` files.
   A layer that cannot be built ends the process: nothing runs behind half a wall.
4. The site folders are opened and the SDK takes over: `cellwall_sdk._child.run(target, read_fd, write_fd)`.
   A plugin in another language is executed instead, behind the same wall, and keeps 0 and 1 as its wire.

What the keeper promises: when the plugin's process ends, everything that it started is killed, and only then
the keeper ends, with the same exit code or signal. When the host dies, or sends SIGUSR1, all of them are
killed at once, even when the plugin ignores signals, is stopped, or never lets go of the interpreter lock.
Every other signal leaves the keeper alone: a SIGTERM to the group is for the plugin.

Linux has all this. Elsewhere the keeper polls and kills what is in its group; that path has not been run.

This file decides nothing: which layers there are, and what they allow, is in the plan that
`cellwall_kernel.wall` makes.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Beside the standard library only this folder is searched, only now, and after it: no file of a plugin
    # and none of the working folder is on the path. The modules come from their bytecode caches.
    sys.path.append(__file__.rpartition("/")[0].rpartition("/")[0])
    from cellwall_kernel.cell.start import main

    sys.path.pop()
    # What the plugin's own environment calls by this name, it shall find there.
    for name in [name for name in sys.modules if name.partition(".")[0] == "cellwall_kernel"]:
        del sys.modules[name]
    main(sys.argv[1:])
