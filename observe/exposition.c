/*
 * exposition - Prometheus text format: everything in counters.def, and whatever a caller adds.
 *
 * The tables below are made from counters.def: a row there is a metric here.  Samples of one
 * family must stand together, so each family walks over all slots of its scope; the slots'
 * labels are made once.
 *
 * Owner    the caller.      Threads  any
 */
#include "observe/exposition.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/check.h"
#include "base/memory.h"
#include "observe/counters.h"

enum { CLASS_COUNT = COUNTERS_CLASSES, NAME_BYTES = 96 };

struct metric {
    const char *name;
    enum metric_type type;
    const char *help;
    size_t offset; /* in the row */
};

#define METRIC(row, name, type, help) {#name, type, help, offsetof(struct row, name)},

static const struct metric process_metrics[] = {
#define PROCESS_COUNTER(name, type, help) METRIC(process_row, name, METRIC_##type, help)
#include "observe/counters.def"
};
static const struct metric listener_metrics[] = {
#define LISTENER_COUNTER(name, type, help) METRIC(listener_row, name, METRIC_##type, help)
#include "observe/counters.def"
};
static const struct metric route_metrics[] = {
#define ROUTE_COUNTER(name, type, help) METRIC(route_row, name, METRIC_##type, help)
#include "observe/counters.def"
};
static const struct metric pool_metrics[] = {
#define POOL_COUNTER(name, type, help) METRIC(pool_row, name, METRIC_##type, help)
#include "observe/counters.def"
};
static const struct metric server_metrics[] = {
#define SERVER_COUNTER(name, type, help) METRIC(server_row, name, METRIC_##type, help)
#include "observe/counters.def"
};

#define ABSENT SIZE_MAX

struct scope_table {
    const char *word; /* in the metric's name, and the label */
    const struct metric *metrics;
    size_t metric_count;
    size_t responses; /* offsets in the row, or ABSENT */
    size_t failures;
    size_t latency;
    const char *latency_help;
};

#define METRICS(table) (table), sizeof(table) / sizeof((table)[0])

static const struct scope_table scopes[COUNTER_SCOPES] = {
    [SCOPE_PROCESS] = {"process", METRICS(process_metrics), ABSENT, ABSENT, ABSENT, NULL},
    [SCOPE_LISTENER] = {"listener", METRICS(listener_metrics),
                        offsetof(struct listener_row, responses),
                        offsetof(struct listener_row, failures), ABSENT, NULL},
    [SCOPE_ROUTE] = {"route", METRICS(route_metrics), offsetof(struct route_row, responses), ABSENT,
                     offsetof(struct route_row, latency),
                     "time from the request's first byte to the end of its response"},
    [SCOPE_POOL] = {"pool", METRICS(pool_metrics), offsetof(struct pool_row, responses),
                    offsetof(struct pool_row, failures), offsetof(struct pool_row, latency),
                    "time from the request's first byte to the end of its response"},
    [SCOPE_SERVER] = {"server", METRICS(server_metrics), offsetof(struct server_row, responses),
                      ABSENT, offsetof(struct server_row, latency),
                      "time from an attempt's begin to the end of its response"},
};

static const char *const class_words[CLASS_COUNT] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

/* Edges of fine buckets, so that a coarse one is an exact sum: octaves from 256 µs to 1 s, then
 * two at a time to 67 s. */
static const struct {
    uint64_t us;
    const char *seconds;
} coarse_edges[] = {{256, "0.000256"},       {512, "0.000512"},     {1024, "0.001024"},
                    {2048, "0.002048"},      {4096, "0.004096"},    {8192, "0.008192"},
                    {16384, "0.016384"},     {32768, "0.032768"},   {65536, "0.065536"},
                    {131072, "0.131072"},    {262144, "0.262144"},  {524288, "0.524288"},
                    {1048576, "1.048576"},   {4194304, "4.194304"}, {16777216, "16.777216"},
                    {67108864, "67.108864"}, {UINT64_MAX, "+Inf"}};
