/*
 * streams - made-up traffic for the distribution monitor, from a seed: the same each time.
 *
 * Each bucket of ten seconds gets its requests one by one; what is drawn is which server.
 */
#ifndef TESTS_UNIT_OBSERVE_STREAMS_H
#define TESTS_UNIT_OBSERVE_STREAMS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "observe/monitor.h"

enum { STREAM_SERVERS = 50, STREAM_SESSIONS = 4000 };

enum stream_kind {
    STREAM_MULTINOMIAL, /* each request on its own */
    STREAM_ROUND_ROBIN, /* in turn */
    STREAM_STICKY,      /* sessions come and go, each stays with its server */
    STREAM_BURSTY,      /* seconds of silence and of much, requests in clumps of one server */
    STREAM_DIURNAL,     /* a day and a night, from a tenth to twice the rate */
    STREAM_KINDS
};
static const char *const stream_words[STREAM_KINDS] = {"multinomial", "round robin", "sticky",
                                                       "bursty", "diurnal"};

struct stream {
    enum stream_kind kind;
    size_t count;
    double rate; /* requests a second, on average */
    double shares[STREAM_SERVERS];
    uint64_t random;
    uint64_t now_s;
    unsigned turn;
    double session_s;    /* how long a session lasts, on average */
    double session_rate; /* its requests a second */
    unsigned session_count;
    uint8_t sessions[STREAM_SESSIONS]; /* its server */
};

static inline double stream_draw(struct stream *stream)
{
    return (double)(random_next(&stream->random) >> 11) * 0x1p-53;
}

static inline size_t stream_server(struct stream *stream)
{
    double draw = stream_draw(stream);
    size_t at = 0;

    while (at + 1 < stream->count && draw >= stream->shares[at])
        draw -= stream->shares[at++];
    return at;
}

/* So many of a Poisson process; a normal one above what matters. */
static inline uint64_t stream_poisson(struct stream *stream, double mean)
{
    double left = exp(-mean), product = 1;
    uint64_t count = 0;

    if (mean > 60) {
        double pair = sqrt(-2 * log(1 - stream_draw(stream)));

        mean += sqrt(mean) * pair * cos(6.283185307179586 * stream_draw(stream)) + 0.5;
        return mean > 0 ? (uint64_t)mean : 0;
    }
    while ((product *= stream_draw(stream)) > left)
        count++;
    return count;
}

static inline void stream_equal(struct stream *stream)
{
    for (size_t i = 0; i < stream->count; i++)
        stream->shares[i] = 1.0 / (double)stream->count;
}

static inline void stream_init(struct stream *stream, enum stream_kind kind, size_t count,
                               double rate, uint64_t seed)
{
    *stream = (struct stream){.kind = kind, .count = count, .rate = rate, .now_s = 1000000};
    stream->random = hash_mix(seed + 1) | 1;
    stream->session_s = 120;
    stream->session_rate = 0.5;
    stream_equal(stream);
}

static inline void stream_pick(struct stream *stream, struct monitor_counts *counts, size_t server,
                               bool is_sticky)
{
    (void)stream;
    counts[server].attempts++;
    counts[server].sticky += is_sticky;
    counts[server].answers++;
    counts[server].latency_us += 5000;
}

/* Sessions of a bucket: some end, some begin, each makes its requests. */
static inline void stream_sessions(struct stream *stream, struct monitor_counts *counts)
{
    double ends = 1 - exp(-MONITOR_BUCKET_S / stream->session_s);
    double begins = stream->rate * MONITOR_BUCKET_S / (stream->session_rate * stream->session_s);
    uint64_t begun = stream_poisson(stream, begins);

    for (unsigned i = 0; i < stream->session_count; i++) {
        uint64_t requests = stream_poisson(stream, stream->session_rate * MONITOR_BUCKET_S);

        while (requests-- > 0)
            stream_pick(stream, counts, stream->sessions[i], true);
        if (stream_draw(stream) < ends)
            stream->sessions[i--] = stream->sessions[--stream->session_count];
    }
    while (begun-- > 0 && stream->session_count < STREAM_SESSIONS) {
        uint8_t server = (uint8_t)stream_server(stream);

        stream->sessions[stream->session_count++] = server;
        stream_pick(stream, counts, server, false);
    }
}

static inline void stream_clumps(struct stream *stream, struct monitor_counts *counts)
{
    for (unsigned second = 0; second < MONITOR_BUCKET_S; second++) {
        bool is_busy = stream_draw(stream) < 0.3;
        uint64_t clumps = is_busy ? stream_poisson(stream, stream->rate / 0.3 / 4) : 0;

        while (clumps-- > 0) {
            size_t server = stream_server(stream);

            do
                stream_pick(stream, counts, server, false);
            while (stream_draw(stream) < 0.75);
        }
    }
}

static inline void stream_single(struct stream *stream, struct monitor_counts *counts, double rate)
{
    uint64_t requests = stream_poisson(stream, rate * MONITOR_BUCKET_S);

    while (requests-- > 0)
        stream_pick(stream, counts,
                    stream->kind == STREAM_ROUND_ROBIN ? stream->turn++ % stream->count
                                                       : stream_server(stream),
                    false);
}

/* The next ten seconds. */
static inline void stream_bucket(struct stream *stream, struct monitor_counts *counts)
{
    double day = 6.283185307179586 * (double)(stream->now_s % 86400) / 86400;

    memset(counts, 0, stream->count * sizeof(*counts));
    stream->now_s += MONITOR_BUCKET_S;
    switch (stream->kind) {
    case STREAM_STICKY: stream_sessions(stream, counts); break;
    case STREAM_BURSTY: stream_clumps(stream, counts); break;
    case STREAM_DIURNAL:
        stream_single(stream, counts, stream->rate * (1.05 + 0.95 * sin(day)));
        break;
    default: stream_single(stream, counts, stream->rate); break;
    }
}

/* A monitor that is told of this stream; what is due are its shares, and capacities are equal. */
static inline struct monitor *stream_monitor(struct stream *stream)
{
    struct monitor *monitor = monitor_new(stream->now_s);
    struct monitor_traits traits = {.is_sticky = stream->kind == STREAM_STICKY};
    int from[STREAM_SERVERS];
    double equal[STREAM_SERVERS];

    for (size_t i = 0; i < stream->count; i++) {
        from[i] = MONITOR_NEW;
        equal[i] = 1.0 / (double)stream->count;
    }
    monitor_shape(monitor, stream->count, from);
    monitor_describe(monitor, &traits);
    monitor_due(monitor, stream->shares, equal);
    return monitor;
}

static inline void stream_tell(struct stream *stream, struct monitor *monitor,
                               const struct monitor_counts *counts)
{
    uint64_t requests = 0;

    for (size_t i = 0; i < stream->count; i++)
        requests += counts[i].attempts;
    monitor_second(monitor, requests);
    monitor_count(monitor, counts, NULL);
    monitor_turn(monitor, stream->now_s, NULL);
}

static inline void stream_run(struct stream *stream, struct monitor *monitor, unsigned buckets)
{
    struct monitor_counts counts[STREAM_SERVERS];

    while (buckets-- > 0) {
        stream_bucket(stream, counts);
        stream_tell(stream, monitor, counts);
    }
}

static inline bool stream_is_paged(const struct monitor *monitor)
{
    for (unsigned rule = 0; rule < RULE_COUNT; rule++)
        if (monitor_alarm(monitor, (enum monitor_rule)rule)->is_page)
            return true;
    return false;
}

#endif
