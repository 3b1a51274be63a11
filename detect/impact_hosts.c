/*
 * impact_hosts - see impact_hosts.h.
 *
 * Owner    the caller's arena      Threads  any
 */
#include "detect/impact_hosts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/model.h"
#include "detect/trace.h"

enum { WILDCARD_BYTES = 260 };

struct names {
    const char **items; /* sorted */
    size_t count;
    bool takes_any; /* some route has no hosts */
};

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_init(struct names *names, const struct configuration *conf, struct arena *arena)
{
    size_t room = 0;

    *names = (struct names){0};
    for (size_t i = 0; i < conf->route_count; i++)
        room += conf->routes[i].hosts.count;
    names->items = arena_array(arena, room + 1, sizeof(*names->items));
    for (size_t i = 0; i < conf->route_count; i++) {
        const struct conf_strings *own = &conf->routes[i].hosts;

        names->takes_any = names->takes_any || own->count == 0;
        for (size_t n = 0; n < own->count; n++)
            names->items[names->count++] = own->items[n];
    }
    qsort(names->items, names->count, sizeof(*names->items), compare_texts);
}

static bool has_name(const struct names *names, const char *host)
{
    return names->count > 0 &&
           bsearch(&host, names->items, names->count, sizeof(host), compare_texts) != NULL;
}

/* By itself, or by a wildcard of a domain above it. */
static bool has_host(const struct names *names, const char *host)
{
    char wildcard[WILDCARD_BYTES] = "*";
    const char *dot = strchr(host + (host[0] == '*' ? 2 : 0), '.');

    if (names->takes_any || has_name(names, host))
        return true;
    for (; dot != NULL && strlen(dot) + 2 < sizeof(wildcard); dot = strchr(dot + 1, '.')) {
        memcpy(wildcard + 1, dot, strlen(dot) + 1);
        if (has_name(names, wildcard))
            return true;
    }
    return false;
}

static int compare_hosts(const void *a, const void *b)
{
    const struct trace *x = *(const struct trace *const *)a, *y = *(const struct trace *const *)b;

    return strcmp(x->host, y->host);
}

/* Of each host that was asked for: it was served, and nothing of it would be. */
static size_t add_seen(const struct traces *traces, struct arena *arena, const char **dropped)
{
    const struct trace **sorted = arena_array(arena, traces->count + 1, sizeof(*sorted));
    size_t count = 0;

    for (size_t i = 0; i < traces->count; i++)
        sorted[i] = &traces->items[i];
    qsort(sorted, traces->count, sizeof(*sorted), compare_hosts);
    for (size_t i = 0; i < traces->count;) {
        const char *host = sorted[i]->host;
        bool was_served = false;
        bool is_served = false;

        for (; i < traces->count && strcmp(sorted[i]->host, host) == 0; i++) {
            was_served = was_served || sorted[i]->before >= 0;
            is_served = is_served || sorted[i]->after != TRACE_NONE;
        }
        if (was_served && !is_served)
            dropped[count++] = host[0] != '\0' ? arena_strdup(arena, host) : "(no host)";
    }
    return count;
}

static size_t add_named(const struct names *before, const struct names *after, const char **dropped)
{
    size_t count = 0;

    for (size_t i = 0; i < before->count; i++)
        if (!has_host(after, before->items[i]))
            dropped[count++] = before->items[i];
    return count;
}

const char **impact_hosts_dropped(const struct configuration *base,
                                  const struct configuration *target, const struct traces *traces,
                                  struct arena *arena, size_t *count_out)
{
    struct names before;
    struct names after;
    const char **dropped;
    size_t count;
    size_t kept = 0;

    names_init(&before, base, arena);
    names_init(&after, target, arena);
    dropped = arena_array(arena, before.count + traces->count + 1, sizeof(*dropped));
    count = add_named(&before, &after, dropped);
    count += add_seen(traces, arena, dropped + count);
    qsort(dropped, count, sizeof(*dropped), compare_texts);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(dropped[i], dropped[kept - 1]) != 0)
            dropped[kept++] = dropped[i];
    *count_out = kept;
    return dropped;
}
