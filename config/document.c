/*
 * document - the JSON files of a configuration, read and merged.
 *
 * Owner    whoever called documents_init()      Threads  one at a time
 */
#include "config/document.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "config/finding.h"
#include "config/keys.h"
#include "config/pointer.h"
#include "config/suggest.h"

void documents_init(struct documents *documents, struct findings *findings)
{
    *documents =
        (struct documents){.findings = findings, .merged = json_object(), .origins = json_object()};
}

void documents_fini(struct documents *documents)
{
    for (size_t i = 0; i < documents->file_count; i++)
        xfree(documents->files[i]);
    xfree(documents->files);
    json_decref(documents->merged);
    json_decref(documents->origins);
    *documents = (struct documents){0};
}

static void block(struct documents *documents, const char *file, const char *pointer,
                  const char *message)
{
    finding_add(documents->findings, FINDING_BLOCK, "config", file, pointer, "%s", message);
}

static void unreadable(struct documents *documents, const char *path, const char *why)
{
    finding_add(documents->findings, FINDING_BLOCK, "config", path, "", "cannot be read: %s", why)
        ->is_unreadable = true;
}

/* ---- comments and depth ---- */

static bool is_comment(const char *key)
{
    return key[0] == '/' && key[1] == '/';
}

static void strip_comments(json_t *value);

static void strip_object(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        if (is_comment(key))
            json_object_del(object, key);
        else
            strip_comments(value);
    }
}

static void strip_comments(json_t *value)
{
    json_t *item;
    size_t i;

    if (json_is_object(value))
        strip_object(value);
    else if (json_is_array(value))
        json_array_foreach(value, i, item) strip_comments(item);
}

static bool is_deeper_than(const json_t *value, int levels)
{
    const char *key;
    json_t *item;
    size_t i;

    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (levels == 0)
        return true;
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            if (is_deeper_than(item, levels - 1))
                return true;
        }
        return false;
    }
    json_array_foreach(value, i, item)
    {
        if (is_deeper_than(item, levels - 1))
            return true;
    }
    return false;
}

/* ---- merging ---- */

static json_t *object_within(json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);

    if (found == NULL) {
        found = json_object();
        json_object_set_new(object, key, found);
    }
    return found;
}

const char *documents_file_of(const struct documents *documents, const char *section,
                              const char *name)
{
    const json_t *names = json_object_get(documents->origins, section);
    const json_t *index = json_object_get(names, name);

    if (index == NULL)
        index = json_object_get(names, ""); /* a section's first file */
    return index != NULL ? documents->files[json_integer_value(index)] : NULL;
}

static void merge_section(struct documents *documents, const char *section, json_t *object,
                          size_t file)
{
    json_t *values = object_within(documents->merged, section);
    json_t *origins = object_within(documents->origins, section);
    const char *name;
    json_t *value;

    if (json_object_get(origins, "") == NULL)
        json_object_set_new(origins, "", json_integer((json_int_t)file));
    json_object_foreach(object, name, value)
    {
        struct pointer pointer;

        if (json_object_get(values, name) == NULL) {
            json_object_set(values, name, value);
            json_object_set_new(origins, name, json_integer((json_int_t)file));
            continue;
        }
        pointer_init(&pointer);
        pointer_push(&pointer, section);
        pointer_push(&pointer, name);
        finding_add(documents->findings, FINDING_BLOCK, "config", documents->files[file],
                    pointer_text(&pointer), "stands in %s too (one of the two must go)",
                    documents_file_of(documents, section, name));
        pointer_fini(&pointer);
    }
}

static void unknown_section(struct documents *documents, const char *file, const char *section)
{
    const struct shape *shape = shape_of(SHAPE_CONFIGURATION);
    struct suggestion suggestion;
    struct pointer pointer;

    suggestion_init(&suggestion, section);
    for (size_t i = 0; i < shape->key_count; i++)
        suggestion_offer(&suggestion, shape->keys[i].name);
    pointer_init(&pointer);
    pointer_push(&pointer, section);
    finding_add(documents->findings, FINDING_BLOCK, "config", file, pointer_text(&pointer),
                "is not a section%s%s%s (process, listeners, certificates, pools, routes, admin, "
                "people, policy, observe)",
                suggestion.best != NULL ? "; did you mean \"" : "",
                suggestion.best != NULL ? suggestion.best : "",
                suggestion.best != NULL ? "\"?" : "");
    pointer_fini(&pointer);
}

