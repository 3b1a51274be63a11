/*
 * sample_json - see sample_json.h.
 *
 * Written by hand: sixteen thousand requests are shown by control, which has other things to do.
 *
 * Owner    the caller.      Threads  any
 */
#include "observe/sample_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "observe/sample.h"
#include "observe/texts.h"

enum { VERSION = 1, ARENA_BLOCK = 64 * 1024, MOST_HEADERS = 64, HASH_DIGITS = 16 };
static const json_int_t most_number = (json_int_t)1 << 53;

/* ---------------------------------------------------------------- writing */

static void put_text(struct buffer *out, const char *text)
{
    struct slice slice = slice_from(text);
    char *at = buffer_reserve(out, 6 * slice.len + 2);
    size_t bytes;

    at[0] = '"';
    bytes = log_escape(slice, at + 1);
    at[1 + bytes] = '"';
    out->end += (uint32_t)bytes + 2;
}

static void put_member(struct buffer *out, const char *name, const char *text)
{
    buffer_append_literal(out, ",\"");
    buffer_append_slice(out, slice_from(name));
    buffer_append_literal(out, "\":");
    if (text != NULL)
        put_text(out, text);
    else
        buffer_append_literal(out, "null");
}

static void put_number(struct buffer *out, const char *name, uint64_t number)
{
    buffer_append_literal(out, ",\"");
    buffer_append_slice(out, slice_from(name));
    buffer_append_literal(out, "\":");
    buffer_append_u64(out, number);
}

/* As digits: a number of JSON is not sure to hold 64 bits. */
static void put_hash(struct buffer *out, const char *name, uint64_t hash)
{
    char digits[HASH_DIGITS + 1];

    (void)snprintf(digits, sizeof(digits), "%016" PRIx64, hash);
    put_member(out, name, digits);
}

static void put_kind(struct buffer *out, const struct sample_kind *kind)
{
    buffer_append_literal(out, "{\"listener\":");
    put_text(out, kind->listener);
    put_member(out, "scheme", kind->is_https ? "https" : "http");
    put_member(out, "host", kind->host);
    put_member(out, "method", kind->method);
    put_member(out, "path", kind->path);
    put_number(out, "requests", kind->requests);
    put_number(out, "requests_day", kind->requests_day);
    buffer_append_literal(out, "}");
}

static void put_headers(struct buffer *out, const struct sample_request *request)
{
    buffer_append_literal(out, ",\"headers\":[");
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sample_header *header = &request->headers[i];

        buffer_append_slice(out, slice_from(i > 0 ? ",{\"name\":" : "{\"name\":"));
        put_text(out, header->name);
        put_member(out, "value", header->value);
        buffer_append_slice(out,
                            slice_from(header->is_held ? ",\"held\":true}" : ",\"held\":false}"));
    }
    buffer_append_literal(out, "]");
}

static void put_request(struct buffer *out, const struct sample_request *request,
                        const struct sample_words *words)
{
    buffer_append_literal(out, "{\"listener\":");
    put_text(out, request->listener);
    put_member(out, "scheme", request->is_https ? "https" : "http");
    put_member(out, "host", request->host);
    put_member(out, "method", request->method);
    put_member(out, "path", request->path);
    if (request->is_path_cut)
        buffer_append_literal(out, ",\"path_cut\":true");
    put_number(out, "weight", request->weight);
    put_member(out, "route", request->route);
    put_member(out, "pool", request->pool);
    put_member(out, "server", request->server);
    if (request->server != NULL && request->reason < words->reason_count)
        put_member(out, "reason", words->reasons[request->reason]);
    if (request->sticky != NULL)
        put_member(out, "sticky", request->sticky);
    put_hash(out, "client", request->client_hash);
    if (request->has_hash)
        put_hash(out, "hash", request->hash);
    if (request->header_count > 0)
        put_headers(out, request);
    buffer_append_literal(out, "}");
}

void sample_json_write(const struct sample *sample, const struct sample_words *words,
                       struct buffer *out)
{
    static const struct sample nothing = {0};
    char time[CLOCK_RFC3339_TEXT];

    buffer_printf(out, "{\"version\":%d", VERSION);
    put_member(out, "time", sample != NULL ? clock_rfc3339(sample->wall_ms, time) : NULL);
    if (sample == NULL)
        sample = &nothing;
    put_number(out, "seconds", sample->seconds);
    put_number(out, "requests", sample->requests);
    put_number(out, "other_requests", sample->other_requests);
    buffer_append_literal(out, ",\"kinds\":[");
    for (size_t i = 0; i < sample->kind_count; i++) {
        buffer_append_slice(out, slice_from(i > 0 ? ",\n" : "\n"));
        put_kind(out, &sample->kinds[i]);
    }
    buffer_append_literal(out, "],\"singles\":[");
    for (size_t i = 0; i < sample->single_count; i++) {
        buffer_append_slice(out, slice_from(i > 0 ? ",\n" : "\n"));
        put_request(out, &sample->singles[i], words);
    }
    buffer_append_literal(out, "]}\n");
}

/* ---------------------------------------------------------------- reading */

