/*
 * bind - see bind.h.
 *
 * Owner    the caller.      Threads  control only
 */
#include "admin/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "config/model.h"
#include "config/text.h"

enum { BACKLOG = 128 };

bool bind_is_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)address)->sin6_addr;

    if (address->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return address->ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
}

static socklen_t fill_address(const struct conf_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (address->is_ipv6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(address->port);
        memcpy(&v6->sin6_addr, address->ip, sizeof(v6->sin6_addr));
        return sizeof(*v6);
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    memcpy(&v4->sin_addr, address->ip + 12, sizeof(v4->sin_addr));
    return sizeof(*v4);
}

static int listen_on(int fd, const struct sockaddr *address, socklen_t bytes, const char *what,
                     struct error *why)
{
    if (bind(fd, address, bytes) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    error_set(why, ERROR_SYSTEM, "%s cannot be bound: %s%s", what, strerror(errno),
              errno == EADDRINUSE ? " (does another twokey run?)" : "");
    close(fd);
    return -1;
}

int bind_tcp(const struct conf_address *address, bool has_tls, struct error *why)
{
    struct sockaddr_storage storage;
    char what[320];
    int yes = 1;

    snprintf(what, sizeof(what), "admin.listen: %s", address->text);
    if (address->kind != ADDRESS_IP || (!text_is_loopback(address) && !has_tls)) {
        error_set(why, ERROR_INVALID,
                  "%s is not a loopback address (allowed: 127.0.0.0/8 and [::1], with a port; with "
                  "admin.tls any)",
                  what);
        return -1;
    }
    int fd = socket(address->is_ipv6 ? AF_INET6 : AF_INET,
                    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_set(why, ERROR_SYSTEM, "%s: no socket: %s", what, strerror(errno));
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)); /* only saves a wait */
    return listen_on(fd, (struct sockaddr *)&storage, fill_address(address, &storage), what, why);
}

static bool make_parent(const char *path, struct error *why)
{
    char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    bool ok = true;

    if (slash != NULL && slash != parent) {
        *slash = '\0';
        ok = mkdir(parent, 0700) == 0 || errno == EEXIST;
        if (!ok)
            error_set(why, ERROR_SYSTEM, "admin.socket: %s cannot be made: %s", parent,
                      strerror(errno));
    }
    xfree(parent);
    return ok;
}

/* The state directory's lock keeps a second process out, so what is there is left over. */
static bool remove_left_over(const char *path, struct error *why)
{
    struct stat found;

    if (lstat(path, &found) != 0)
        return true;
    if (!S_ISSOCK(found.st_mode)) {
        error_set(why, ERROR_CONFLICT, "admin.socket: %s is there and is no socket; remove it",
                  path);
        return false;
    }
    (void)unlink(path); /* bind says why, should it still be there */
    return true;
}

/* A path that is too long for the address is reached through its folder's descriptor, which is in
 * *folder_out until the socket is bound (else -1). */
static bool fill_path(const char *path, struct sockaddr_un *address_out, int *folder_out)
{
    const char *slash = strrchr(path, '/');
    size_t room = sizeof(address_out->sun_path);
    char *folder;

    *folder_out = -1;
    if (strlen(path) < room) {
        memcpy(address_out->sun_path, path, strlen(path) + 1);
        return true;
    }
    if (slash == NULL)
        return false;
    folder = xstrdup(path);
    folder[slash - path] = '\0';
    *folder_out = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    xfree(folder);
    return *folder_out >= 0 && snprintf(address_out->sun_path, room, "/proc/self/fd/%d%s",
                                        *folder_out, slash) < (int)room;
}

static int open_local(const char *path, struct error *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char what[320];
    int folder = -1;

    snprintf(what, sizeof(what), "admin.socket: %s", path);
    if (!make_parent(path, why) || !remove_left_over(path, why))
        return -1;
    if (!fill_path(path, &address, &folder)) {
        error_set(why, ERROR_INVALID, "%s is too long for a Unix socket (at most %zu bytes)", what,
                  sizeof(address.sun_path) - 1);
        if (folder >= 0)
            close(folder);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || fchmod(fd, 0600) != 0) { /* Linux gives the file the socket's own mode */
        error_set(why, ERROR_SYSTEM, "%s: no socket: %s", what, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    } else {
        fd = listen_on(fd, (struct sockaddr *)&address, sizeof(address), what, why);
    }
    if (folder >= 0)
        close(folder);
    return fd;
}

int bind_local(const char *state_directory, const char *socket_path, char **path_out,
               struct error *why)
{
    size_t room = strlen(state_directory) + strlen(socket_path) + 2;
    char *path = xmalloc(room);

    if (socket_path[0] == '/')
        snprintf(path, room, "%s", socket_path);
    else
        snprintf(path, room, "%s/%s", state_directory, socket_path);
    int fd = open_local(path, why);
    if (fd < 0)
        xfree(path);
    else
        *path_out = path;
    return fd;
}
