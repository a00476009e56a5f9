"""Run ragflow and pull the plug: ``python pull_plug.py before|after MODULE:FUNCTION COMMAND...``.

The process ends by SIGKILL, as in a power cut, where a function of this folder is called or has returned.
The function's file stays as it is, so that the run may be resumed.
"""

import os
import signal
import sys
from importlib import import_module

from ragflow.cli import main


def plug(when: str, name: str) -> None:
    """Put the end of the process before or after a function, given as ``module:function``."""
    place, _, path = name.partition(":")
    *owners, called = path.split(".")
    owner: object = import_module(place)
    for one in owners:
        owner = getattr(owner, one)
    function = getattr(owner, called)

    def pulled(*arguments: object, **options: object) -> None:
        if when == "after":
            function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, called, pulled)


if __name__ == "__main__":
    _, when, name, *command = sys.argv
    plug(when, name)
    sys.argv = ["ragflow", *command]
    sys.exit(main())
