"""Attempts on files in a folder that was not granted, and what must work in the cell's own."""

from __future__ import annotations

import os

from ._scene import Unusable, outside, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._scene import Attempt, Scene

__all__ = ["ATTEMPTS"]


def read_file(scene: Scene) -> None:
    with open(outside(scene, "canary"), encoding="utf-8") as file:
        if scene["token"] not in file.read():
            raise Unusable("it is another file")


def read_through_link(scene: Scene) -> None:
    link = own("link")
    os.symlink(outside(scene, "canary"), link)
    try:
        with open(link, encoding="utf-8") as file:
            file.read()
    finally:
        os.unlink(link)


def list_folder(scene: Scene) -> None:
    os.listdir(scene["outside"])


def write_file(scene: Scene) -> None:
    with open(outside(scene, "canary"), "a", encoding="utf-8") as file:
        file.write("x")


def truncate_file(scene: Scene) -> None:
    os.truncate(outside(scene, "truncated"), 1)


def make_file(scene: Scene) -> None:
    os.close(os.open(outside(scene, "made"), os.O_CREAT | os.O_WRONLY, 0o600))


def make_link(scene: Scene) -> None:
    os.symlink("canary", outside(scene, "linked"))


def delete_file(scene: Scene) -> None:
    os.unlink(outside(scene, "deleted"))


def move_in(scene: Scene) -> None:
    with open(own("moved"), "w", encoding="utf-8"):
        pass
    try:
        os.rename(own("moved"), outside(scene, "moved-in"))
    finally:
        if os.path.exists(own("moved")):
            os.unlink(own("moved"))


def move_out(scene: Scene) -> None:
    os.rename(outside(scene, "moved-out"), own("moved-out"))


def change_mode(scene: Scene) -> None:
    path = outside(scene, "mode")
    os.chmod(path, 0o640)
    if os.stat(path).st_mode & 0o777 != 0o640:  # noqa: PLR2004 - the mode just asked for
        raise PermissionError(1, "it had no effect")


def see_names(scene: Scene) -> str:
    return f"{os.stat(outside(scene, 'canary')).st_size} bytes"


def use_own_folder(scene: Scene) -> None:
    """What every plugin may count on."""
    for folder in (os.environ["HOME"], os.environ["TMPDIR"]):
        first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
        with open(first, "w", encoding="utf-8") as file:
            file.write(scene["token"])
        os.rename(first, second)
        with open(second, encoding="utf-8") as file:
            if file.read() != scene["token"]:
                raise Unusable("what was written is not what is read")
        if "second" not in os.listdir(folder):
            raise Unusable("the folder does not list what is in it")
        os.unlink(second)


ATTEMPTS: dict[str, Attempt] = {
    "read": read_file,
    "read_link": read_through_link,
    "list": list_folder,
    "write": write_file,
    "truncate": truncate_file,
    "create": make_file,
    "symlink": make_link,
    "delete": delete_file,
    "rename_in": move_in,
    "rename_out": move_out,
    "chmod": change_mode,
    "stat": see_names,
    "own_folder": use_own_folder,
}
