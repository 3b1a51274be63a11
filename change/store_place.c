/*
 * store_place - see store_place.h.
 *
 * Owner    the store.      Threads  control
 */
#include "change/store_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"

/* ---- the reserve ---- */

void place_remove_reserve(struct place *place)
{
    (void)unlink(place->reserve); /* where it stays, the next commit says so */
    place->has_reserve = false;
}

void place_make_reserve(struct place *place)
{
    struct stat status;
    struct statvfs disk;
    int file;

    place->has_reserve = stat(place->reserve, &status) == 0 &&
                         status.st_size == PLACE_RESERVE_BYTES &&
                         (uint64_t)status.st_blocks * 512 >= PLACE_RESERVE_BYTES;
    if (place->has_reserve || statvfs(place->path, &disk) != 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize < 2 * (uint64_t)PLACE_RESERVE_BYTES)
        return;
    file = open(place->reserve, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return;
    place->has_reserve = posix_fallocate(file, 0, PLACE_RESERVE_BYTES) == 0;
    (void)close(file);
    if (!place->has_reserve)
        place_remove_reserve(place);
}

/* ---- the file ---- */

static bool sync_directory(const char *directory)
{
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = file >= 0 && fsync(file) == 0;

    if (file >= 0)
        (void)close(file);
    return is_synced;
}

static bool create_file(const char *directory, const char *path, struct error *why)
{
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (file < 0) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be made: %s", path, strerror(errno));
        return false;
    }
    (void)close(file);
    (void)sync_directory(directory); /* the first commit syncs again */
    return true;
}

static bool judge_file(struct place *place, const struct stat *status, struct error *why)
{
    if (!S_ISREG(status->st_mode)) {
        error_set(why, ERROR_INVALID, "%s: is not a regular file; move it away", place->path);
        return false;
    }
    if (!place->is_for_reading && status->st_uid != geteuid()) {
        error_set(why, ERROR_INVALID,
                  "%s: belongs to uid %u, and twokey runs as uid %u: run it as the owner, or give "
                  "the whole state directory to uid %u (chown -R)",
                  place->path, (unsigned)status->st_uid, (unsigned)geteuid(), (unsigned)geteuid());
        return false;
    }
    if (!place->is_for_reading && (status->st_mode & 077) != 0)
        (void)chmod(place->path, 0600); /* a read-only disk keeps it as it is */
    if (access(place->path, R_OK) != 0) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be read: %s", place->path, strerror(errno));
        return false;
    }
    place->device = status->st_dev;
    place->inode = status->st_ino;
    return true;
}

bool place_find(struct place *place, const char *directory, bool is_for_reading, struct error *why)
{
    struct stat status;

    place->is_for_reading = is_for_reading;
    if (snprintf(place->path, PLACE_TEXT, "%s/twokey.db", directory) >= PLACE_TEXT ||
        snprintf(place->reserve, PLACE_TEXT, "%s/reserve", directory) >= PLACE_TEXT) {
        error_set(why, ERROR_INVALID, "the state directory's name is too long");
        return false;
    }
    if (lstat(place->path, &status) == 0)
        return judge_file(place, &status, why);
    if (errno == ENOENT && !is_for_reading) {
        if (!create_file(directory, place->path, why))
            return false;
        if (lstat(place->path, &status) == 0)
            return judge_file(place, &status, why);
    }
    error_set(why, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_SYSTEM, "%s: cannot be read: %s",
              place->path, strerror(errno));
    return false;
}

bool place_is_there(const struct place *place)
{
    struct stat status;

    return lstat(place->path, &status) == 0 && status.st_dev == place->device &&
           status.st_ino == place->inode;
}

bool place_has_log(const struct place *place)
{
    char path[PLACE_TEXT + 8];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s-wal", place->path);
    return stat(path, &status) == 0 && status.st_size > 0;
}
