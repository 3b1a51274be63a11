/*
 * files - see files.h.
 *
 * Owner    whoever called files_collect()      Threads  control; reads the disk
 */
#include "change/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "change/internal.h"
#include "change/refusal.h"
#include "change/renewals.h"
#include "config/contents.h"
#include "config/finding.h"
#include "config/keys.h"
#include "config/model.h"
#include "config/pointer.h"

enum { READ_AT_ONCE = 65536 };

struct walk {
    const struct files_wanted *wanted;
    struct files *files;
    struct files read; /* what the target holds */
    struct findings *findings;
    struct pointer pointer;
};

/* ---- one file ---- */

static struct file_copy *find_copy(struct files *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->items[i].path, path) == 0)
            return &files->items[i];
    }
    return NULL;
}

/* The bytes that were judged, or those of now; NULL, or why they cannot be read. */
static const char *read_file(struct walk *walk, const char *path, bool is_key, struct buffer *out)
{
    struct contents_roots roots = {walk->wanted->roots, walk->wanted->config_directory};
    const struct file_copy *read = find_copy(&walk->read, path);

    if (read == NULL)
        return contents_from_disk(&roots, path, is_key, out);
    buffer_append_slice(out, buffer_slice(&read->content));
    return NULL;
}

static void add_copy(struct walk *walk, const char *path, bool is_key, bool is_new)
{
    const char *kept = json_string_value(json_object_get(walk->wanted->kept, path));
    struct files *files = walk->files;
    struct file_copy copy = {.is_key = is_key};
    struct digest digest;
    const char *why;

    buffer_init(&copy.content);
    why = read_file(walk, path, is_key, &copy.content);
    if (why != NULL) {
        finding_add(walk->findings, is_new ? FINDING_BLOCK : FINDING_WARNING, "files", NULL,
                    pointer_text(&walk->pointer), "%s cannot be read: %s", path, why);
        buffer_fini(&copy.content);
        buffer_init(&copy.content);
        if (is_new || kept == NULL || strlen(kept) != DIGEST_TEXT - 1)
            return;
        memcpy(copy.digest, kept, DIGEST_TEXT);
    } else {
        digest = digest_of(buffer_slice(&copy.content));
        digest_text(&digest, copy.digest);
        copy.is_read = true;
    }
    copy.path = xstrdup(path);
    files->items = xrealloc(files->items, (files->count + 1) * sizeof(copy));
    files->items[files->count++] = copy;
}

/* ---- the keys that name files ---- */

static bool names_file(const struct key *key)
{
    size_t len = strlen(key->name);

    return key->type == TYPE_FILE && !key->is_live && len > 5 &&
           strcmp(key->name + len - 5, "_file") == 0;
}

static void take_file(struct walk *walk, const struct key *key, const json_t *target,
                      const json_t *base)
{
    const char *path = json_string_value(target);
    bool is_key = strcmp(key->name, "key_file") == 0;
    struct file_copy *copy;

    if (path == NULL || strcmp(path, "system") == 0)
        return;
    copy = find_copy(walk->files, path);
    if (copy != NULL)
        copy->is_key = copy->is_key || is_key;
    else
        add_copy(walk, path, is_key, base == NULL || !json_equal(target, base));
}

static void walk_object(struct walk *walk, enum shape_id id, const json_t *target,
                        const json_t *base);

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table of keys */
static void walk_map(struct walk *walk, enum shape_id id, const json_t *target, const json_t *base)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)target, name, value)
    {
        pointer_push(&walk->pointer, name);
        walk_object(walk, id, value, json_object_get(base, name));
        pointer_pop(&walk->pointer);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table of keys */
static void walk_object(struct walk *walk, enum shape_id id, const json_t *target,
                        const json_t *base)
{
    const struct shape *shape = shape_of(id);

    for (size_t i = 0; i < shape->key_count; i++) {
        const struct key *key = &shape->keys[i];
        const json_t *value = json_object_get(target, key->name);

        if (value == NULL)
            continue;
        pointer_push(&walk->pointer, key->name);
        if (names_file(key))
            take_file(walk, key, value, json_object_get(base, key->name));
        else if (key->type == TYPE_OBJECT)
            walk_object(walk, key->shape, value, json_object_get(base, key->name));
        else if (key->type == TYPE_MAP)
            walk_map(walk, key->shape, value, json_object_get(base, key->name));
        pointer_pop(&walk->pointer);
    }
}

void files_collect(const struct files_wanted *wanted, struct files *out, struct findings *findings)
{
    struct walk walk = {.wanted = wanted, .files = out, .findings = findings};

    *out = (struct files){0};
    if (wanted->read != NULL)
        files_of(wanted->read, &walk.read);
    pointer_init(&walk.pointer);
    walk_object(&walk, SHAPE_CONFIGURATION, wanted->target, wanted->base);
    pointer_fini(&walk.pointer);
    files_fini(&walk.read);
}

json_t *files_map(const struct files *files)
{
    json_t *map = json_object();

    for (size_t i = 0; i < files->count; i++)
        json_object_set_new(map, files->items[i].path, json_string(files->items[i].digest));
    return map;
}

void files_fini(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        if (files->items[i].is_key && files->items[i].content.data != NULL)
            explicit_bzero(files->items[i].content.data, files->items[i].content.room);
        buffer_fini(&files->items[i].content);
        xfree(files->items[i].path);
    }
    xfree(files->items);
    *files = (struct files){0};
}

