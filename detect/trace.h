/*
 * trace - which route each recent request takes in two configurations.
 *
 * A trace is one request of the sample, standing for its part of its kind; or a kind of which the
 * sample has no single request, by the first segments of its path.
 *
 * Owner    the arena that it was given      Threads  any
 */
#ifndef DETECT_TRACE_H
#define DETECT_TRACE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct configuration;
struct error;
struct sample;
struct sample_request;
struct trace_headers;

/* Not a route: none takes it; or a condition asks for a header that was not looked at. */
enum { TRACE_NONE = -1, TRACE_UNKNOWN = -2 };

struct trace {
    const struct sample_request *single; /* NULL: a kind */
    const char *listener;
    const char *method;
    const char *host;
    const char *path;
    bool is_https;
    double requests; /* that it stands for, in the sample's time */
    int before;      /* the index of the route, or one of the above */
    int after;
};

struct traces {
    struct trace *items;
    size_t count;
    double requests; /* of all */
    double seconds;  /* 0: nothing was seen */
    struct trace_headers *headers;
};

/* False and `why`: a regular expression does not compile.  `sample` may be NULL. */
bool trace_requests(const struct configuration *base, const struct configuration *target,
                    const struct sample *sample, struct arena *arena, struct traces *traces_out,
                    struct error *why);

/* The value that the request had; false: it had none, or *is_unknown_out: that was not looked at.
 */
bool trace_header(const struct trace_headers *headers, const struct sample_request *single,
                  const char *name, const char **value_out, bool *is_unknown_out);

#endif
