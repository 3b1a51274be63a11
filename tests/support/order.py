"""
In which order tests run, and which of the processes that run them gets the next one.

Tests of one file stand side by side and are alike: given out in large shares, one process is left with all that
wait for minutes when the others have nothing to do.  So the longest go first, the others as a checksum of their
names mixes them (each process of a run, and each run, mixes them alike), and nobody is given more than he can hold.
Those that share something of their file, as a proxy for a whole table, stay together: else it would start for each.
"""
import itertools
import zlib

ASSUMED_BOUND_S = 60


def _shares(item):
    """It uses what was made once for its file."""
    made = item._fixtureinfo.name2fixturedefs.values()
    return any(definition.scope == "module" for definitions in made for definition in definitions)


def _key(item):
    marker = item.get_closest_marker("timeout")
    bound = marker.args[0] if marker else ASSUMED_BOUND_S
    waits = item.get_closest_marker("waits") is not None
    slow = item.get_closest_marker("slow") is not None
    together = str(item.path) if _shares(item) else item.nodeid
    return (not waits, not slow, -bound, zlib.crc32(together.encode()))


def longest_first(items):
    items.sort(key=_key)


def scheduler(config, log):
    """xdist's own, but one test at a time; two at first, since a process runs one when it knows the next."""
    from xdist.scheduler import LoadScheduling

    class OneAtATime(LoadScheduling):
        def check_schedule(self, node, duration=0):
            if node.shutting_down:
                return
            if not self.pending:
                node.shutdown()
            elif len(self.node2pending[node]) < 2:
                self._send_tests(node, 2 - len(self.node2pending[node]))

        def schedule(self):
            if self.collection is not None or not self._check_nodes_have_same_collection():
                super().schedule()
                return
            self.collection = next(iter(self.node2collection.values()))
            self.pending[:] = range(len(self.collection))
            for node in itertools.chain(self.nodes, reversed(self.nodes)):
                self._send_tests(node, 1)
            if not self.pending:
                for node in self.nodes:
                    node.shutdown()

    return OneAtATime(config, log)
