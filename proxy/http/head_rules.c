/*
 * head_rules - what the fields of a head mean, in any version.
 *
 * Threads  any; pure
 */
#include "proxy/http/head_rules.h"

bool head_judge_length(struct head_reading *reading)
{
    struct message *message = reading->message;
    struct slice length = message->known[HEADER_CONTENT_LENGTH];

    if (length.at != NULL &&
        (!slice_to_u64(length, &message->content_length) || message->content_length > INT64_MAX))
        return head_refuse(reading, 400, "a Content-Length that is not a number of bytes");
    return true;
}

/* HTTP/1.0 knows no Expect: it is ignored (RFC 9110 §10.1.1). */
bool head_judge_expect(struct head_reading *reading)
{
    struct message *message = reading->message;
    struct slice expect = message->known[HEADER_EXPECT];

    if (expect.at == NULL || message->http_minor == 0)
        return true;
    if (!slice_equal_nocase(expect, SLICE("100-continue")))
        return head_refuse(reading, 417, "an Expect other than 100-continue");
    message->expects_continue = true;
    return true;
}

/* A field that we know has its place, and its meaning, in the head alone. */
static bool judge_trailer(struct head_reading *reading, struct field *field)
{
    if (header_flags(field->header) & (HEADER_FRAMING | HEADER_HOP))
        return head_refuse(reading, 400, "a framing or hop-by-hop field in the trailers");
    if (field->header != HEADER_OTHER) {
        field->is_dropped = true;
        reading->message->dropped_fields++;
    }
    return true;
}

bool head_judge_trailers(struct head_reading *reading)
{
    struct message *message = reading->message;

    for (uint32_t i = 0; i < message->field_count; i++)
        if (!judge_trailer(reading, &message->fields[i]))
            return false;
    return true;
}
