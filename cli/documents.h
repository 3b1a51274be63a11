/*
 * documents - what commands that write configuration directories share.
 *
 * Owner    nobody      Threads  the first
 */
#ifndef CLI_DOCUMENTS_H
#define CLI_DOCUMENTS_H

#include <stdbool.h>

/* There is a *.json in the directory: it is somebody's configuration. */
bool documents_are_in(const char *directory);

#endif
