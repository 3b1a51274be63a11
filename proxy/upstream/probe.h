/*
 * probe - one health check of one server: connect, and for HTTP ask and read.
 *
 * Owner    the prober; the object dies in libuv's close callback after probe_close().
 * Threads  the prober's
 */
#ifndef PROXY_UPSTREAM_PROBE_H
#define PROXY_UPSTREAM_PROBE_H

#include <stdbool.h>
#include <uv.h>

struct conf_health_check;
struct probe;
struct server;
struct tls_trust;

enum probe_result {
    PROBE_PASSED,
    PROBE_FAILED,
    PROBE_NO_VERDICT, /* our own want (descriptors, memory, ports): says nothing of the server */
};

struct probe_answer {
    enum probe_result result;
    unsigned status; /* of HTTP, 0: none */
    const char *why; /* unless passed: one of a fixed set of texts */
};

/* `is_over`: nothing more is read and probe_close() may follow.  An answer that is not the end is
 * followed by a call with `answer` NULL, when the server has closed: a server that is cut off while
 * it still writes logs an error for each check. */
typedef void probe_fn(void *context, const struct probe_answer *answer, bool is_over);

struct probe_options {
    const struct server *server;
    const char *host;              /* the name behind which the server was found, or NULL */
    const struct tls_trust *trust; /* NULL: clear text; needed until it has connected */
    bool is_h2;                    /* an HTTP check is spoken over HTTP/2; one of gRPC always is */
    const char *tls_name;
    const struct conf_health_check
        *check; /* lives as long as the probe, or until probe_recheck() */
    probe_fn *on_event;
    void *context;
};

/* NULL and `*answer_out` when it cannot even begin; then on_event is never called. */
struct probe *probe_open(uv_loop_t *loop, const struct probe_options *options,
                         struct probe_answer *answer_out);
void probe_recheck(struct probe *probe, const struct conf_health_check *check);

/* What to conclude when the time is over. */
struct probe_answer probe_time_out(const struct probe *probe);

/* Ends it whatever it does; on_event is not called any more. */
void probe_close(struct probe **probe);

#endif
