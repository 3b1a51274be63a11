"""Host names that the test decides about: a small library before libc's, told by a file.

    with Names() as names:
        names.set("app.test", "127.0.0.1", "127.0.0.2")    # no address: the name does not resolve
        proxy = make_proxy(..., env=names.env)
"""
import os
import shutil
import subprocess
import tempfile

import pytest
from support.proxy import binary

SOURCE = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* The file has lines "name address address ...": the whole answer for that name, as libc would
 * make it of the addresses. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    getaddrinfo_fn *next = (getaddrinfo_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
    FILE *file = node != NULL ? fopen(getenv("TEST_NAMES"), "r") : NULL;
    char line[1024];
    int status = -1000;

    while (file != NULL && status == -1000 && fgets(line, sizeof(line), file) != NULL) {
        char *rest = NULL;
        char *word = strtok_r(line, " \n", &rest);
        struct addrinfo **end = out;

        if (word == NULL || strcmp(word, node) != 0)
            continue;
        for (status = EAI_NONAME; (word = strtok_r(NULL, " \n", &rest)) != NULL;) {
            struct addrinfo wanted = *hints;

            wanted.ai_flags = AI_NUMERICHOST;
            status = next(word, service, &wanted, end);
            if (status != 0)
                break;
            while (*end != NULL)
                end = &(*end)->ai_next;
        }
    }
    if (file != NULL)
        fclose(file);
    return status != -1000 ? status : next(node, service, hints, out);
}
"""


class Names:
    def __enter__(self):
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            pytest.skip("no compiler for the library that answers names")
        self.directory = tempfile.mkdtemp(prefix="tkn-")
        source, library = (os.path.join(self.directory, name) for name in ("names.c", "names.so"))
        with open(source, "w") as file:
            file.write(SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.path = os.path.join(self.directory, "names")
        self.names = {}
        self._write()
        self.env = {"TEST_NAMES": self.path, "LD_PRELOAD": ":".join(self._runtimes() + [library])}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def _runtimes():
        """A sanitizer's library wants to be the first of all."""
        needed = subprocess.run(["ldd", binary()], capture_output=True, text=True).stdout.split()
        return [path for path in needed if path.startswith("/") and ("libasan" in path or "libtsan" in path)]

    def _write(self):
        with open(self.path + ".new", "w") as file:
            for name, addresses in self.names.items():
                file.write(" ".join((name, *addresses)) + "\n")
        os.rename(self.path + ".new", self.path)

    def set(self, name, *addresses):
        self.names[name] = addresses
        self._write()
