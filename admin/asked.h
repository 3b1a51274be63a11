/*
 * asked - what the handlers of ledger calls share: the body and headers as arguments, an answer or
 * a refusal as the reply.
 *
 * Owner    the call.      Threads  control only
 */
#ifndef ADMIN_ASKED_H
#define ADMIN_ASKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "change/refusal.h"

struct call;
struct ledger;

/* NULL: the call was answered, there is no ledger (yet). */
struct ledger *asked_ledger(struct call *call);

/* An argument of the path as text. */
const char *asked_argument(const struct call *call, unsigned place);
/* A parameter of the query; NULL when it is not there. */
const char *asked_parameter(const struct call *call, const char *name);
/* "true" or "false"; false when it is not there.  False: the call was answered. */
bool asked_flag(struct call *call, const char *name, bool *value_out);
/* A number from `least` to `most`.  False: the call was answered. */
bool asked_number(struct call *call, const char *name, uint64_t least, uint64_t most,
                  uint64_t *value);

/* The one digest of If-Match, quoted or bare; NULL when the header is not there.  False: the call
 * was answered (weak tags never match; a list or * names no one version). */
bool asked_if_match(struct call *call, const char **digest_out);

/* True when the body is empty, or an empty object.  False: the call was answered. */
bool asked_nothing(struct call *call);
/* A text member of the body; *value_out is NULL when it is not there, or null.  What is no text, or
 * holds control or bidirectional-override characters, is added to `errors`. */
void asked_text(json_t *body, const char *name, bool is_needed, json_t *errors,
                const char **value_out);
/* Takes `errors`.  True: there were some, and the call was answered. */
bool asked_wrongly(struct call *call, json_t *errors);
/* Says of one member what is wrong with it. */
void asked_error(json_t *errors, const char *name, const char *message);

/* Answers with `answer` (taken), or with the refusal (cleared) when `ok` is false. */
void asked_reply(struct call *call, bool ok, unsigned status, json_t *answer,
                 struct refusal *refusal);
/* The same for a change: with its ETag, and its Location when it is new. */
void asked_reply_change(struct call *call, bool ok, unsigned status, json_t *answer,
                        struct refusal *refusal);

/* Finds bytes by the name that the path's first argument is; false: `refusal`. */
typedef bool asked_bytes_fn(struct ledger *ledger, const char *name, struct buffer *out,
                            struct refusal *refusal);
/* Answers with JSON bytes as they are stored, under their digest as ETag; `write` puts them into
 * the reply's body. */
void asked_reply_bytes(struct call *call, asked_bytes_fn *find,
                       void (*write)(struct call *call, struct slice bytes));

/* For calls that are answered later: the context that finds its call, or nobody any more. */
struct asked_later;
struct asked_later *asked_later_new(struct call *call, bool is_change);
/* A ledger_done_fn whose context is that one. */
void asked_later_done(void *context, json_t *answer, const struct refusal *refusal);

/* A page of a list: after `cursor`, at most `limit`.  False: the call was answered. */
struct asked_page {
    const char *cursor; /* or NULL */
    unsigned limit;
};
bool asked_page(struct call *call, struct asked_page *page_out);
/* The Link to the next page; "" for none. */
void asked_link_next(struct call *call, const char *more);

#endif
