/*
 * config_fuzz - any bytes as configuration documents; a NUL begins the next one.
 *
 * Threads  the first
 * Invariant  A configuration comes out exactly when no finding is of severity block.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"
#include "config/diff.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

enum { DOCUMENTS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every index of a configuration that was accepted points somewhere. */
static void check_references(const struct configuration *conf)
{
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_route *route = &conf->routes[i];

        if (route->action == ACTION_POOL)
            CHECK(route->pool >= 0 && (size_t)route->pool < conf->pool_count);
        for (size_t j = 0; j < route->split_count; j++)
            CHECK(route->split[j].pool >= 0 && (size_t)route->split[j].pool < conf->pool_count);
    }
}

static void check_same(const struct configuration *conf, struct arena *arena)
{
    struct differences none;

    config_diff(conf, conf, arena, &none);
    CHECK(none.count == 0);
    differences_fini(&none);
}

static void describe(const struct findings *findings)
{
    char line[512];

    for (size_t i = 0; i < findings->count; i++)
        CHECK(finding_text(&findings->items[i], line, sizeof(line)) < sizeof(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[DOCUMENTS] = {"a.json", "b.json", "c.json"};
    struct slice documents[DOCUMENTS];
    struct slice rest = slice_of((const char *)data, size);
    size_t count = 0;
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct configuration *conf;

    while (count < DOCUMENTS) {
        const char *end = rest.len > 0 ? memchr(rest.at, '\0', rest.len) : NULL;

        documents[count++] = slice_of(rest.at, end != NULL ? (size_t)(end - rest.at) : rest.len);
        if (end == NULL)
            break;
        rest = slice_after(rest, documents[count - 1].len + 1);
    }
    findings_init(&findings, arena);
    conf = config_load_documents(names, documents, count, &findings);
    CHECK((conf == NULL) == (findings_count_at_least(&findings, FINDING_BLOCK) > 0));
    if (conf != NULL) {
        check_references(conf);
        check_same(conf, arena);
    }
    describe(&findings);
    config_free(&conf);
    findings_fini(&findings);
    arena_free(&arena);
    return 0;
}