enum { COARSE_COUNT = sizeof(coarse_edges) / sizeof(coarse_edges[0]) };

/* ---------------------------------------------------------------- text */

static void append_text(struct buffer *out, const char *text)
{
    buffer_append(out, text, strlen(text));
}

static void append_escaped(struct buffer *out, const char *text, bool is_label)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            buffer_append_literal(out, "\\n");
        else if (*text == '\\')
            buffer_append_literal(out, "\\\\");
        else if (*text == '"' && is_label)
            buffer_append_literal(out, "\\\"");
        else
            buffer_append(out, text, 1);
    }
}

void exposition_family(struct buffer *out, const char *name, enum metric_type type,
                       const char *help)
{
    static const char *const type_words[] = {"counter", "gauge", "histogram"};

    buffer_append_literal(out, "# HELP ");
    append_text(out, name);
    buffer_append_literal(out, " ");
    append_escaped(out, help, false);
    buffer_append_literal(out, "\n# TYPE ");
    append_text(out, name);
    buffer_append_literal(out, " ");
    append_text(out, type_words[type]);
    buffer_append_literal(out, "\n");
}

static void append_label(struct buffer *out, const char *name, const char *value)
{
    append_text(out, name);
    buffer_append_literal(out, "=\"");
    append_escaped(out, value, true);
    buffer_append_literal(out, "\"");
}

static void append_value(struct buffer *out, double value)
{
    if (isnan(value))
        buffer_append_literal(out, "NaN");
    else if (isinf(value))
        append_text(out, value > 0 ? "+Inf" : "-Inf");
    else
        buffer_printf(out, "%.17g", value);
}

void exposition_sample(struct buffer *out, const char *name, double value,
                       const char *const *labels)
{
    bool has_labels = labels != NULL && labels[0] != NULL;

    append_text(out, name);
    for (size_t i = 0; has_labels && labels[i] != NULL; i += 2) {
        append_text(out, i == 0 ? "{" : ",");
        append_label(out, labels[i], labels[i + 1]);
    }
    append_text(out, has_labels ? "} " : " ");
    append_value(out, value);
    buffer_append_literal(out, "\n");
}

/* ---------------------------------------------------------------- rows */

/* One scope on its way out: its slots, and their labels as text. */
struct walk {
    struct buffer *out;
    struct counters *counters;
    enum counter_scope scope;
    uint32_t first, end;
    struct buffer labels;    /* `pool="a",server="b"`, one slot's after the other */
    uint32_t *label_offsets; /* by slot - first, and one past the last */
};

static const char *row_of(struct walk *walk, unsigned worker, uint32_t slot)
{
    switch (walk->scope) {
    case SCOPE_PROCESS: return (const char *)counters_process(walk->counters, worker);
    case SCOPE_LISTENER: return (const char *)counters_listener(walk->counters, worker, slot);
    case SCOPE_ROUTE: return (const char *)counters_route(walk->counters, worker, slot);
    case SCOPE_POOL: return (const char *)counters_pool(walk->counters, worker, slot);
    case SCOPE_SERVER: return (const char *)counters_server(walk->counters, worker, slot);
    }
    CHECK(false);
    return NULL;
}

static uint64_t sum_of(struct walk *walk, uint32_t slot, size_t offset)
{
    uint64_t sum = 0;

    for (unsigned worker = 0; worker < counters_worker_count(walk->counters); worker++) {
        const counter *word = (const counter *)(const void *)(row_of(walk, worker, slot) + offset);

        sum += atomic_load_explicit(word, memory_order_relaxed);
    }
    return sum;
}

static void walk_init(struct walk *walk, struct buffer *out, struct counters *counters,
                      enum counter_scope scope)
{
    uint32_t count = counters_slot_count(counters, scope);
    /* "other" is shown once a scope is full. */
    uint32_t first = scope == SCOPE_PROCESS || count == COUNTERS_SLOTS ? 0 : 1;

