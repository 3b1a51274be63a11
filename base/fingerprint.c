/*
 * fingerprint - see fingerprint.h.
 *
 * Threads  any
 */
#include "base/fingerprint.h"

#include <sys/stat.h>

#include "base/hash.h"

uint64_t fingerprint_file(const char *path)
{
    struct stat status;
    uint64_t facts[4];

    if (stat(path, &status) != 0)
        return 0;
    facts[0] = (uint64_t)status.st_size;
    facts[1] = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
    facts[2] = (uint64_t)status.st_ino;
    facts[3] = (uint64_t)status.st_dev;
    return hash_bytes(&HASH_STABLE, facts, sizeof(facts)) | 1;
}
