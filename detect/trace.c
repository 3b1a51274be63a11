/*
 * trace - see trace.h.
 *
 * Owner    the caller's arena      Threads  any
 */
#include "detect/trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/slice.h"
#include "config/load.h"
#include "config/model.h"
#include "observe/sample.h"
#include "proxy/compile.h"
#include "proxy/route/route.h"

enum { NO_KIND = -1 };

/* ---- which headers were looked for ---- */

struct trace_headers {
    const char *names[SAMPLE_HEADERS];
    size_t count;
};

static bool was_looked_for(const struct trace_headers *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++)
        if (strcmp(headers->names[i], name) == 0)
            return true;
    return false;
}

/* As proxy/snapshot.c chooses them. */
static struct trace_headers *headers_of(const struct configuration *base, struct arena *arena)
{
    struct trace_headers *headers = arena_alloc(arena, sizeof(*headers));

    for (size_t i = 0; i < base->route_count; i++)
        for (size_t n = 0; n < base->routes[i].header_count; n++) {
            const char *name = base->routes[i].headers[n].name;

            if (headers->count < SAMPLE_HEADERS && strlen(name) <= SAMPLE_HEADER_BYTES &&
                !was_looked_for(headers, name))
                headers->names[headers->count++] = name;
        }
    return headers;
}

bool trace_header(const struct trace_headers *headers, const struct sample_request *single,
                  const char *name, const char **value_out, bool *is_unknown_out)
{
    for (size_t i = 0; i < single->header_count; i++) {
        if (strcmp(single->headers[i].name, name) != 0)
            continue;
        if (single->headers[i].value == NULL)
            *is_unknown_out = true;
        *value_out = single->headers[i].value;
        return single->headers[i].value != NULL;
    }
    if (!was_looked_for(headers, name))
        *is_unknown_out = true;
    return false;
}

/* ---- kinds ---- */

/* Kinds by what makes them, and how much of each the single requests stand for. */
struct kinds {
    const struct sample *sample;
    uint32_t *slots; /* index + 1; 0: free */
    uint64_t mask;
    double *weights; /* of single requests, by kind */
    double other;    /* of those of no kind */
};

static uint64_t hash_of(const char *listener, bool is_https, const char *host, const char *method,
                        struct slice path)
{
    const struct hash_key *key = hash_process_key();
    uint64_t hash = hash_mix(hash_slice(key, slice_from(listener)) + is_https);

    hash = hash_mix(hash ^ hash_slice(key, slice_from(host)));
    hash = hash_mix(hash ^ hash_slice(key, slice_from(method)));
    return hash_mix(hash ^ hash_slice(key, path));
}

/* The first two segments of a path. */
static struct slice head_of(const char *path)
{
    size_t slashes = 0;
    size_t len = 0;

    while (path[len] != '\0' && (slashes += path[len] == '/') < 3)
        len++;
    return slice_of(path, len);
}

static bool is_of_kind(const struct sample_request *single, struct slice head,
                       const struct sample_kind *kind)
{
    return single->is_https == kind->is_https && strcmp(single->host, kind->host) == 0 &&
           strcmp(single->method, kind->method) == 0 &&
           strcmp(single->listener, kind->listener) == 0 &&
           slice_equal(head, slice_from(kind->path));
}

static int find_kind(const struct kinds *kinds, const struct sample_request *single)
{
    struct slice head = head_of(single->path);
    uint64_t at = hash_of(single->listener, single->is_https, single->host, single->method, head);

    for (;; at++) {
        uint32_t slot = kinds->slots[at & kinds->mask];

        if (slot == 0)
            return NO_KIND;
        if (is_of_kind(single, head, &kinds->sample->kinds[slot - 1]))
            return (int)slot - 1;
    }
}

static void put_kind(struct kinds *kinds, size_t index)
{
    const struct sample_kind *kind = &kinds->sample->kinds[index];
    uint64_t at =
        hash_of(kind->listener, kind->is_https, kind->host, kind->method, slice_from(kind->path));

    while (kinds->slots[at & kinds->mask] != 0)
        at++;
    kinds->slots[at & kinds->mask] = (uint32_t)index + 1;
}

static void kinds_init(struct kinds *kinds, const struct sample *sample, struct arena *arena)
{
    size_t slots = 64;

    while (slots < 2 * sample->kind_count)
        slots *= 2;
    *kinds = (struct kinds){
        .sample = sample,
        .mask = slots - 1,
        .slots = arena_array(arena, slots, sizeof(*kinds->slots)),
        .weights = arena_array(arena, sample->kind_count + 1, sizeof(*kinds->weights)),
    };
    for (size_t i = 0; i < sample->kind_count; i++)
        put_kind(kinds, i);
}

/* ---- what stands for what ---- */

/* Each kind's requests are shared out among the single ones of it. */
static void add_singles(struct kinds *kinds, struct traces *traces, struct arena *arena)
{
    const struct sample *sample = kinds->sample;
    int *of = arena_array(arena, sample->single_count + 1, sizeof(*of));

    for (size_t i = 0; i < sample->single_count; i++) {
        const struct sample_request *single = &sample->singles[i];

        of[i] = find_kind(kinds, single);
        *(of[i] == NO_KIND ? &kinds->other : &kinds->weights[of[i]]) += single->weight;
    }
    for (size_t i = 0; i < sample->single_count; i++) {
        const struct sample_request *single = &sample->singles[i];
        double all = of[i] == NO_KIND ? (double)sample->other_requests
                                      : (double)sample->kinds[of[i]].requests;
        double weight = of[i] == NO_KIND ? kinds->other : kinds->weights[of[i]];

        traces->items[traces->count++] = (struct trace){
            .single = single,
            .listener = single->listener,
            .is_https = single->is_https,
            .method = single->method,
            .host = single->host,
            .path = single->path,
            .requests = weight > 0 ? all * single->weight / weight : 0,
        };
    }
}

