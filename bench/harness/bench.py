"""What every case needs to know: the options, the cores, the programs."""
import os
import subprocess

from harness import process

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WARNINGS = ("-Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wvla "
            "-Wimplicit-fallthrough -Werror").split()


class Bench:
    """What every case needs to know."""

    def __init__(self, options, order):
        self.here = HERE
        self.order = order
        self.rounds = options.rounds
        self.seconds = options.seconds
        self.workers = options.workers
        self.twokey = options.twokey if os.access(options.twokey, os.X_OK) else None
        self.cores = sorted(os.sched_getaffinity(0))
        self.load_cores = self.cores[:max(1, len(self.cores) - self.workers)]
        self.descriptors = process.descriptors_max()
        self.bin = process.scratch()
        self.wrapper = []       # of twokey: a program that runs it, for bench/profile
        self.errors = None if options.verbose else subprocess.DEVNULL

    def proxy_cores(self, workers):
        """The last cores are the proxy's; where there are too few, all share."""
        return self.cores[-workers:] if workers < len(self.cores) else self.cores

    def program(self, name):
        """The path of one of the C programs here, compiled at first use."""
        path = os.path.join(self.bin, name)
        if not os.path.exists(path):
            subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O2",
                            *WARNINGS, "-pthread", "-o", path, os.path.join(HERE, name + ".c")],
                           check=True)
        return path
