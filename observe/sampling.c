/*
 * sampling - see sampling.h.
 *
 * Owner    the observer.      Threads  one at a time
 * Invariant  newest[(first + i) % SAMPLE_REQUESTS] are set for i in [0, count), the oldest first
 */
#include "observe/sampling.h"

#include <stddef.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "observe/counters.h"
#include "observe/kinds.h"
#include "observe/sample.h"
#include "observe/tap.h"
#include "observe/texts.h"

enum { SAMPLING_TAG = 0x53414d50, ARENA_BLOCK = 64 * 1024, KIND_SEGMENTS = 2, FRESH_MS = 60000 };

_Static_assert((int)TAP_PATH_BYTES == (int)SAMPLE_PATH_BYTES &&
                   (int)TAP_HEADERS == (int)SAMPLE_HEADERS &&
                   (int)TAP_HEADER_BYTES == (int)SAMPLE_HEADER_BYTES,
               "what workers tell is what samples say");

struct sampling {
    uint32_t tag;
    const struct counters *counters;
    struct kinds *kinds;
    struct tap_cell *newest[SAMPLE_REQUESTS]; /* each as long as its text */
    size_t first, count;
    size_t bytes;
    uint64_t noted;     /* ever */
    uint64_t frozen;    /* of these, in the last sample */
    uint64_t frozen_ms; /* when it was made; 0: never */
};

struct sampling *sampling_new(const struct counters *counters, uint64_t now_ms)
{
    struct sampling *sampling = xcalloc(1, sizeof(*sampling));

    sampling->tag = SAMPLING_TAG;
    sampling->counters = counters;
    sampling->kinds = kinds_new(now_ms);
    return sampling;
}

static size_t cell_bytes(const struct tap_cell *cell)
{
    return offsetof(struct tap_cell, text) + cell->text_bytes;
}

static void drop_oldest(struct sampling *sampling)
{
    struct tap_cell **oldest = &sampling->newest[sampling->first];

    sampling->bytes -= cell_bytes(*oldest);
    xfree(*oldest);
    *oldest = NULL;
    sampling->first = (sampling->first + 1) % SAMPLE_REQUESTS;
    sampling->count--;
}

void sampling_free(struct sampling **held)
{
    struct sampling *sampling = TAKE_POINTER(held);

    if (sampling == NULL)
        return;
    CHECK_OBJ(sampling, SAMPLING_TAG);
    while (sampling->count > 0)
        drop_oldest(sampling);
    kinds_free(&sampling->kinds);
    sampling->tag = 0;
    xfree(sampling);
}

/* ---- noting ---- */

static struct slice host_of(const struct tap_cell *cell)
{
    return slice_of(cell->text, cell->host_bytes);
}

static struct slice path_of(const struct tap_cell *cell)
{
    return slice_of(cell->text + cell->host_bytes, cell->path_bytes);
}

static struct slice method_of(const struct tap_cell *cell)
{
    return slice_of(cell->text + cell->host_bytes + cell->path_bytes, cell->method_bytes);
}

/* "/shop/cart" of "/shop/cart/items/7". */
static struct slice first_segments(struct slice path)
{
    unsigned slashes = 0;

    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] == '/' && ++slashes > KIND_SEGMENTS)
            return slice_of(path.at, i);
    return path;
}

static void keep(struct sampling *sampling, const struct tap_cell *cell)
{
    size_t bytes = cell_bytes(cell);
    struct tap_cell *copy = xmalloc(bytes);

    memcpy(copy, cell, bytes);
    while (sampling->count == SAMPLE_REQUESTS ||
           (sampling->count > 0 && sampling->bytes + bytes > SAMPLING_REQUEST_BYTES))
        drop_oldest(sampling);
    sampling->newest[(sampling->first + sampling->count) % SAMPLE_REQUESTS] = copy;
    sampling->count++;
    sampling->bytes += bytes;
}

void sampling_note(struct sampling *sampling, const struct tap_cell *cell)
{
    struct kind_key key = {
        .listener = cell->listener,
        .is_https = cell->is_https,
        .host = host_of(cell),
        .path = first_segments(path_of(cell)),
        .method = method_of(cell),
    };

    CHECK_OBJ(sampling, SAMPLING_TAG);
    kinds_note(sampling->kinds, &key, cell->weight);
    keep(sampling, cell);
    sampling->noted++;
}

void sampling_note_lost(struct sampling *sampling, uint64_t requests)
{
    CHECK_OBJ(sampling, SAMPLING_TAG);
    kinds_note_other(sampling->kinds, requests);
}

/* ---- freezing ---- */

/* While a sample is made. */
struct freezing {
    const struct sampling *sampling;
    struct arena *arena;
    struct texts texts;
};

static const char *slot_name(struct freezing *freezing, enum counter_scope scope, uint32_t slot)
{
    if (slot == TAP_NONE)
        return NULL;
    return texts_of(&freezing->texts,
                    slice_from(counters_slot_name(freezing->sampling->counters, scope, slot)));
}