static void add_kinds(const struct kinds *kinds, struct traces *traces)
{
    for (size_t i = 0; i < kinds->sample->kind_count; i++) {
        const struct sample_kind *kind = &kinds->sample->kinds[i];

        if (kinds->weights[i] > 0 || kind->requests_day == 0)
            continue;
        traces->items[traces->count++] = (struct trace){.listener = kind->listener,
                                                        .is_https = kind->is_https,
                                                        .method = kind->method,
                                                        .host = kind->host,
                                                        .path = kind->path,
                                                        .requests = (double)kind->requests};
    }
}

/* ---- routes ---- */

struct tracing {
    const struct configuration *conf;
    const struct route_table *table;
    struct route_scratch *scratch;
    const struct trace_headers *headers;
    const struct trace *trace;
    bool is_unknown;
};

static bool find_header(void *context, struct slice name, struct slice *value_out)
{
    struct tracing *tracing = context;
    char text[256];
    const char *value;

    if (tracing->trace->single == NULL || name.len >= sizeof(text)) {
        tracing->is_unknown = true;
        return false;
    }
    slice_copy(name, text, sizeof(text));
    if (!trace_header(tracing->headers, tracing->trace->single, text, &value, &tracing->is_unknown))
        return false;
    *value_out = slice_from(value);
    return true;
}

/* TRACE_NONE too where the listener is not there. */
static int match(struct tracing *tracing, const struct trace *trace)
{
    int listener = config_find_listener(tracing->conf, trace->listener);
    struct route_query query = {
        .host = slice_from(trace->host),
        .path = slice_from(trace->path),
        .method = slice_from(trace->method),
        .listener = (uint32_t)listener,
        .is_https = trace->is_https,
        .header = find_header,
        .header_context = tracing,
    };
    int route;

    if (listener < 0)
        return TRACE_NONE;
    tracing->trace = trace;
    tracing->is_unknown = false;
    route = route_match(tracing->table, tracing->scratch, &query);
    if (tracing->is_unknown)
        return TRACE_UNKNOWN;
    return route == ROUTE_NONE ? TRACE_NONE : route;
}

static int by_name(const void *name, const void *route)
{
    return strcmp(name, ((const struct conf_route *)route)->name);
}

/* What it was seen to take, where its conditions cannot be asked again. */
static int seen_route(const struct configuration *conf, const struct trace *trace)
{
    const struct conf_route *route;

    if (trace->single == NULL)
        return TRACE_UNKNOWN;
    if (trace->single->route == NULL)
        return TRACE_NONE;
    route = conf->route_count > 0 ? bsearch(trace->single->route, conf->routes, conf->route_count,
                                            sizeof(*conf->routes), by_name)
                                  : NULL;
    return route != NULL ? (int)(route - conf->routes) : TRACE_UNKNOWN;
}

static void match_before(struct tracing *tracing, struct traces *traces)
{
    for (size_t i = 0; i < traces->count; i++) {
        struct trace *trace = &traces->items[i];

        trace->before = match(tracing, trace);
        if (trace->before == TRACE_UNKNOWN)
            trace->before = seen_route(tracing->conf, trace);
    }
}

static void match_after(struct tracing *tracing, struct traces *traces)
{
    for (size_t i = 0; i < traces->count; i++)
        traces->items[i].after = match(tracing, &traces->items[i]);
}

/* The same conditions, so the same routes: but a listener may have gone. */
static void take_over(const struct configuration *target, struct traces *traces)
{
    for (size_t i = 0; i < traces->count; i++) {
        struct trace *trace = &traces->items[i];
        bool is_heard = config_find_listener(target, trace->listener) >= 0;

        trace->after = is_heard ? trace->before : TRACE_NONE;
    }
}

static bool match_all(const struct configuration *conf, struct traces *traces, bool is_after,
                      struct error *why)
{
    struct route_table *table = compile_routes(conf, why);
    struct tracing tracing = {.conf = conf, .table = table, .headers = traces->headers};

    if (table == NULL)
        return false;
    tracing.scratch = route_scratch_new();
    if (is_after)
        match_after(&tracing, traces);
    else
        match_before(&tracing, traces);
    route_scratch_free(&tracing.scratch);
    route_table_free(&table);
    return true;
}

bool trace_requests(const struct configuration *base, const struct configuration *target,
                    const struct sample *sample, struct arena *arena, struct traces *traces,
                    struct error *why)
{
    bool is_alike = compile_routes_alike(base, target);
    struct kinds kinds;

    *traces = (struct traces){.headers = headers_of(base, arena)};
    if (sample != NULL) {
        kinds_init(&kinds, sample, arena);
        traces->items = arena_array(arena, sample->single_count + sample->kind_count + 1,
                                    sizeof(*traces->items));
        add_singles(&kinds, traces, arena);
        add_kinds(&kinds, traces);
        traces->seconds = sample->seconds;
    }
    if (!match_all(base, traces, false, why) ||
        (!is_alike && !match_all(target, traces, true, why)))
        return false;
    if (is_alike)
        take_over(target, traces);
    for (size_t i = 0; i < traces->count; i++)
        traces->requests += traces->items[i].requests;
    return true;
}
