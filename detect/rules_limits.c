/*
 * rules_limits - X008 to X010: how large a configuration is, and values that a template left blank.
 *
 * Owner    nobody      Threads  any
 */
#include <string.h>

#include "config/document.h"
#include "detect/rules.h"
#include "detect/walk.h"

enum { OBJECTS_FROM = 40, BYTES_FROM = 32 << 10 };

static size_t objects_of(const struct configuration *conf)
{
    size_t count = conf->listener_count + conf->pool_count + conf->route_count + conf->person_count;

    for (size_t i = 0; i < conf->pool_count; i++)
        count += conf->pools[i].server_count;
    return count;
}

static bool is_jump(size_t before, size_t after, size_t from)
{
    size_t large = before > after ? before : after;
    size_t small = before > after ? after : before;

    return large >= from && large > 2 * small;
}

void size_jumps(struct detect_run *run)
{
    size_t before = objects_of(run->base);
    size_t after = objects_of(run->conf);

    if (is_jump(before, after, OBJECTS_FROM))
        detect_report(run, AT(NULL), "%zu objects become %zu", before, after);
    else if (is_jump(run->base->canonical_bytes, run->conf->canonical_bytes, BYTES_FROM))
        detect_report(run, AT(NULL), "%zu bytes become %zu", run->base->canonical_bytes,
                      run->conf->canonical_bytes);
}

static bool is_list(enum key_type type)
{
    return type == TYPE_NETWORKS || type == TYPE_HOSTS || type == TYPE_METHODS ||
           type == TYPE_NAMES || type == TYPE_TEXTS || type == TYPE_URLS ||
           type == TYPE_HEADER_MATCH || type == TYPE_HEADER_SET || type == TYPE_HEADER_NAMES ||
           type == TYPE_LIST;
}

static void visit_limit(struct walk *walk, const struct key *key, const char *base)
{
    const struct key_list *list = (const void *)(base + key->offset);

    if (is_list(key->type) && key->max > 0 && list->count * 10 > key->max * 8)
        detect_report_as(walk->run, FINDING_WARNING, walk->path, "has %zu of at most %llu items",
                         list->count, (unsigned long long)key->max);
}

void near_a_limit(struct detect_run *run)
{
    size_t bytes = run->conf->canonical_bytes;

    walk_configuration(run, run->conf, visit_limit);
    if (bytes > DOCUMENT_MAX_BYTES)
        detect_report(run, AT(NULL), "has %zu bytes (at most %d)", bytes, DOCUMENT_MAX_BYTES);
    else if (bytes > DOCUMENT_MAX_BYTES / 10 * 8)
        detect_report_as(run, FINDING_WARNING, AT(NULL), "has %zu of at most %d bytes", bytes,
                         DOCUMENT_MAX_BYTES);
}

/* ---- X010 ---- */

static const char *template_in(const char *text)
{
    static const char *const marks[] = {"${", "{{", "<no value>", "$(", "<nil>"};

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (strstr(text, marks[i]) != NULL)
            return marks[i];
    return NULL;
}

static bool is_text(enum key_type type)
{
    return type == TYPE_TEXT || type == TYPE_FILE || type == TYPE_TARGET || type == TYPE_PATH ||
           type == TYPE_LOCATION || type == TYPE_HOST || type == TYPE_HEADER_VALUE;
}

static void visit_text(struct walk *walk, const struct key *key, const char *text)
{
    const char *mark = strcmp(key->name, "path_regex") != 0 ? template_in(text) : NULL;

    if (mark != NULL)
        detect_report(walk->run, walk->path, "\"%s\" still has a template in it (%s)", text, mark);
}

static void visit_blank(struct walk *walk, const struct key *key, const char *base)
{
    const struct key_list *list = (const void *)(base + key->offset);
    const char *otherwise = key->default_text != NULL ? key->default_text : "";

    if (is_text(key->type)) {
        const char *text = *(const char *const *)(const void *)(base + key->offset);

        if (text != NULL)
            visit_text(walk, key, text);
    } else if (is_list(key->type) && list->items != NULL && list->count == 0) {
        if (strcmp(otherwise, "(any)") == 0)
            detect_report(walk->run, walk->path, "is empty, which means any");
        else if (strcmp(otherwise, "(everyone)") == 0)
            detect_report(walk->run, walk->path, "is empty, which means nobody");
    } else if (key->type == TYPE_HEADER_SET) {
        const struct conf_header_edit *edits = list->items;

        for (size_t i = 0; i < list->count; i++)
            if (template_in(edits[i].value) != NULL)
                detect_report(walk->run, walk->path, "\"%s\" of %s still has a template in it",
                              edits[i].value, edits[i].name);
    }
}

void blank_after_templating(struct detect_run *run)
{
    walk_configuration(run, run->conf, visit_blank);
}
