/*
 * load - conf.d on disk to a checked configuration.
 *
 * Owner    the returned configuration is the caller's      Threads  one at a time
 */
#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "config/canonical.h"
#include "config/document.h"
#include "config/finding.h"
#include "config/model.h"
#include "config/parse.h"
#include "config/text.h"
#include "config/validate.h"

enum { ARENA_BLOCK = 64 << 10 };

static int compare_origins(const void *a, const void *b)
{
    const struct conf_origin *one = a;
    const struct conf_origin *two = b;
    int order = strcmp(one->section, two->section);

    return order != 0 ? order : strcmp(one->name, two->name);
}

/* Which file says what, for findings that are made after the documents are gone. */
static void keep_origins(struct configuration *configuration, const struct documents *documents)
{
    struct arena *arena = configuration->arena;
    const char **files = arena_array(arena, documents->file_count, sizeof(*files));
    struct conf_origin *next;
    const char *section;
    const char *name;
    json_t *names;
    json_t *file;
    size_t count = 0;

    for (size_t i = 0; i < documents->file_count; i++)
        files[i] = arena_strdup(arena, documents->files[i]);
    json_object_foreach(documents->origins, section, names) count += json_object_size(names);
    next = configuration->origins = arena_array(arena, count, sizeof(*next));
    configuration->origin_count = count;
    json_object_foreach(documents->origins, section, names)
    {
        const char *kept = arena_strdup(arena, section);

        json_object_foreach(names, name, file) *next++ =
            (struct conf_origin){kept, arena_strdup(arena, name), files[json_integer_value(file)]};
    }
    if (count > 0)
        qsort(configuration->origins, count, sizeof(*next), compare_origins);
}

/* What stands in the way of a model: what the parser refuses, and, unless it is only to be looked
 * at, what has a model and must never run (R004, R008 …). */
static size_t count_blocks(const struct findings *findings, bool is_to_run)
{
    size_t count = 0;

    for (size_t i = 0; i < findings->count; i++)
        count += findings->items[i].severity == FINDING_BLOCK &&
                 (is_to_run || strcmp(findings->items[i].rule, "config") == 0);
    return count;
}

/* `before`: findings of severity block that are not about this load. */
static struct configuration *build(const struct documents *documents, struct findings *findings,
                                   size_t before, bool is_to_run)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *configuration = arena_alloc(arena, sizeof(*configuration));

    configuration->arena = arena;
    parse_documents(documents, configuration, findings);
    validate_configuration(configuration, documents, findings);
    canonical_write(configuration, documents);
    keep_origins(configuration, documents);
    if (count_blocks(findings, is_to_run) > before)
        config_free(&configuration);
    return configuration;
}

static struct configuration *load_directory(const char *directory, struct findings *findings,
                                            bool is_to_run)
{
    struct documents documents;
    struct configuration *configuration = NULL;
    size_t before = count_blocks(findings, is_to_run);

    documents_init(&documents, findings);
    if (documents_read_directory(&documents, directory))
        configuration = build(&documents, findings, before, is_to_run);
    documents_fini(&documents);
    return configuration;
}

struct configuration *config_load(const char *directory, struct findings *findings)
{
    return load_directory(directory, findings, true);
}

struct configuration *config_load_to_judge(const char *directory, struct findings *findings)
{
    return load_directory(directory, findings, false);
}

static struct configuration *load_documents(const char *const *names, const struct slice *bytes,
                                            size_t count, struct findings *findings, bool is_to_run)
{
    struct documents documents;
    struct configuration *configuration;
    size_t before = count_blocks(findings, is_to_run);

    documents_init(&documents, findings);
    for (size_t i = 0; i < count; i++)
        documents_add(&documents, names[i], bytes[i]);
    configuration = build(&documents, findings, before, is_to_run);
    documents_fini(&documents);
    return configuration;
}

struct configuration *config_load_documents(const char *const *names, const struct slice *bytes,
                                            size_t count, struct findings *findings)
{
    return load_documents(names, bytes, count, findings, true);
}

struct configuration *config_load_documents_to_judge(const char *const *names,
                                                     const struct slice *bytes, size_t count,
                                                     struct findings *findings)
{
    return load_documents(names, bytes, count, findings, false);
}

void config_free(struct configuration **holder)
{
    struct configuration *configuration = TAKE_POINTER(holder);
    struct arena *arena;

    if (configuration == NULL)
        return;
    arena = configuration->arena; /* the configuration lives in it too */
    arena_free(&arena);
}

static int by_name(const void *name, const void *item)
{
    return strcmp(name, *(const char *const *)item);
}

/* The item so named of an array sorted by name, whose structs begin with it. */
static int find(const char *name, const void *items, size_t count, size_t bytes)
{
    const char *found = count > 0 ? bsearch(name, items, count, bytes, by_name) : NULL;

    return found != NULL ? (int)((size_t)(found - (const char *)items) / bytes) : CONFIG_NONE;
}

int config_find_pool(const struct configuration *configuration, const char *name)
{
    return find(name, configuration->pools, configuration->pool_count, sizeof(struct conf_pool));
}

int config_find_server(const struct conf_pool *pool, const char *name)
{
    return find(name, pool->servers, pool->server_count, sizeof(struct conf_server));
}

int config_find_listener(const struct configuration *configuration, const char *name)
{
    return find(name, configuration->listeners, configuration->listener_count,
                sizeof(struct conf_listener));
}

const struct conf_certificate *config_find_certificate(const struct configuration *configuration,
                                                       const char *name)
{
    int index = find(name, configuration->certificates, configuration->certificate_count,
                     sizeof(struct conf_certificate));

    return index != CONFIG_NONE ? &configuration->certificates[index] : NULL;
}

const struct conf_person *config_find_person(const struct configuration *configuration,
                                             const char *name)
{
    int index =
        find(name, configuration->people, configuration->person_count, sizeof(struct conf_person));

    return index != CONFIG_NONE ? &configuration->people[index] : NULL;
}

const char *config_admin_url(const struct configuration *configuration, char out[CONFIG_URL_TEXT])
{
    const struct conf_address *listen = &configuration->admin.listen;
    const char *scheme = configuration->admin.has_tls ? "https" : "http";

    /* nobody can call the any-address; who listens there listens on loopback too */
    if (text_is_any_address(listen))
        (void)snprintf(out, CONFIG_URL_TEXT, "%s://%s:%u", scheme, text_loopback_of(listen),
                       (unsigned)listen->port);
    else
        (void)snprintf(out, CONFIG_URL_TEXT, "%s://%s", scheme, listen->text);
    return out;
}

const char *config_file_of(const struct configuration *configuration, const char *section,
                           const char *name)
{
    struct conf_origin wanted = {.section = section, .name = name};
    const struct conf_origin *found = NULL;

    for (int turn = 0; turn < 2 && found == NULL && configuration->origin_count > 0; turn++) {
        found = bsearch(&wanted, configuration->origins, configuration->origin_count,
                        sizeof(wanted), compare_origins);
        wanted.name = "";
    }
    return found != NULL ? found->file : NULL;
}
