/*
 * contents - see contents.h.
 *
 * Owner    the configuration's arena      Threads  one at a time
 */
#include "config/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "config/finding.h"
#include "config/model.h"
#include "config/pointer.h"

enum { READ_AT_ONCE = 65536 };

/* ---- from the disk ---- */

/* The path that was really opened: no link leads out of the roots unseen. */
static bool opened_path(int fd, char out[PATH_MAX])
{
    char link[64];
    ssize_t len;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, out, PATH_MAX - 1);
    if (len <= 0)
        return false;
    out[len] = '\0';
    return true;
}

static bool is_below(const char *path, const char *root)
{
    char real[PATH_MAX];
    size_t len;

    if (root == NULL || realpath(root, real) == NULL)
        return false;
    len = strlen(real);
    return strncmp(path, real, len) == 0 && (path[len] == '/' || strcmp(real, "/") == 0);
}

static bool is_in_roots(const struct contents_roots *roots, const char *path)
{
    if (roots->roots == NULL || roots->roots->count == 0)
        return is_below(path, "/etc/twokey") || is_below(path, roots->config_directory);
    for (size_t i = 0; i < roots->roots->count; i++)
        if (is_below(path, roots->roots->items[i]))
            return true;
    return false;
}

const char *contents_read(int fd, struct buffer *out)
{
    for (;;) {
        ssize_t got = read(fd, buffer_reserve(out, READ_AT_ONCE), READ_AT_ONCE);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return NULL;
        out->end += (uint32_t)got;
        if (buffer_length(out) > CONTENTS_MAX_BYTES)
            return "it is larger than 4 MiB";
    }
}

const char *contents_from_disk(void *context, const char *path, bool is_key, struct buffer *out)
{
    const struct contents_roots *roots = context;
    char real[PATH_MAX];
    struct stat status;
    const char *why;
    int fd;

    (void)is_key;
    if (path[0] != '/')
        return "it is not an absolute path";
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return strerror(errno);
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        why = "it is not a regular file";
    else if (!opened_path(fd, real) || !is_in_roots(roots, real))
        why = "it is not in a folder of process.file_roots";
    else
        why = contents_read(fd, out);
    (void)close(fd);
    return why;
}

/* ---- every file of a configuration ---- */

/* Where a file is named, and where its content goes. */
struct place {
    const char *steps[5];
    const char *path;
    bool is_key;
    struct conf_content *content;
};

typedef void place_fn(void *context, const struct place *place);

static void each_place_of_admin(struct conf_admin_tls *tls, place_fn *tell, void *context)
{
    struct place places[] = {
        {{"admin", "tls", "cert_file"}, tls->cert_file, false, &tls->chain},
        {{"admin", "tls", "key_file"}, tls->key_file, true, &tls->key},
        {{"admin", "tls", "client_ca_file"}, tls->client_ca_file, false, &tls->client_ca},
    };

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (places[i].path != NULL)
            tell(context, &places[i]);
}

static void each_place(const struct configuration *conf, place_fn *tell, void *context)
{
    for (size_t i = 0; i < conf->certificate_count; i++) {
        struct conf_certificate *one = &conf->certificates[i];
        struct place chain = {
            {"certificates", one->name, "cert_file"}, one->cert_file, false, &one->chain};
        struct place key = {
            {"certificates", one->name, "key_file"}, one->key_file, true, &one->key};

        tell(context, &chain);
        tell(context, &key);
    }
    for (size_t i = 0; i < conf->listener_count; i++) {
        struct conf_client_auth *auth = &conf->listeners[i].tls.client_auth;
        struct place ca = {{"listeners", conf->listeners[i].name, "tls", "client_auth", "ca_file"},
                           auth->ca_file,
                           false,
                           &auth->ca};

        if (auth->ca_file != NULL)
            tell(context, &ca);
    }
    for (size_t i = 0; i < conf->pool_count; i++) {
        struct conf_pool_tls *tls = &conf->pools[i].tls;
        struct place ca = {
            {"pools", conf->pools[i].name, "tls", "ca_file"}, tls->ca_file, false, &tls->ca};

        if (conf->pools[i].has_tls && strcmp(tls->ca_file, "system") != 0)
            tell(context, &ca);
    }
    if (conf->admin.has_tls)
        each_place_of_admin((struct conf_admin_tls *)(uintptr_t)&conf->admin.tls, tell, context);
}

struct filling {
    struct configuration *conf;
    contents_read_fn *read;
    void *context;
    struct findings *findings;
    bool is_whole;
};

static void report(struct filling *filling, const struct place *place, const char *why)
{
    struct pointer pointer;

    pointer_init(&pointer);
    for (size_t i = 0; i < 5 && place->steps[i] != NULL; i++)
        pointer_push(&pointer, place->steps[i]);
    finding_add(filling->findings, FINDING_BLOCK, "files", NULL, pointer_text(&pointer),
                "%s cannot be read: %s", place->path, why);
    pointer_fini(&pointer);
    filling->is_whole = false;
}

static void fill(void *context, const struct place *place)
{
    struct filling *filling = context;
    struct buffer bytes;
    const char *why;
    char *kept;

    if (place->content->bytes != NULL)
        return;
    buffer_init(&bytes);
    why = filling->read(filling->context, place->path, place->is_key, &bytes);
    if (why != NULL) {
        report(filling, place, why);
    } else {
        kept = arena_alloc(filling->conf->arena, buffer_length(&bytes) + 1);
        memcpy(kept, buffer_slice(&bytes).at, buffer_length(&bytes));
        kept[buffer_length(&bytes)] = '\0';
        *place->content = (struct conf_content){kept, buffer_length(&bytes)};
    }
    if (place->is_key && bytes.data != NULL)
        explicit_bzero(bytes.data, bytes.room);
    buffer_fini(&bytes);
}

bool contents_fill(struct configuration *conf, contents_read_fn *read, void *context,
                   struct findings *findings)
{
    struct filling filling = {conf, read, context, findings, true};

    each_place(conf, fill, &filling);
    return filling.is_whole;
}

static void note_missing(void *context, const struct place *place)
{
    if (place->content->bytes == NULL)
        *(bool *)context = false;
}

bool contents_are_filled(const struct configuration *conf)
{
    bool is_whole = true;

    each_place(conf, note_missing, &is_whole);
    return is_whole;
}

struct telling {
    contents_each_fn *tell;
    void *context;
};

static void tell_place(void *context, const struct place *place)
{
    const struct telling *telling = context;

    telling->tell(telling->context, place->path, place->is_key, place->content);
}

void contents_each(const struct configuration *conf, contents_each_fn *tell, void *context)
{
    struct telling telling = {tell, context};

    each_place(conf, tell_place, &telling);
}
