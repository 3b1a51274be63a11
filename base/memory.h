/*
 * memory - the x-family: allocation that never returns NULL.
 *
 * For boot, control plane and worker stocks, where running out of memory has no
 * better answer than a panic report.  What a peer controls is bounded by
 * configuration before it is allocated.
 *
 * Owner    the caller, until xfree().      Threads  any
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *old, size_t bytes);
char *xstrdup(const char *text);
void xfree(void *memory);

/* Zeroed pages straight from the kernel, not backed by memory until they are touched. */
void *xmap(size_t bytes);
void xunmap(void *pages, size_t bytes);

#endif
