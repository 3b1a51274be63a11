/* heads - what the tests of proxy/http share: parse a head out of a literal, look at a field. */
#ifndef TESTS_UNIT_PROXY_HTTP_HEADS_H
#define TESTS_UNIT_PROXY_HTTP_HEADS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proxy/http/h1_read.h"

/* A field line, the text between the quotes, without its line end. */
#define LINE(text) text "\r\n"
#define GET        LINE("GET / HTTP/1.1")
#define HOST       LINE("Host: a")
#define END        "\r\n"
/* For literals that may hold NULs. */
#define BYTES(literal) SLICE(literal)

static const struct head_limits test_limits = {65536, 8192, 100, HEAD_UNDERSCORES_DROP};

/* The next field of "|name=value|name=value"; false behind the last one. */
static inline bool next_field(const char **at, struct slice *name, struct slice *value)
{
    const char *equals;

    if (**at != '|')
        return false;
    equals = strchr(*at + 1, '=');
    *name = slice_of(*at + 1, (size_t)(equals - *at) - 1);
    *at = equals + 1 + strcspn(equals + 1, "|");
    *value = slice_of(equals + 1, (size_t)(*at - equals) - 1);
    return true;
}

/* A copy on the heap, of the exact size, so that a sanitizer sees a read past the end. */
static inline struct slice exact(struct slice text)
{
    char *copy = test_malloc(text.len + 1);

    memcpy(copy, text.at, text.len);
    return slice_of(copy, text.len);
}

static inline unsigned parse_request(struct message *message, struct slice head)
{
    const char *why = NULL;
    unsigned status = head_parse_request(message, head, &test_limits, &why);

    if (status != 0)
        assert_non_null(why);
    return status;
}

static inline unsigned parse_response(struct message *message, struct slice head)
{
    const char *why = NULL;
    unsigned status = head_parse_response(message, head, &test_limits, &why);

    if (status != 0)
        assert_non_null(why);
    return status;
}

/* A head and the status that refuses it; 0: it is taken. */
struct head_row {
    const char *name;
    unsigned status;
    struct slice head;
};

typedef unsigned head_parse_fn(struct message *message, struct slice head);

static inline void check_head_rows(const struct head_row *rows, size_t count, head_parse_fn *parse)
{
    static struct message message;
    unsigned wrong = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned status = parse(&message, rows[i].head);

        if (status == rows[i].status)
            continue;
        print_error("%s: %u, should be %u\n", rows[i].name, status, rows[i].status);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static inline void assert_slice(struct slice is, const char *expected, const char *where)
{
    if (!slice_equal(is, slice_from(expected)))
        fail_msg("%s: is \"%.*s\", should be \"%s\"", where, SLICE_ARGS(is), expected);
}

static inline int headers_ready(void **state)
{
    (void)state;
    headers_init();
    return 0;
}

#endif
