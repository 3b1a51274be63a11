/*
 * call - one call to the admin API: what was asked, and the answer as it grows.
 *
 * Knows nothing of the library that reads HTTP: the listener fills the first half, dispatch finds
 * the handler, the handler answers at once or later.
 *
 * Owner      the listener, from the request line to the last byte of the answer
 * Threads    control only
 * Invariant  Slices point into `arena` or `body` and live as long as the call.
 */
#ifndef ADMIN_CALL_H
#define ADMIN_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/reply.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/slice.h"
#include "change/actor.h"

struct admin;
struct arena;
struct operation;
struct repeat;
struct visit;

enum { CALL_TAG = 0x43414c4c, CALL_ARGUMENTS = 2 };
enum { CALL_BODY_BYTES = 8 << 20 };

/* The caller's own. */
struct call_certificate {
    bool is_shown;
    const char **names; /* subject alternative ones; none where it is not believed */
    size_t name_count;
    const char *why; /* it is not believed, or NULL */
};

struct call {
    uint32_t tag;
    struct admin *admin;
    struct arena *arena;

    /* What was asked; a header that is not there is an empty slice. */
    struct slice method;
    struct slice target; /* as sent, with its query */
    struct slice host;
    struct slice origin;
    struct slice fetch_site;
    struct slice accept;
    struct slice if_none_match;
    struct slice if_match;
    struct slice idempotency_key;
    struct slice last_event_id;
    struct slice authorization;
    struct slice on_behalf_of;
    const char *peer;       /* "127.0.0.1", "unix:uid=1000" */
    int64_t uid;            /* of the peer, over the Unix socket; else -1 */
    bool is_local;          /* over the Unix socket */
    bool is_remote;         /* from another machine */
    bool is_secured;        /* over TLS */
    bool is_host_certified; /* the certificate that we showed is for the name in `host` */
    struct call_certificate certificate;
    bool is_too_large;
    struct buffer body;

    /* What dispatch made of it. */
    bool is_looked_at; /* dispatch_head() has seen it */
    const struct operation *operation;
    struct actor actor; /* who asks */
    struct slice path;
    struct slice query;
    struct slice arguments[CALL_ARGUMENTS]; /* what the template's {names} stand for, decoded */

    struct reply reply;
    /* The listener's: called when a handler that did not answer at once has answered. */
    void (*on_answer)(struct call *call);
    void *listener_part;
    struct visit *visit; /* that it came over; NULL: that is over, or there never was one */
    /* A handler's that answers later: called when the caller went away before that. */
    void (*on_gone)(struct call *call);
    void *handler_part;

    /* wait.c: when the handler is asked again. */
    struct list wait_link;
    uint64_t wait_due_ms;
    void (*wait_again)(struct call *call);

    /* repeat.c: the Idempotency-Key that this call is the first to bring, or waits for. */
    struct repeat *repeat;
    struct list repeat_link;
};

struct call *call_new(struct admin *admin, struct slice target);
void call_free(struct call **call);

/* The listener needs it no more: it is freed, or, when others wait for its answer by the same
 * Idempotency-Key, as soon as it is answered. */
void call_leave(struct call **call);

/* The parameter's value, decoded; false when the query does not have it. */
bool call_parameter(const struct call *call, const char *name, struct slice *value_out);

/* Takes the next name=value off `rest`, as sent; false when there is none. */
bool call_next_parameter(struct slice *rest, struct slice *name_out, struct slice *value_out);
/* %XX decoded, with a NUL behind it that the slice does not count. */
struct slice call_decoded(struct arena *arena, struct slice text);

/* The caller prefers a table to JSON (Accept: text/plain). */
bool call_wants_text(const struct call *call);

#endif