struct reading {
    struct sample *sample;
    struct texts texts;
    const struct sample_words *words;
    struct error *why;
    const char *list; /* "/kinds": where we are; "" at the top */
    size_t index;
    bool is_wrong;
};

/* The first thing that is wrong is told. */
static void tell(struct reading *reading, const char *name, const char *what)
{
    if (reading->is_wrong)
        return;
    reading->is_wrong = true;
    if (reading->list[0] == '\0')
        error_set(reading->why, ERROR_INVALID, "/%s: %s", name, what);
    else
        error_set(reading->why, ERROR_INVALID, "%s/%zu%s%s: %s", reading->list, reading->index,
                  name[0] != '\0' ? "/" : "", name, what);
}

/* NULL where it is null, or not there. */
static const char *maybe_text(struct reading *reading, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (value == NULL || json_is_null(value))
        return NULL;
    if (!json_is_string(value)) {
        tell(reading, name, "is no text");
        return NULL;
    }
    if (json_string_length(value) > SAMPLE_JSON_TEXT) {
        tell(reading, name, "is longer than 1024 bytes");
        return NULL;
    }
    return texts_of(&reading->texts, slice_of(json_string_value(value), json_string_length(value)));
}

static const char *text_of(struct reading *reading, const json_t *object, const char *name)
{
    const char *text = maybe_text(reading, object, name);

    if (text != NULL)
        return text;
    tell(reading, name, "is missing: a text is wanted");
    return "";
}

static uint64_t number_of(struct reading *reading, const json_t *object, const char *name,
                          json_int_t least, json_int_t most)
{
    const json_t *value = json_object_get(object, name);
    char what[96];

    if (json_is_integer(value) && json_integer_value(value) >= least &&
        json_integer_value(value) <= most)
        return (uint64_t)json_integer_value(value);
    (void)snprintf(what, sizeof(what), "is no number from %lld to %lld", (long long)least,
                   (long long)most);
    tell(reading, name, what);
    return (uint64_t)least;
}

static bool flag_of(struct reading *reading, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (value != NULL && !json_is_boolean(value))
        tell(reading, name, "is neither true nor false");
    return json_is_true(value);
}

static bool scheme_of(struct reading *reading, const json_t *object)
{
    const char *scheme = text_of(reading, object, "scheme");

    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        tell(reading, "scheme", "is neither http nor https");
    return strcmp(scheme, "https") == 0;
}

static const char *path_of(struct reading *reading, const json_t *object)
{
    const char *path = text_of(reading, object, "path");

    if (path[0] != '/' && strcmp(path, "*") != 0)
        tell(reading, "path", "does not begin with a slash");
    return path;
}

/* False: there is none. */
static bool hash_of(struct reading *reading, const json_t *object, const char *name,
                    uint64_t *hash_out)
{
    const char *digits = maybe_text(reading, object, name);

    if (digits == NULL)
        return false;
    if (strlen(digits) != HASH_DIGITS || strspn(digits, "0123456789abcdef") != HASH_DIGITS)
        tell(reading, name, "is not 16 hexadecimal digits");
    else
        *hash_out = strtoull(digits, NULL, 16);
    return true;
}

static uint8_t reason_of(struct reading *reading, const json_t *object)
{
    const char *word = maybe_text(reading, object, "reason");

    for (size_t i = 0; word != NULL && i < reading->words->reason_count; i++)
        if (strcmp(word, reading->words->reasons[i]) == 0)
            return (uint8_t)i;
    if (word != NULL)
        tell(reading, "reason", "is no reason that is known here");
    return 0;
}

