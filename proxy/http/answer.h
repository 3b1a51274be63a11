/*
 * answer - our own small responses: errors, redirects and fixed ones, in the form that the
 * client prefers (text, HTML or JSON).
 *
 * Source   RFC 9110 §12.5.1 (Accept), RFC 9457 (problem details)
 * Threads  any; pure
 */
#ifndef PROXY_HTTP_ANSWER_H
#define PROXY_HTTP_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/http/writer.h"

enum answer_form { ANSWER_TEXT, ANSWER_HTML, ANSWER_JSON, ANSWER_GRPC };

/* What an Accept field prefers; text when it does not say. */
enum answer_form answer_form(struct slice accept);

/* Is it a call of gRPC?  Its client reads no status but grpc-status. */
bool answer_is_grpc(struct slice content_type);
/* What the gRPC project maps an HTTP status to. */
unsigned answer_grpc_status(unsigned status);

struct forward_edits;

struct answer {
    unsigned status;
    enum answer_form form;
    struct slice detail;     /* why, for people; may be empty */
    struct slice request_id; /* may be empty */
    struct slice date;
    struct slice allow;        /* 405 and 501: methods, or empty */
    struct slice location;     /* redirects, or empty */
    struct slice content_type; /* with `body`: a fixed answer; empty body and type: made here */
    struct slice body;
    bool has_fixed_body;
    bool is_head; /* the request was HEAD: headers only */
    bool closes;
    bool is_http_10;        /* the client's version: it must be told that the connection stays */
    uint32_t retry_after_s; /* 0: none */
    const struct forward_edits *edits; /* of the route whose own answer it is; NULL: none */
};

void answer_write(struct writer *w, const struct answer *answer);

/* "Bad Gateway"; "Unknown" when it has no name. */
const char *answer_status_name(unsigned status);

#endif