    *walk = (struct walk){.out = out, .counters = counters, .scope = scope};
    walk->first = first;
    walk->end = count;
    buffer_init(&walk->labels);
    walk->label_offsets = xcalloc(count - first + 1, sizeof(walk->label_offsets[0]));
    for (uint32_t slot = first; slot < count && scope != SCOPE_PROCESS; slot++) {
        if (scope == SCOPE_SERVER) {
            append_label(&walk->labels, "pool", counters_slot_pool(counters, slot));
            buffer_append_literal(&walk->labels, ",");
        }
        append_label(&walk->labels, scopes[scope].word, counters_slot_name(counters, scope, slot));
        walk->label_offsets[slot - first + 1] = (uint32_t)buffer_length(&walk->labels);
    }
}

static void walk_fini(struct walk *walk)
{
    buffer_fini(&walk->labels);
    xfree(walk->label_offsets);
}

static struct slice labels_of(const struct walk *walk, uint32_t slot)
{
    uint32_t begin = walk->label_offsets[slot - walk->first];

    return slice_of(buffer_slice(&walk->labels).at + begin,
                    walk->label_offsets[slot - walk->first + 1] - begin);
}

/* `name{labels of the slot,extra="word"} `, the value follows. */
static void begin_sample(struct walk *walk, const char *name, uint32_t slot, const char *extra,
                         const char *word)
{
    struct slice labels = labels_of(walk, slot);

    append_text(walk->out, name);
    if (labels.len > 0 || extra != NULL) {
        buffer_append_literal(walk->out, "{");
        buffer_append_slice(walk->out, labels);
        if (extra != NULL) {
            if (labels.len > 0)
                buffer_append_literal(walk->out, ",");
            append_label(walk->out, extra, word);
        }
        buffer_append_literal(walk->out, "}");
    }
    buffer_append_literal(walk->out, " ");
}

static void end_with_number(struct walk *walk, uint64_t value)
{
    buffer_append_u64(walk->out, value);
    buffer_append_literal(walk->out, "\n");
}

static void end_with_seconds(struct walk *walk, uint64_t us)
{
    char fraction[8] = ".000000\n";

    for (unsigned at = 6, rest = (unsigned)(us % 1000000); rest > 0; rest /= 10)
        fraction[at--] = (char)('0' + rest % 10);
    buffer_append_u64(walk->out, us / 1000000);
    buffer_append(walk->out, fraction, sizeof(fraction));
}

static const char *full_name(char name[NAME_BYTES], const struct walk *walk, const char *rest,
                             const char *suffix)
{
    snprintf(name, NAME_BYTES, "twokey_%s_%s%s", scopes[walk->scope].word, rest, suffix);
    return name;
}

static void write_metric(struct walk *walk, const struct metric *metric)
{
    char name[NAME_BYTES];

    full_name(name, walk, metric->name, metric->type == METRIC_COUNTER ? "_total" : "");
    exposition_family(walk->out, name, metric->type, metric->help);
    for (uint32_t slot = walk->first; slot < walk->end; slot++) {
        uint64_t value = sum_of(walk, slot, metric->offset);

        /* A gauge's ups and downs may be on two workers, and be read in the wrong order. */
        if (metric->type == METRIC_GAUGE && value > INT64_MAX)
            value = 0;
        begin_sample(walk, name, slot, NULL, NULL);
        end_with_number(walk, value);
    }
}

/* An array of counters in the row; each word is a label's value. */
static void write_array(struct walk *walk, const char *rest, const char *help, size_t offset,
                        const char *label, const char *const *words, size_t first, size_t count)
{
    char name[NAME_BYTES];

    full_name(name, walk, rest, "_total");
    exposition_family(walk->out, name, METRIC_COUNTER, help);
    for (uint32_t slot = walk->first; slot < walk->end; slot++)
        for (size_t i = first; i < count; i++) {
            begin_sample(walk, name, slot, label, words[i]);
            end_with_number(walk, sum_of(walk, slot, offset + i * sizeof(counter)));
        }
}