/* ---- keeping them ---- */

static void key_path(const char *directory, const char *digest, const char *suffix,
                     char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/keys/%s.pem%s", directory, digest + strlen("sha256:"),
                   suffix);
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t put = write(fd, bytes.at, bytes.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        bytes = slice_after(bytes, (size_t)put);
    }
    return fsync(fd) == 0;
}

static bool keep_key(const struct ledger *ledger, const struct file_copy *copy,
                     struct refusal *refusal)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    char fresh[PATH_MAX];
    bool is_kept;
    int fd;

    key_path(ledger->state_directory, copy->digest, "", path);
    key_path(ledger->state_directory, copy->digest, ".new", fresh);
    (void)snprintf(folder, sizeof(folder), "%s/keys", ledger->state_directory);
    if (access(path, R_OK) == 0)
        return true;
    (void)mkdir(folder, 0700); /* it may be there */
    (void)unlink(fresh);       /* left by a crash */
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    is_kept = fd >= 0 && write_all(fd, buffer_slice(&copy->content));
    if (fd >= 0)
        (void)close(fd);
    if (!is_kept || rename(fresh, path) != 0)
        return refuse(refusal, "audit-unavailable", "GET /v1/status",
                      "the key of %s cannot be kept in %s: %s", copy->path, folder,
                      strerror(errno));
    return true;
}

bool files_put(struct step *step, const struct files *files, struct refusal *refusal)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct file_copy *copy = &files->items[i];
        char digest[DIGEST_TEXT];

        if (!copy->is_read)
            continue;
        if (copy->is_key && !keep_key(step->ledger, copy, refusal))
            return false;
        if (!copy->is_key)
            step_put_blob(step, buffer_slice(&copy->content), digest);
    }
    return true;
}

static bool read_kept_key(const char *path, struct buffer *content)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_read = fd >= 0 && contents_read(fd, content) == NULL;

    if (fd >= 0)
        (void)close(fd);
    return is_read;
}

bool files_key_is_kept(const char *directory, const char *digest)
{
    char path[PATH_MAX];
    char found[DIGEST_TEXT] = "";
    struct buffer content;
    struct digest computed;

    key_path(directory, digest, "", path);
    buffer_init(&content);
    if (read_kept_key(path, &content)) {
        computed = digest_of(buffer_slice(&content));
        digest_text(&computed, found);
    }
    if (content.data != NULL)
        explicit_bzero(content.data, content.room);
    buffer_fini(&content);
    return strcmp(found, digest) == 0;
}

bool files_verify(struct ledger *ledger, const json_t *map, struct refusal *refusal)
{
    const char *path;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)map, path, value)
    {
        const char *digest = json_string_value(value);
        struct buffer content;
        bool is_good;

        if (digest == NULL || strlen(digest) != DIGEST_TEXT - 1)
            return refuse(refusal, "digest-mismatch", NULL, "%s has no digest", path);
        buffer_init(&content);
        is_good = ledger_blob(ledger, digest, &content) ||
                  files_key_is_kept(ledger->state_directory, digest);
        buffer_fini(&content);
        if (!is_good)
            return refuse(refusal, "digest-mismatch", NULL,
                          "the stored copy of %s is not the one that was approved", path);
    }
    return true;
}

/* ---- what a revision's files hold ---- */

