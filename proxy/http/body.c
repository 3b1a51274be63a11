/*
 * body - where a message's body ends.
 *
 * Threads  one worker; pure
 */
#include "proxy/http/body.h"

void body_begin(struct body *body, enum forward_body kind, uint64_t length)
{
    *body = (struct body){.kind = kind, .left = length};
}

bool body_is_empty(const struct body *body)
{
    return body->kind == FORWARD_NO_BODY || (body->kind == FORWARD_LENGTH && body->left == 0);
}

static enum body_result read_length(struct body *body, char *bytes, size_t count,
                                    struct slice *data_out, size_t *used_out)
{
    size_t take = body->left < count ? (size_t)body->left : count;

    *data_out = slice_of(bytes, take);
    *used_out = take;
    body->left -= take;
    return body->left == 0 ? BODY_ENDED : BODY_MORE;
}

/* The trailer section is a head without a first line: fields up to an empty line. */
static enum body_result read_trailers(const struct head_limits *limits, struct slice bytes,
                                      size_t *used_out, struct slice *trailers_out)
{
    struct head_limits own = *limits;
    size_t from = 0;

    own.line_bytes = limits->head_bytes;
    if (bytes.len >= 2 && bytes.at[0] == '\r' && bytes.at[1] == '\n') {
        *used_out += 2;
        *trailers_out = slice_of(bytes.at, 2);
        return BODY_ENDED;
    }
    if (bytes.len < 2 && (bytes.len == 0 || bytes.at[0] == '\r'))
        return BODY_NEEDS;
    switch (head_search(bytes, &from, &own)) {
    case HEAD_INCOMPLETE: return BODY_NEEDS;
    case HEAD_FOUND:
        *used_out += from;
        *trailers_out = slice_of(bytes.at, from);
        return BODY_ENDED;
    default: return BODY_MALFORMED;
    }
}

static enum body_result read_chunked(struct body *body, const struct head_limits *limits,
                                     char *bytes, size_t count, struct slice *data_out,
                                     size_t *used_out, struct slice *trailers_out)
{
    *used_out = 0;
    *data_out = SLICE("");
    if (!body->is_in_trailers) {
        switch (chunked_decode(&body->chunked, bytes, count, data_out, used_out)) {
        case CHUNKED_MORE: return BODY_MORE;
        case CHUNKED_MALFORMED: return BODY_MALFORMED;
        case CHUNKED_TRAILER: body->is_in_trailers = true;
        }
    }
    return read_trailers(limits, slice_of(bytes + *used_out, count - *used_out), used_out,
                         trailers_out);
}

enum body_result body_read(struct body *body, const struct head_limits *limits, char *bytes,
                           size_t count, struct slice *data_out, size_t *used_out,
                           struct slice *trailers_out)
{
    *trailers_out = SLICE("");
    switch (body->kind) {
    case FORWARD_LENGTH: return read_length(body, bytes, count, data_out, used_out);
    case FORWARD_CHUNKED:
        return read_chunked(body, limits, bytes, count, data_out, used_out, trailers_out);
    case FORWARD_UNTIL_CLOSE:
        *data_out = slice_of(bytes, count);
        *used_out = count;
        return BODY_MORE;
    default:
        *data_out = SLICE("");
        *used_out = 0;
        return BODY_ENDED;
    }
}
