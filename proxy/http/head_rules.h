/*
 * head_rules - what holds for a head in any version of HTTP: how many fields, what they are made
 * of, what may stand once, names with underscores, Content-Length, Expect, trailers.
 *
 * Both readers judge by it, h1_read and h2_message; each adds what its version alone has.  What is
 * asked of every field is inline: HTTP/1's reader runs once a request.
 *
 * Source   RFC 9110 §5.5, §5.6.2, §6.5, §8.6, §10.1.1      Threads  any; pure
 */
#ifndef PROXY_HTTP_HEAD_RULES_H
#define PROXY_HTTP_HEAD_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "proxy/http/h1_read.h"
#include "proxy/http/message.h"

/* A head that is being read; `status` and `why` say what is wrong with it. */
struct head_reading {
    struct message *message;
    const struct head_limits *limits;
    bool keeps_underscores;
    unsigned status;
    const char *why;
};

static inline bool head_refuse(struct head_reading *reading, unsigned status, const char *why)
{
    reading->status = status;
    reading->why = why;
    return false;
}

/* For a request's head or trailers: underscores as the limits say. */
static inline struct head_reading head_reading_of(struct message *message,
                                                  const struct head_limits *limits)
{
    return (struct head_reading){.message = message,
                                 .limits = limits,
                                 .keeps_underscores =
                                     limits->underscores == HEAD_UNDERSCORES_ALLOW};
}

/* Everything but the array of fields. */
static inline void head_clear(struct message *message)
{
    memset(message, 0, offsetof(struct message, fields));
    message->content_length = MESSAGE_NO_LENGTH;
}

/* A place for one field more; NULL: there are too many. */
static inline struct field *head_new_field(struct head_reading *reading)
{
    struct message *message = reading->message;

    if (message->field_count >= reading->limits->fields ||
        message->field_count >= MESSAGE_MAX_FIELDS) {
        head_refuse(reading, 431, "too many header fields");
        return NULL;
    }
    return &message->fields[message->field_count++];
}

static inline bool head_judge_value(struct head_reading *reading, struct slice value)
{
    return is_field_value(value) ||
           head_refuse(reading, 400, "a control character in a field value");
}

static inline bool head_judge_known(struct head_reading *reading, const struct field *field)
{
    struct slice *known = &reading->message->known[field->header];

    if (known->at == NULL)
        *known = field->value;
    else if (header_flags(field->header) & HEADER_ONCE)
        return head_refuse(reading, 400, "a field that may stand only once stands twice");
    return true;
}

static inline bool head_judge_unknown(struct head_reading *reading, struct field *field)
{
    if (!is_token(field->name))
        return head_refuse(reading, 400, "a field name that is not a token");
    if (reading->keeps_underscores || memchr(field->name.at, '_', field->name.len) == NULL)
        return true;
    if (reading->limits->underscores == HEAD_UNDERSCORES_REJECT)
        return head_refuse(reading, 400, "a field name with an underscore");
    field->is_dropped = true;
    reading->message->dropped_fields++;
    return true;
}

/* A field that was filled in, its value judged. */
static inline bool head_judge_field(struct head_reading *reading, struct field *field)
{
    return field->header != HEADER_OTHER ? head_judge_known(reading, field)
                                         : head_judge_unknown(reading, field);
}

/* ---- what the fields mean, once all are there ---- */

bool head_judge_length(struct head_reading *reading);
bool head_judge_expect(struct head_reading *reading);
/* Framing is refused; other fields that have their place in the head are dropped. */
bool head_judge_trailers(struct head_reading *reading);

#endif
