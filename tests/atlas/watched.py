"""Runs commands of face-atlas with an eye on what they write and whom they call: the main program of a subprocess.

``python watched.py ALLOWED LOG``, the commands as JSON lists on stdin, one a line. Every connection, every other
program and every write outside the folder ALLOWED becomes a line of LOG.
"""

import json
import os
import sys
from typing import Any

CHANGES = {  # audit event: which of its arguments is the path that is changed
    "os.mkdir": 0, "os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.link": 1, "os.symlink": 1, "os.truncate": 0,
    "os.chmod": 0, "os.chown": 0, "os.utime": 0, "os.setxattr": 0,
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(allowed: str, log: str) -> None:
    """Log from now on; a hook cannot be taken out again."""
    root = os.path.realpath(allowed)
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def changed(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real != os.devnull and real != root and not real.startswith(root + os.sep)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.bind" and arguments[1] == ("::1", 0):
            return  # urllib3, when it is imported, asks whether the machine knows IPv6
        if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
            line = f"{event} {arguments[1:]}"
        elif event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
            line = f"program {arguments[0]}"
        elif event == "open" and (arguments[2] or 0) & WRITING and changed(arguments[0]):
            line = f"write {os.path.realpath(os.fsdecode(arguments[0]))}"
        elif event in CHANGES and changed(arguments[CHANGES[event]]):
            line = f"{event} {os.path.realpath(os.fsdecode(arguments[CHANGES[event]]))}"
        else:
            return
        os.write(stream, f"{line}\n".encode())

    sys.addaudithook(hook)


if __name__ == "__main__":
    watch(*sys.argv[1:3])
    from atlas.cli.main import run

    for command in sys.stdin:
        try:
            run(json.loads(command))
        except SystemExit as left:
            if left.code:
                raise
