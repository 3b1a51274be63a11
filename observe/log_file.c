/*
 * log_file - where access log lines go: a file, a FIFO, or standard output.
 *
 * Owner    the observer, once given.      Threads  open: any; the rest: one at a time
 */
#include "observe/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/memory.h"

enum { LOG_FILE_TAG = 0x4c4f4746 };

/* How a write is kept from waiting. */
enum waiting {
    NEVER_WAITS, /* a disk, or a descriptor that says EAGAIN by itself */
    MAY_WAIT,    /* a pipe, socket or terminal shared with others, whose flags are not ours */
};

/* A pipe that poll() calls writable takes this much without waiting (PIPE_BUF). */
enum { CERTAIN_BYTES = 4096 };

struct log_file {
    uint32_t tag;
    int fd;
    enum waiting waiting;
    bool is_stdout;
    char *path;
};

/* A FIFO is opened for reading too: so it needs no reader to be there, and never breaks. */
static int open_fifo(const char *path, int fd)
{
    int both = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (both < 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return both;
}

static int open_path(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
    int reason = errno;
    struct stat status;

    if (fd < 0 && reason != ENXIO)
        return -reason;
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)))
        fd = open_fifo(path, fd);
    if (fd < 0)
        return -reason;
    return fd;
}

static enum waiting waiting_of(int fd)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && (flags & O_NONBLOCK) != 0)
        return NEVER_WAITS;
    if (fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)))
        return NEVER_WAITS;
    return MAY_WAIT;
}

static bool fill_why(struct error *why, const char *path, int reason)
{
    error_set(why, ERROR_SYSTEM,
              "access log %s: %s (observe.access_log.path takes a file that can be appended to, "
              "\"stdout\" or \"off\")",
              path, strerrordesc_np(reason));
    return false;
}

struct log_file *log_file_open(const char *path, struct error *why)
{
    bool is_stdout = strcmp(path, "stdout") == 0;
    int fd = is_stdout ? STDOUT_FILENO : open_path(path);
    struct log_file *file;

    if (fd < 0) {
        fill_why(why, path, -fd);
        return NULL;
    }
    file = xcalloc(1, sizeof(*file));
    *file = (struct log_file){LOG_FILE_TAG, fd, waiting_of(fd), is_stdout, xstrdup(path)};
    return file;
}

void log_file_close(struct log_file **held)
{
    struct log_file *file = TAKE_POINTER(held);

    if (file == NULL)
        return;
    CHECK_OBJ(file, LOG_FILE_TAG);
    if (!file->is_stdout)
        close(file->fd);
    file->tag = 0;
    xfree(file->path);
    xfree(file);
}

const char *log_file_path(const struct log_file *file)
{
    return file->path;
}

bool log_file_reopen(struct log_file *file, struct error *why)
{
    int fd;

    CHECK_OBJ(file, LOG_FILE_TAG);
    if (file->is_stdout)
        return true;
    fd = open_path(file->path);
    if (fd < 0)
        return fill_why(why, file->path, -fd);
    close(file->fd);
    file->fd = fd;
    file->waiting = waiting_of(fd);
    return true;
}

ssize_t log_file_write(struct log_file *file, const char *bytes, size_t count)
{
    ssize_t written;

    CHECK_OBJ(file, LOG_FILE_TAG);
    if (file->waiting == MAY_WAIT) {
        struct pollfd ready = {.fd = file->fd, .events = POLLOUT};

        if (poll(&ready, 1, 0) <= 0)
            return -EAGAIN;
        if (count > CERTAIN_BYTES)
            count = CERTAIN_BYTES;
    }
    do
        written = write(file->fd, bytes, count);
    while (written < 0 && errno == EINTR);
    return written < 0 ? -errno : written;
}
