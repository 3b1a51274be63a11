/*
 * fingerprint - whether a file is still what it was, without reading it.
 *
 * Threads  any; asks the disk
 */
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include <stdint.h>

/* Of its size, time, inode and device, behind whatever links lead there: another number once
 * somebody has written it, or put another in its place.  0: it cannot be looked at. */
uint64_t fingerprint_file(const char *path);

#endif
