/*
 * documents - what commands that work on configuration directories share.
 *
 * Owner    nobody      Threads  the first
 */
#ifndef CLI_DOCUMENTS_H
#define CLI_DOCUMENTS_H

#include <stdbool.h>

struct arena;
struct configuration;

/* There is a *.json in the directory: it is somebody's configuration. */
bool documents_are_in(const char *directory);

/* The configuration of the directory; NULL: why it does not build was told on standard error, each
 * line begun with `command`. */
struct configuration *documents_load(const char *command, const char *directory,
                                     struct arena *arena);

#endif
