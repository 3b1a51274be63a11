/*
 * second_opinion - llhttp over a whole head: what we took, it must take too, and in the same parts.
 *
 * Threads  the first
 */
#ifndef TESTS_FUZZ_SECOND_OPINION_H
#define TESTS_FUZZ_SECOND_OPINION_H

#include <llhttp.h>

#include "base/check.h"
#include "base/list.h"
#include "proxy/http/message.h"

struct second_opinion {
    llhttp_t parser;
    const struct message *message;
    uint32_t names;
    uint32_t values;
};

static inline int second_on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct second_opinion *second = container_of(parser, struct second_opinion, parser);

    CHECK(second->names < second->message->field_count);
    CHECK(slice_equal(slice_of(at, len), second->message->fields[second->names].name));
    second->names++;
    return 0;
}

static inline int second_on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct second_opinion *second = container_of(parser, struct second_opinion, parser);
    struct slice value = second->message->fields[second->values].value;

    if (len > 0) /* an empty value may come as no span, or as an empty one */
        CHECK(slice_equal(slice_trim(slice_of(at, len)), value));
    return 0;
}

static inline int second_on_value_complete(llhttp_t *parser)
{
    container_of(parser, struct second_opinion, parser)->values++;
    return 0;
}

static inline int second_on_end(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t second_settings = {
    .on_header_field = second_on_name,
    .on_header_value = second_on_value,
    .on_header_value_complete = second_on_value_complete,
    .on_headers_complete = second_on_end,
};

/* llhttp is stricter in one thing: no tab may follow the digits of a length. */
static inline bool has_tab_in_length(const struct message *message)
{
    struct slice length = message->known[HEADER_CONTENT_LENGTH];

    return length.at != NULL && (length.at[-1] == '\t' || length.at[length.len] == '\t');
}

static inline void ask_llhttp(const struct message *message, struct slice head, llhttp_type_t type)
{
    struct second_opinion second = {.message = message};

    if (has_tab_in_length(message))
        return;
    llhttp_init(&second.parser, type, &second_settings);
    CHECK(llhttp_execute(&second.parser, head.at, head.len) == HPE_PAUSED);
    CHECK(second.names == message->field_count && second.values == message->field_count);
}

#endif
