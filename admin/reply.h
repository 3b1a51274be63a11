/*
 * reply - the answer to a call: a status, some headers, and bytes.
 *
 * Exactly one of the reply_* functions that give a body is called for each call; from then on the
 * call is answered.
 *
 * Owner    the call it is part of.      Threads  control only
 */
#ifndef ADMIN_REPLY_H
#define ADMIN_REPLY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"

struct call;

enum { REPLY_HEADERS = 8 };

extern const char reply_json_type[];
extern const char reply_text_type[];

struct reply {
    bool is_ready;
    unsigned status;
    const char *content_type;
    unsigned header_count;
    struct {
        const char *name;
        const char *value;
    } headers[REPLY_HEADERS];
    struct buffer body;
    /* A stream: called when all of `body` has gone; appends more, or nothing for now. */
    void (*refill)(struct call *call);
    bool has_ended; /* a stream that gets no more */
};

/* Before the body is given; `value` lives as long as the call. */
void reply_header(struct call *call, const char *name, const char *value);

/* Takes `json`. */
void reply_json(struct call *call, unsigned status, json_t *json);
/* What the caller wrote into call->reply.body is the body. */
void reply_written(struct call *call, unsigned status, const char *content_type);
void reply_text(struct call *call, unsigned status, const char *text);
/* The body comes bit by bit: `refill` is asked for it each time that there is room, again after
 * reply_more(), until reply_end().  call->on_gone is called when the caller has gone. */
void reply_stream(struct call *call, const char *content_type, void (*refill)(struct call *call));
void reply_more(struct call *call);
void reply_end(struct call *call);

/* For what carries an ETag (without quotes): answers 304 and returns true when the caller has
 * this version already; otherwise only sets the header. */
bool reply_if_unchanged(struct call *call, const char *etag);

/* Building blocks.  A text that is no UTF-8 comes out with question marks. */
json_t *reply_string(struct slice text);
json_t *reply_string_or_null(const char *text);
/* With three decimals at most. */
json_t *reply_number(double value);
/* RFC 3339; 0 gives null. */
json_t *reply_time(int64_t wall_ms);

#endif