static void merge_document(struct documents *documents, json_t *root, size_t file)
{
    const char *name = documents->files[file];
    const char *section;
    json_t *object;

    json_object_foreach(root, section, object)
    {
        if (strcmp(section, "$schema") == 0)
            continue;
        if (key_find(shape_of(SHAPE_CONFIGURATION), section) == NULL) {
            unknown_section(documents, name, section);
        } else if (!json_is_object(object)) {
            char pointer[64];

            (void)snprintf(pointer, sizeof(pointer), "/%s", section);
            block(documents, name, pointer, "is not an object");
        } else {
            merge_section(documents, section, object, file);
        }
    }
}

/* ---- one document ---- */

static void report_syntax(struct documents *documents, const char *file, const json_error_t *error)
{
    struct finding *finding;

    if (json_error_code(error) == json_error_duplicate_key) {
        const char *open = strchr(error->text, '\'');
        int len = open != NULL ? (int)strcspn(open + 1, "'") : 0;

        finding = finding_add(documents->findings, FINDING_BLOCK, "config", file, "",
                              "the key %.*s stands twice in one object", len,
                              open != NULL ? open + 1 : "");
    } else {
        finding = finding_add(documents->findings, FINDING_BLOCK, "config", file, "",
                              "is not JSON: %s", error->text);
    }
    finding->line = error->line;
    finding->column = error->column;
}

void documents_add(struct documents *documents, const char *file, struct slice bytes)
{
    json_error_t error;
    json_t *root;
    size_t index = documents->file_count;

    documents->files = xrealloc(documents->files, (index + 1) * sizeof(char *));
    documents->files[index] = xstrdup(file);
    documents->file_count++;
    root = json_loadb(bytes.at != NULL ? bytes.at : "", bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        report_syntax(documents, file, &error);
        return;
    }
    if (is_deeper_than(root, DOCUMENT_MAX_DEPTH)) {
        block(documents, file, "", "is nested too deeply (at most 16 levels)");
    } else if (!json_is_object(root)) {
        block(documents, file, "", "is not an object of sections");
    } else {
        strip_comments(root);
        merge_document(documents, root, index);
    }
    json_decref(root);
}

/* ---- the directory ---- */

static bool read_whole(int fd, struct buffer *content)
{
    for (;;) {
        char *room = buffer_reserve(content, 65536);
        ssize_t got = read(fd, room, 65536);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        content->end += (uint32_t)got;
        if (buffer_length(content) > DOCUMENT_MAX_BYTES) {
            errno = EFBIG;
            return false;
        }
    }
}

static void read_file(struct documents *documents, const char *path)
{
    struct buffer content;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;

    buffer_init(&content);
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        block(documents, path, "", "is not a regular file");
    else if (fd < 0 || !read_whole(fd, &content))
        unreadable(documents, path, errno == EFBIG ? "it is larger than 64 MiB" : strerror(errno));
    else
        documents_add(documents, path, buffer_slice(&content));
    if (fd >= 0)
        (void)close(fd);
    buffer_fini(&content);
}

static int is_json_name(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot != NULL && strcmp(dot, ".json") == 0;
}

/* By bytes, the same in every locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

bool documents_read_directory(struct documents *documents, const char *directory)
{
    struct dirent **entries;
    char path[4096];
    size_t len = strlen(directory);
    int count = scandir(directory, &entries, is_json_name, by_name);

    if (count < 0) {
        unreadable(documents, directory, strerror(errno));
        return false;
    }
    while (len > 1 && directory[len - 1] == '/')
        len--;
    if (count == 0)
        block(documents, directory, "", "has no *.json file, so there is no configuration");
    if (count > DOCUMENTS_MAX)
        block(documents, directory, "", "has more than 1000 *.json files");
    for (int i = 0; i < count; i++) {
        (void)snprintf(path, sizeof(path), "%.*s/%s", (int)len, directory, entries[i]->d_name);
        if (i < DOCUMENTS_MAX)
            read_file(documents, path);
        xfree(entries[i]);
    }
    xfree(entries);
    return count > 0;
}
