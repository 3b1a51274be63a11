/*
 * h1_read - HTTP/1 heads, read strictly: llhttp, and what it does not check.
 *
 * A head is parsed in one go, once it is there as a whole: its slices never come in pieces, and
 * a slow peer costs one look for the end of the head per read, not a parse.
 *
 * Source   RFC 9112 §2 to §6; RFC 9110 §5, §7.6
 * Threads  one worker; pure
 */
#ifndef PROXY_HTTP_H1_READ_H
#define PROXY_HTTP_H1_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/http/message.h"

struct head_limits {
    size_t head_bytes;
    size_t line_bytes; /* of a request line */
    uint32_t fields;
    uint8_t underscores; /* enum head_underscores */
};

enum head_underscores { HEAD_UNDERSCORES_DROP, HEAD_UNDERSCORES_REJECT, HEAD_UNDERSCORES_ALLOW };

enum head_search {
    HEAD_INCOMPLETE,
    HEAD_FOUND,
    HEAD_MALFORMED, /* a line that does not end in CRLF, or a folded one: no need to wait for more
                     */
    HEAD_LINE_TOO_LONG,
    HEAD_TOO_LARGE,
};

/* Looks for the end of the head in `bytes`, which begin with its first line.  `*from` is where to
 * go on looking (0 at first) and is moved; on HEAD_FOUND it is the length of the head.  An empty
 * line alone is a head too: of trailers; as a message it is refused. */
enum head_search head_search(struct slice bytes, size_t *from, const struct head_limits *limits);

/* Empty lines before a request line that are passed over (RFC 9112 §2.2): how many bytes. */
size_t head_skip_empty_lines(struct slice bytes);

/* Parses a whole head.  0, or the status that refuses it (400, 431, 501, 505, 417) and a reason
 * in words. */
unsigned head_parse_request(struct message *message, struct slice head,
                            const struct head_limits *limits, const char **why_out);
/* 0, or 502 and a reason in words.  Underscores are the server's business: they pass. */
unsigned head_parse_response(struct message *message, struct slice head,
                             const struct head_limits *limits, const char **why_out);

/* Is this a method that a request may have?  False: it is not known (501). */
bool head_find_method(struct slice text, enum method *method_out);

/* The fields behind a chunked body, with the empty line that ends them; 0, 400 or 431.  Framing is
 * refused; other fields that belong in the head are dropped. */
unsigned head_parse_trailers(struct message *message, struct slice trailers,
                             const struct head_limits *limits, const char **why_out);

#endif