static void write_buckets(struct walk *walk, const char *name, uint32_t slot, size_t latency)
{
    size_t buckets = latency + offsetof(struct histogram, buckets);
    uint64_t count = 0;
    unsigned fine = 0;

    for (unsigned i = 0; i < COARSE_COUNT; i++) {
        for (; fine < HISTOGRAM_BUCKETS && histogram_edge_us(fine) <= coarse_edges[i].us; fine++)
            count += sum_of(walk, slot, buckets + fine * sizeof(counter));
        begin_sample(walk, name, slot, "le", coarse_edges[i].seconds);
        end_with_number(walk, count);
    }
    /* The same number as +Inf's, whatever was counted in between. */
    char count_name[NAME_BYTES];

    begin_sample(walk, full_name(count_name, walk, "latency_seconds", "_count"), slot, NULL, NULL);
    end_with_number(walk, count);
}

static void write_latency(struct walk *walk, const struct scope_table *scope)
{
    char name[NAME_BYTES];

    exposition_family(walk->out, full_name(name, walk, "latency_seconds", ""), METRIC_HISTOGRAM,
                      scope->latency_help);
    for (uint32_t slot = walk->first; slot < walk->end; slot++) {
        write_buckets(walk, full_name(name, walk, "latency_seconds", "_bucket"), slot,
                      scope->latency);
        begin_sample(walk, full_name(name, walk, "latency_seconds", "_sum"), slot, NULL, NULL);
        end_with_seconds(walk,
                         sum_of(walk, slot, scope->latency + offsetof(struct histogram, sum_us)));
    }
}

static void write_scope(struct buffer *out, struct counters *counters, enum counter_scope which,
                        const struct exposition_words *words)
{
    const struct scope_table *scope = &scopes[which];
    struct walk walk;

    walk_init(&walk, out, counters, which);
    for (size_t i = 0; i < scope->metric_count; i++)
        write_metric(&walk, &scope->metrics[i]);
    if (scope->responses != ABSENT)
        write_array(&walk, "responses", "responses by class of their status; none: no response",
                    scope->responses, "code_class", class_words, 0, CLASS_COUNT);
    if (scope->failures != ABSENT)
        write_array(&walk, "failures", "requests that failed, by reason", scope->failures, "reason",
                    words->failures, 1, words->failure_count);
    if (which == SCOPE_LISTENER)
        write_array(&walk, "h2_violations", "HTTP/2 connections ended for what the client did",
                    offsetof(struct listener_row, h2_violations), "budget", words->violations, 0,
                    words->violation_count);
    if (which == SCOPE_POOL)
        write_array(&walk, "picked", "servers chosen, by why this one",
                    offsetof(struct pool_row, picked), "why", words->reasons, 0,
                    words->reason_count);
    if (which == SCOPE_SERVER)
        write_array(&walk, "tls_failures", "TLS handshakes with it that failed, by why",
                    offsetof(struct server_row, tls_failures), "reason", words->troubles, 0,
                    words->trouble_count);
    if (scope->latency != ABSENT)
        write_latency(&walk, scope);
    walk_fini(&walk);
}

void exposition_write(struct buffer *out, struct counters *counters,
                      const struct exposition_words *words)
{
    CHECK(words->failure_count <= COUNTERS_FAILURES && words->reason_count <= COUNTERS_REASONS &&
          words->trouble_count <= COUNTERS_TROUBLES &&
          words->violation_count <= COUNTERS_VIOLATIONS);
    for (unsigned i = 0; i < COUNTER_SCOPES; i++)
        write_scope(out, counters, (enum counter_scope)i, words);
}
