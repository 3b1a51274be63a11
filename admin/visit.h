/*
 * visit - one connection to the admin API, as the HTTP library has it: from whom, and what is known
 * of him.
 *
 * Owner    admin/listener.c      Threads  control only
 */
#ifndef ADMIN_VISIT_H
#define ADMIN_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct MHD_Connection;
struct call;
struct caller;

struct visit {
    struct list link; /* in door->visits */
    struct MHD_Connection *connection;
    int fd;
    uint64_t since_ms; /* when it began, or its last call ended */
    bool is_suspended;
    bool is_stream;        /* takes as long as the caller likes */
    bool is_local;         /* over the Unix socket */
    bool is_secured;       /* over TLS */
    bool is_remote;        /* from another machine */
    struct caller *caller; /* NULL: in the clear, or gone */
    char *address;         /* "192.0.2.7"; NULL: over the Unix socket */
};

/* `caller` NULL: in the clear. */
struct visit *visit_new(int fd, bool is_local, struct caller *caller);
void visit_free(struct visit **visit);

/* Once the head is there: who is at the other end, as far as kernel and handshake know. */
void visit_describe(struct visit *visit, struct call *call);
/* The certificate of who calls, as it is believed now: what runs may believe others than when he
 * came.  A call without a visit keeps what it has. */
void visit_look_at_certificate(struct call *call);

#endif
