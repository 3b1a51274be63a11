/*
 * request - the body of POST, PUT and PATCH /v1/changes: read into a change, every mistake named.
 *
 * Owner    results are the change's      Threads  any
 */
#ifndef CHANGE_REQUEST_H
#define CHANGE_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct change;
struct conf_policy;
struct refusal;

enum {
    REQUEST_TITLE_MAX = 200,
    REQUEST_REASON_MAX = 2000,
    REQUEST_TICKET_MAX = 200,
    REQUEST_LIST_MAX = 1000,
    REQUEST_CONFIRM_MAX_MS = 60 * 60 * 1000,
};

struct request_context {
    const struct conf_policy *policy; /* that runs: what may not be undercut */
    int64_t now_ms;
    /* POST and PUT: what is left out gets its default, title and reason are mandatory.  PATCH: what
     * is left out stays. */
    bool is_whole;
};

/* Fills the fields of `change` that a caller may set.  `config_out`: the whole configuration where
 * that was given (borrowed), else NULL.  False: invalid-field or unknown-field, with `errors`; the
 * change may be half filled then. */
bool request_read(const json_t *request, const struct request_context *context,
                  struct change *change, const json_t **config_out, struct refusal *refusal);

/* No control characters, and none that make text read otherwise than it is written (bidirectional
 * overrides, marks without width); `lines`: line ends and tabs are allowed. */
bool request_is_plain(const char *text, bool lines);

/* NULL, or what is wrong with a text shown to approvers, as the end of a sentence. */
const char *request_check_text(const char *text, size_t max);

#endif
