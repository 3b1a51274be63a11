/*
 * sample - recent traffic, kept for forecasts: how many requests each kind had, and of some single
 * requests what decides where they go.
 *
 * A kind is listener, scheme, host, method and the first two segments of the path.  Kept are no
 * bodies, no query strings, no cookies and no credentials: where a request was hashed or sticky,
 * only the hash and the server's name.  Memory: under 16 MiB each, 2 or 3 as a rule.
 *
 * A sample is frozen: the observer makes it, control gets it and may share it with jobs.
 *
 * Owner    whoever holds a reference      Threads  reading: any; references: control
 */
#ifndef OBSERVE_SAMPLE_H
#define OBSERVE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SAMPLE_KINDS = 4096,     /* the most frequent ones; the rest is counted as `other_requests` */
    SAMPLE_REQUESTS = 16384, /* the newest ones */
    SAMPLE_PATH_BYTES = 256, /* of a path in normal form; a longer one is cut, and told as cut */
    SAMPLE_HEADERS = 8,      /* names that are looked for: the first ones, in the order of routes */
    SAMPLE_HEADER_BYTES = 60, /* of such a name; longer ones are not looked for */
};

struct sample_kind {
    const char *listener;
    const char *host; /* lower case, without port; "" for none */
    const char *path; /* its first two segments: "/shop/cart" */
    const char *method;
    bool is_https;
    uint64_t requests;     /* of the last hour */
    uint64_t requests_day; /* of the last 24 hours */
    uint64_t requests_new; /* since the sample before this one */
};

/* A header of a request that a condition of some running route asks for. */
struct sample_header {
    const char *name; /* lower case */
    /* NULL: kept back, since it may be a credential, or is too long.  Where it `is_held`, it was
     * what the condition of the route that the request took asks for. */
    const char *value;
    bool is_held;
};

struct sample_request {
    const char *listener;
    const char *host;
    const char *path; /* in normal form, without query */
    const char *method;
    const char *route;  /* that it took; NULL: none */
    const char *pool;   /* NULL: it was answered without one */
    const char *server; /* of the first attempt; NULL: none */
    const char *sticky; /* the server that its cookie named; NULL: none */
    const struct sample_header *headers;
    size_t header_count;
    uint64_t client_hash; /* as affinity_hash() takes it of the client's address */
    uint64_t hash;        /* of what the pool's hash_on names */
    uint32_t weight;      /* so many requests it stands for */
    uint8_t reason;       /* enum balance_reason */
    bool is_https;
    bool has_hash;
    bool is_path_cut;
};

struct sample {
    uint32_t references;
    int64_t wall_ms;         /* when it was made */
    uint32_t seconds;        /* that `requests` of the kinds cover: at most an hour */
    uint64_t requests;       /* of that time, those of no listed kind included */
    uint64_t other_requests; /* of no kind that is listed */
    const struct sample_kind *kinds;
    size_t kind_count;
    const struct sample_request *singles; /* the newest first */
    size_t single_count;
    struct arena *arena; /* all of it, this struct included */
};

static inline struct sample *sample_hold(struct sample *sample)
{
    sample->references++;
    return sample;
}
/* Lets go, and clears the pointer; whoever lets go last frees it. */
void sample_release(struct sample **sample);

#endif