static int64_t time_of(struct reading *reading, const json_t *object)
{
    const char *text = maybe_text(reading, object, "time");
    struct tm parts = {0};
    const char *rest = text != NULL ? strptime(text, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;
    unsigned ms = 0;
    int used = 0;

    if (text == NULL)
        return 0;
    if (rest == NULL || parts.tm_year < 70 || parts.tm_year > 8000 ||
        (strcmp(rest, "Z") != 0 &&
         (sscanf(rest, ".%3uZ%n", &ms, &used) != 1 || used != 5 || rest[used] != '\0')))
        tell(reading, "time", "is no time such as 2026-11-22T10:41:40.123Z");
    return (int64_t)timegm(&parts) * 1000 + ms;
}

static void read_kind(struct reading *reading, const json_t *object, struct sample_kind *kind)
{
    *kind = (struct sample_kind){
        .listener = text_of(reading, object, "listener"),
        .host = text_of(reading, object, "host"),
        .path = path_of(reading, object),
        .method = text_of(reading, object, "method"),
        .is_https = scheme_of(reading, object),
        .requests = number_of(reading, object, "requests", 0, most_number),
        .requests_day = number_of(reading, object, "requests_day", 0, most_number),
    };
}

static void read_headers(struct reading *reading, const json_t *list,
                         struct sample_request *request)
{
    size_t count = json_array_size(list);
    struct sample_header *headers;

    if (list == NULL)
        return;
    if (!json_is_array(list) || count > MOST_HEADERS) {
        tell(reading, "headers", "is no list of at most 64");
        return;
    }
    headers = arena_array(reading->sample->arena, count, sizeof(*headers));
    for (size_t i = 0; i < count; i++) {
        const json_t *header = json_array_get(list, i);

        headers[i] = (struct sample_header){.name = text_of(reading, header, "name"),
                                            .value = maybe_text(reading, header, "value"),
                                            .is_held = flag_of(reading, header, "held")};
    }
    request->headers = headers;
    request->header_count = count;
}

static void read_request(struct reading *reading, const json_t *object,
                         struct sample_request *request)
{
    *request = (struct sample_request){
        .listener = text_of(reading, object, "listener"),
        .host = text_of(reading, object, "host"),
        .path = path_of(reading, object),
        .method = text_of(reading, object, "method"),
        .route = maybe_text(reading, object, "route"),
        .pool = maybe_text(reading, object, "pool"),
        .server = maybe_text(reading, object, "server"),
        .sticky = maybe_text(reading, object, "sticky"),
        .weight = (uint32_t)number_of(reading, object, "weight", 1, UINT32_MAX),
        .reason = reason_of(reading, object),
        .is_https = scheme_of(reading, object),
        .is_path_cut = flag_of(reading, object, "path_cut"),
    };
    if (!hash_of(reading, object, "client", &request->client_hash))
        tell(reading, "client", "is missing: 16 hexadecimal digits are wanted");
    request->has_hash = hash_of(reading, object, "hash", &request->hash);
    read_headers(reading, json_object_get(object, "headers"), request);
}

/* A list of objects of the top; NULL, told, when it is none or has more than `most`. */
static const json_t *list_of(struct reading *reading, const json_t *top, const char *name,
                             size_t most)
{
    const json_t *list = json_object_get(top, name);
    char what[96];

    if (json_is_array(list) && json_array_size(list) <= most)
        return list;
    if (json_is_array(list))
        (void)snprintf(what, sizeof(what), "has %zu members: at most %zu are taken",
                       json_array_size(list), most);
    else
        (void)snprintf(what, sizeof(what), "is no list");
    tell(reading, name, what);
    return NULL;
}

static void read_kinds(struct reading *reading, const json_t *list)
{
    struct sample *sample = reading->sample;
    size_t count = json_array_size(list);
    struct sample_kind *kinds = arena_array(sample->arena, count, sizeof(*kinds));

    reading->list = "/kinds";
    for (size_t i = 0; i < count && !reading->is_wrong; i++) {
        reading->index = i;
        read_kind(reading, json_array_get(list, i), &kinds[i]);
    }
    sample->kinds = kinds;
    sample->kind_count = count;
}

static void read_requests(struct reading *reading, const json_t *list)
{
    struct sample *sample = reading->sample;
    size_t count = json_array_size(list);
    struct sample_request *singles = arena_array(sample->arena, count, sizeof(*singles));

    reading->list = "/singles";
    for (size_t i = 0; i < count && !reading->is_wrong; i++) {
        reading->index = i;
        read_request(reading, json_array_get(list, i), &singles[i]);
    }
    sample->singles = singles;
    sample->single_count = count;
}

static void read_top(struct reading *reading, const json_t *top)
{
    struct sample *sample = reading->sample;
    const json_t *kinds;
    const json_t *singles;

    if (json_integer_value(json_object_get(top, "version")) != VERSION)
        tell(reading, "version", "is not 1: a sample as GET /v1/sample answers it is wanted");
    sample->wall_ms = time_of(reading, top);
    sample->seconds = (uint32_t)number_of(reading, top, "seconds", 0, UINT32_MAX);
    sample->requests = number_of(reading, top, "requests", 0, most_number);
    sample->other_requests = number_of(reading, top, "other_requests", 0, most_number);
    kinds = list_of(reading, top, "kinds", SAMPLE_KINDS);
    singles = list_of(reading, top, "singles", SAMPLE_REQUESTS);
    if (kinds != NULL)
        read_kinds(reading, kinds);
    if (singles != NULL)
        read_requests(reading, singles);
}

struct sample *sample_json_read(struct slice bytes, const struct sample_words *words,
                                struct error *why)
{
    struct reading reading = {.words = words, .why = why, .list = ""};
    struct arena *arena;
    json_error_t error;
    json_t *top;

    if (bytes.len > SAMPLE_JSON_BYTES) {
        error_set(why, ERROR_INVALID, "is larger than 64 MiB: no sample of traffic is");
        return NULL;
    }
    top = json_loadb(bytes.at, bytes.len, JSON_REJECT_DUPLICATES, &error);
    if (top == NULL) {
        error_set(why, ERROR_INVALID, "line %d, column %d: %s", error.line, error.column,
                  error.text);
        return NULL;
    }
    arena = arena_new(ARENA_BLOCK);
    reading.sample = arena_alloc(arena, sizeof(*reading.sample));
    *reading.sample = (struct sample){.references = 1, .arena = arena};
    texts_init(&reading.texts, arena);
    read_top(&reading, top);
    texts_fini(&reading.texts);
    json_decref(top);
    if (reading.is_wrong)
        sample_release(&reading.sample);
    return reading.sample;
}