static void freeze_kinds(struct freezing *freezing, struct sample *sample)
{
    struct kind_seen *seen = xcalloc(KINDS_ROOM, sizeof(*seen));
    struct kinds_sum sum = kinds_sum(freezing->sampling->kinds);
    size_t count = kinds_list(freezing->sampling->kinds, seen);
    struct sample_kind *kinds;

    sample->seconds = sum.seconds > 0 ? sum.seconds : 1;
    sample->requests = sum.hour;
    sample->other_requests = sum.other_hour;
    for (size_t i = SAMPLE_KINDS; i < count; i++)
        sample->other_requests += seen[i].hour;
    sample->kind_count = count < SAMPLE_KINDS ? count : SAMPLE_KINDS;
    sample->kinds = kinds = arena_array(freezing->arena, sample->kind_count, sizeof(*kinds));
    for (size_t i = 0; i < sample->kind_count; i++)
        kinds[i] = (struct sample_kind){
            .listener = slot_name(freezing, SCOPE_LISTENER, seen[i].key.listener),
            .host = texts_of(&freezing->texts, seen[i].key.host),
            .path = texts_of(&freezing->texts, seen[i].key.path),
            .method = texts_of(&freezing->texts, seen[i].key.method),
            .is_https = seen[i].key.is_https,
            .requests = seen[i].hour,
            .requests_day = seen[i].day,
            .requests_new = seen[i].new,
        };
    xfree(seen);
}

static void freeze_headers(struct freezing *freezing, const struct tap_cell *cell,
                           struct sample_request *request)
{
    const char *at = cell->text + cell->host_bytes + cell->path_bytes + cell->method_bytes;
    struct sample_header *headers =
        arena_array(freezing->arena, cell->header_count, sizeof(*headers));

    for (unsigned i = 0; i < cell->header_count; i++) {
        const struct tap_header *header = &cell->headers[i];

        headers[i].name = texts_of(&freezing->texts, slice_of(at, header->name_bytes));
        at += header->name_bytes;
        if (!header->is_kept_back)
            headers[i].value = texts_of(&freezing->texts, slice_of(at, header->value_bytes));
        at += header->value_bytes;
        headers[i].is_held = header->is_held;
    }
    request->headers = headers;
    request->header_count = cell->header_count;
}

static void freeze_request(struct freezing *freezing, const struct tap_cell *cell,
                           struct sample_request *request)
{
    *request = (struct sample_request){
        .listener = slot_name(freezing, SCOPE_LISTENER, cell->listener),
        .host = texts_of(&freezing->texts, host_of(cell)),
        .path = texts_of(&freezing->texts, path_of(cell)),
        .method = texts_of(&freezing->texts, method_of(cell)),
        .route = slot_name(freezing, SCOPE_ROUTE, cell->route),
        .pool = slot_name(freezing, SCOPE_POOL, cell->pool),
        .server = slot_name(freezing, SCOPE_SERVER, cell->server),
        .sticky = slot_name(freezing, SCOPE_SERVER, cell->sticky),
        .client_hash = cell->client_hash,
        .hash = cell->hash,
        .weight = cell->weight,
        .reason = cell->reason,
        .is_https = cell->is_https,
        .has_hash = cell->has_hash,
        .is_path_cut = cell->is_path_cut,
    };
    if (cell->header_count > 0)
        freeze_headers(freezing, cell, request);
}

static void freeze_requests(struct freezing *freezing, struct sample *sample)
{
    const struct sampling *sampling = freezing->sampling;
    struct sample_request *singles =
        arena_array(freezing->arena, sampling->count, sizeof(*singles));

    for (size_t i = 0; i < sampling->count; i++)
        freeze_request(
            freezing,
            sampling->newest[(sampling->first + sampling->count - 1 - i) % SAMPLE_REQUESTS],
            &singles[i]);
    sample->singles = singles;
    sample->single_count = sampling->count;
}

static struct sample *freeze(struct sampling *sampling, uint64_t now_ms, int64_t wall_ms)
{
    struct freezing freezing = {.sampling = sampling, .arena = arena_new(ARENA_BLOCK)};
    struct sample *sample = arena_alloc(freezing.arena, sizeof(*sample));

    texts_init(&freezing.texts, freezing.arena);
    *sample = (struct sample){.references = 1, .wall_ms = wall_ms, .arena = freezing.arena};
    freeze_kinds(&freezing, sample);
    freeze_requests(&freezing, sample);
    texts_fini(&freezing.texts);
    sampling->frozen = sampling->noted;
    sampling->frozen_ms = now_ms;
    return sample;
}

/* Also without new requests: what is old leaves the windows. */
static bool is_time(const struct sampling *sampling, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - sampling->frozen_ms;

    if (sampling->noted == sampling->frozen)
        return sampling->noted > 0 && age_ms >= FRESH_MS;
    /* a tick may come a little early */
    return sampling->noted < SAMPLING_FEW || sampling->frozen == 0 ||
           age_ms + 500 >= SAMPLING_SECONDS * 1000;
}

struct sample *sampling_tick(struct sampling *sampling, uint64_t now_ms, int64_t wall_ms)
{
    CHECK_OBJ(sampling, SAMPLING_TAG);
    kinds_advance(sampling->kinds, now_ms);
    return is_time(sampling, now_ms) ? freeze(sampling, now_ms, wall_ms) : NULL;
}

struct sample *sampling_rest(struct sampling *sampling, uint64_t now_ms, int64_t wall_ms)
{
    CHECK_OBJ(sampling, SAMPLING_TAG);
    kinds_advance(sampling->kinds, now_ms);
    return sampling->noted > sampling->frozen ? freeze(sampling, now_ms, wall_ms) : NULL;
}

size_t sampling_bytes(const struct sampling *sampling)
{
    return sizeof(*sampling) + kinds_bytes(sampling->kinds) + sampling->bytes;
}