struct kept_files {
    struct ledger *ledger;
    const json_t *map;
    const struct configuration *conf;
};

static bool has_digest(const struct buffer *content, const char *digest)
{
    struct digest computed = digest_of(buffer_slice(content));
    char found[DIGEST_TEXT];

    digest_text(&computed, found);
    return strcmp(found, digest) == 0;
}

/* A state directory that came back from a backup without its keys: what lies at the path will do,
 * where it is, byte for byte, what was approved. */
static bool read_from_path(const struct kept_files *kept, const char *path, const char *digest,
                           struct buffer *out)
{
    struct contents_roots roots = {&kept->conf->process.file_roots,
                                   kept->ledger->options.config_directory};

    struct file_copy copy = {.path = (char *)(uintptr_t)path, .is_key = true};
    bool is_it;

    buffer_clear(out);
    is_it = contents_from_disk(&roots, path, true, out) == NULL && has_digest(out, digest);
    memcpy(copy.digest, digest, DIGEST_TEXT);
    copy.content = *out;
    if (is_it)
        (void)keep_key(kept->ledger, &copy, NULL); /* else the next start looks here again */
    return is_it;
}

/* Lives until the next call. */
static const char *say_missing(const struct kept_files *kept, const char *digest)
{
    static char text[PATH_MAX + 128];
    char name[PATH_MAX];

    key_path(kept->ledger->state_directory, digest, "", name);
    (void)snprintf(text, sizeof(text),
                   "its approved copy is gone, and the file holds another; put it back: install -m "
                   "600 KEY %s",
                   name);
    return text;
}

static const char *read_kept(void *context, const char *path, bool is_key, struct buffer *out)
{
    const struct kept_files *kept = context;
    const char *digest = json_string_value(json_object_get(kept->map, path));
    char name[PATH_MAX];

    if (digest == NULL || strlen(digest) != DIGEST_TEXT - 1)
        return "the revision has no copy of it";
    if (!is_key)
        return ledger_blob(kept->ledger, digest, out)
                   ? NULL
                   : "its stored copy is not there, or not what was approved";
    key_path(kept->ledger->state_directory, digest, "", name);
    if ((read_kept_key(name, out) && has_digest(out, digest)) ||
        read_from_path(kept, path, digest, out))
        return NULL;
    return say_missing(kept, digest);
}

bool files_fill(struct ledger *ledger, const json_t *map, int64_t read_ms,
                struct configuration *conf, struct findings *findings)
{
    json_t *over = renewals_over(ledger, map, read_ms, conf);
    struct kept_files kept = {ledger, over, conf};
    bool ok = contents_fill(conf, read_kept, &kept, findings);

    json_decref(over);
    return ok;
}

bool ledger_fill_files(struct ledger *ledger, uint64_t rev, struct configuration *conf,
                       struct error *why)
{
    struct arena *arena = arena_new(READ_AT_ONCE);
    struct revision revision = {0};
    struct findings findings;
    bool ok;

    findings_init(&findings, arena);
    ok = contents_are_filled(conf) ||
         (revision_read(ledger, rev, &revision) &&
          files_fill(ledger, revision.files, revision.files_ms, conf, &findings));
    if (!ok)
        error_set(why, ERROR_INVALID, "revision %llu: %s", (unsigned long long)rev,
                  findings.count > 0 ? findings.items[0].message : "it cannot be read");
    revision_fini(&revision);
    findings_fini(&findings);
    arena_free(&arena);
    return ok;
}

static void take_content(void *context, const char *path, bool is_key,
                         const struct conf_content *content)
{
    struct files *files = context;
    struct file_copy *known = find_copy(files, path);
    struct file_copy copy = {.is_key = is_key, .is_read = true};
    struct digest digest;

    if (known != NULL) {
        known->is_key = known->is_key || is_key;
        return;
    }
    if (content->bytes == NULL)
        return;
    buffer_init(&copy.content);
    buffer_append(&copy.content, content->bytes, content->count);
    digest = digest_of(buffer_slice(&copy.content));
    digest_text(&digest, copy.digest);
    copy.path = xstrdup(path);
    files->items = xrealloc(files->items, (files->count + 1) * sizeof(copy));
    files->items[files->count++] = copy;
}

void files_of(const struct configuration *conf, struct files *out)
{
    *out = (struct files){0};
    contents_each(conf, take_content, out);
}
