/*
 * memory - the x-family: allocation that never returns NULL.
 *
 * Owner    the caller, until xfree().      Threads  any
 */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"

static void *must(void *memory, size_t bytes)
{
    if (memory == NULL)
        panic("out of memory: %zu bytes asked for", bytes);
    return memory;
}

void *xmalloc(size_t bytes)
{
    return must(malloc(bytes > 0 ? bytes : 1), bytes);
}

void *xcalloc(size_t count, size_t bytes)
{
    return must(calloc(count > 0 ? count : 1, bytes > 0 ? bytes : 1), bytes);
}

void *xrealloc(void *old, size_t bytes)
{
    return must(realloc(old, bytes > 0 ? bytes : 1), bytes);
}

char *xstrdup(const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(xmalloc(bytes), text, bytes);
}

void xfree(void *memory)
{
    free(memory);
}

void *xmap(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return must(pages == MAP_FAILED ? NULL : pages, bytes);
}

void xunmap(void *pages, size_t bytes)
{
    if (pages != NULL)
        munmap(pages, bytes);
}
