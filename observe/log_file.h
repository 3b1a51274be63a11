/*
 * log_file - where access log lines go: a file, a FIFO, or standard output.
 *
 * A write never waits for a reader: what cannot be taken now is given back.  (A regular file
 * on a slow disk does make its writer wait; that is why only the observer writes.)
 *
 * Owner    the observer, once given.      Threads  open: any; the rest: one at a time
 */
#ifndef OBSERVE_LOG_FILE_H
#define OBSERVE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;
struct log_file;

/* "stdout" or a path; NULL and `why` when it cannot be opened. */
struct log_file *log_file_open(const char *path, struct error *why);
void log_file_close(struct log_file **file);
const char *log_file_path(const struct log_file *file);

/* Opens the path again, after it was moved away.  On failure the old one stays in use. */
bool log_file_reopen(struct log_file *file, struct error *why);

/* Bytes taken, perhaps fewer than `count`; or a negative errno: -EAGAIN when nobody reads. */
ssize_t log_file_write(struct log_file *file, const char *bytes, size_t count);

#endif
