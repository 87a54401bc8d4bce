"""On PYTHONPATH while a run is watched: each process writes the modules of drizzleflow that it has loaded, by
its end.
"""

import atexit
import os
import sys


def write():
    names = sorted(name for name in sys.modules if name.split(".")[0] == "drizzleflow")
    if names:
        script = os.path.basename(sys.argv[0])
        with open(os.path.join(os.environ["LOADED"], f"{script}-{os.getpid()}"), "w") as file:
            file.write("\n".join(names))


atexit.register(write)
