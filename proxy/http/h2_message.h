/*
 * h2_message - decoded HTTP/2 heads as messages: the rules of RFC 9113 §8, checked before anything
 * is written as HTTP/1.
 *
 * Source   RFC 9113 §8.2, §8.3, §8.5; RFC 8441 §4; RFC 9110 §5.5      Threads  any; pure
 */
#ifndef PROXY_HTTP_H2_MESSAGE_H
#define PROXY_HTTP_H2_MESSAGE_H

#include <stdbool.h>

#include "proxy/http/h1_read.h"
#include "proxy/http/h2_frames.h"
#include "proxy/http/message.h"

/* What cookies that came in pieces are joined in, and Host is made in; lives as long as the
 * message. */
struct h2_scratch {
    char *at;
    size_t room;
};

/* The message that the same request would be in HTTP/1.1: :authority (or Host) as Host, :path as
 * target, pieces of Cookie joined; is_chunked where a body without a length follows.  An extended
 * CONNECT for "websocket" becomes a GET with Upgrade, and `*is_extended_out` is set.
 * 0, or the status that refuses it (400, 431, 501, 417, 414) and a reason in words. */
unsigned h2_request_message(struct message *message, const struct h2_head *head, bool is_last,
                            const struct head_limits *limits, struct h2_scratch *scratch,
                            bool *is_extended_out, const char **why_out);
/* Interim or final; is_chunked where a body without a length follows.  0, or 502 and a reason in
 * words. */
unsigned h2_response_message(struct message *message, const struct h2_head *head, bool is_last,
                             const char **why_out);
/* 0, 400 or 431. */
unsigned h2_trailers_message(struct message *message, const struct h2_head *head,
                             const struct head_limits *limits, const char **why_out);

#endif
