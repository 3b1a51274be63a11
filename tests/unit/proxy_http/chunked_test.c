/* chunked and body: what the coding means, however it arrives, and what is no chunk. */
#include "proxy/http/body.h"
#include "proxy/http/chunked.h"

#include "tests/unit/proxy_http/heads.h"

struct row {
    const char *name;
    enum chunked_result result;
    struct slice coded;
    const char *body; /* decoded; of what is malformed: nothing */
    size_t used;      /* 0: all */
};

static const struct row rows[] = {
    {"one chunk", CHUNKED_TRAILER, SLICE_INIT("3\r\nabc\r\n0\r\n\r\n"), "abc", 11},
    {"two chunks", CHUNKED_TRAILER, SLICE_INIT("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "abc", 16},
    {"no data", CHUNKED_TRAILER, SLICE_INIT("0\r\n\r\n"), "", 3},
    {"many noughts at the end", CHUNKED_TRAILER, SLICE_INIT("0000\r\nA: b\r\n\r\n"), "", 6},
    {"16 digits", CHUNKED_TRAILER, SLICE_INIT("0000000000000003\r\nabc\r\n0\r\n"), "abc", 0},
    {"capitals", CHUNKED_TRAILER, SLICE_INIT("A\r\n0123456789\r\n0\r\n"), "0123456789", 0},
    {"line ends as data", CHUNKED_TRAILER, SLICE_INIT("4\r\n\r\n\r\n\r\n0\r\n"), "\r\n\r\n", 0},
    {"extension", CHUNKED_TRAILER, SLICE_INIT("3;a=b;c\r\nabc\r\n0;d\r\n"), "abc", 0},
    {"quoted extension", CHUNKED_TRAILER, SLICE_INIT("3;a=\"b;\\\"c\"\r\nabc\r\n0\r\n"), "abc", 0},
    {"unfinished", CHUNKED_MORE, SLICE_INIT("5\r\nabc"), "abc", 0},
    {"unfinished size", CHUNKED_MORE, SLICE_INIT("3\r\nabc\r\n0"), "abc", 0},
    {"unfinished quote", CHUNKED_MORE, SLICE_INIT("3;a=\"b"), "", 0},
    {"plus", CHUNKED_MALFORMED, SLICE_INIT("+3\r\nabc\r\n"), "", 0},
    {"minus", CHUNKED_MALFORMED, SLICE_INIT("-3\r\n"), "", 0},
    {"0x", CHUNKED_MALFORMED, SLICE_INIT("0x3\r\nabc\r\n"), "", 0},
    {"leading space", CHUNKED_MALFORMED, SLICE_INIT(" 3\r\nabc\r\n"), "", 0},
    {"trailing space", CHUNKED_MALFORMED, SLICE_INIT("3 \r\nabc\r\n"), "", 0},
    {"underscore", CHUNKED_MALFORMED, SLICE_INIT("0_3\r\nabc\r\n"), "", 0},
    {"empty size", CHUNKED_MALFORMED, SLICE_INIT("\r\nabc\r\n"), "", 0},
    {"only an extension", CHUNKED_MALFORMED, SLICE_INIT(";a\r\n"), "", 0},
    {"a letter past f", CHUNKED_MALFORMED, SLICE_INIT("g\r\n"), "", 0},
    {"17 digits", CHUNKED_MALFORMED, SLICE_INIT("00000000000000003\r\nabc"), "", 0},
    {"2^64 + 3", CHUNKED_MALFORMED, SLICE_INIT("10000000000000003\r\nabc"), "", 0},
    {"2^64 - 1", CHUNKED_MALFORMED, SLICE_INIT("ffffffffffffffff\r\nabc"), "", 0},
    {"2^63", CHUNKED_MALFORMED, SLICE_INIT("8000000000000000\r\nabc"), "", 0},
    {"2^63 - 1", CHUNKED_MORE, SLICE_INIT("7fffffffffffffff\r\nabc"), "abc", 0},
    {"bare LF", CHUNKED_MALFORMED, SLICE_INIT("3\nabc\r\n"), "", 0},
    {"bare CR", CHUNKED_MALFORMED, SLICE_INIT("3\rabc\r\n"), "", 0},
    {"CR CR LF", CHUNKED_MALFORMED, SLICE_INIT("3\r\r\nabc\r\n"), "", 0},
    {"data not ended", CHUNKED_MALFORMED, SLICE_INIT("3\r\nabc0\r\n"), "", 0},
    {"data ended by LF", CHUNKED_MALFORMED, SLICE_INIT("3\r\nabc\n0\r\n"), "", 0},
    {"data ended by CR and a letter", CHUNKED_MALFORMED, SLICE_INIT("3\r\nabc\rX0\r\n"), "", 0},
    {"LF in an extension", CHUNKED_MALFORMED, SLICE_INIT("3;a\nX\r\nabc\r\n"), "", 0},
    {"CR in an extension", CHUNKED_MALFORMED, SLICE_INIT("3;a\rX\r\nabc\r\n"), "", 0},
    {"NUL in an extension", CHUNKED_MALFORMED, SLICE_INIT("3;a\0\r\nabc\r\n"), "", 0},
    {"line end in quotes", CHUNKED_MALFORMED, SLICE_INIT("3;a=\"\r\nabc\r\n0\r\n\r\n\""), "", 0},
    {"line end behind a backslash", CHUNKED_MALFORMED, SLICE_INIT("3;a=\"\\\r\nabc"), "", 0},
    {"LF in quotes", CHUNKED_MALFORMED, SLICE_INIT("3;a=\"\n\"\r\nabc"), "", 0},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Decodes in steps of `step` bytes; the data is collected in `body`. */
static enum chunked_result decode(struct slice coded, size_t step, char *body, size_t *length,
                                  size_t *used)
{
    struct chunked decoder = {.left = 0};
    enum chunked_result result = CHUNKED_MORE;

    *length = *used = 0;
    while (result == CHUNKED_MORE && *used < coded.len) {
        size_t count = coded.len - *used < step ? coded.len - *used : step;
        struct slice piece = exact(slice_of(coded.at + *used, count));
        struct slice data;
        size_t took;

        result = chunked_decode(&decoder, (char *)(uintptr_t)piece.at, count, &data, &took);
        assert_true(took <= count);
        assert_true(result != CHUNKED_MORE || took == count);
        memcpy(body + *length, data.at, data.len);
        *length += data.len;
        *used += took;
        test_free((void *)(uintptr_t)piece.at);
    }
    return result;
}

static void test_chunks_mean_the_same_however_they_arrive(void **state)
{
    char body[256];
    size_t length;
    size_t used;

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t step = 1; step <= rows[i].coded.len; step++) {
            if (decode(rows[i].coded, step, body, &length, &used) != rows[i].result)
                fail_msg("%s in steps of %zu", rows[i].name, step);
            if (rows[i].result == CHUNKED_MALFORMED)
                continue;
            assert_slice(slice_of(body, length), rows[i].body, rows[i].name);
            assert_int_equal(used, rows[i].used > 0 ? rows[i].used : rows[i].coded.len);
        }
}

static void test_extensions_are_counted_over_the_whole_body(void **state)
{
    struct chunked decoder = {.left = 0};
    struct slice data;
    size_t used;
    unsigned chunks = 0;

    (void)state;
    for (enum chunked_result result = CHUNKED_MORE; result == CHUNKED_MORE; chunks++) {
        char chunk[] = "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n";

        result = chunked_decode(&decoder, chunk, sizeof(chunk) - 1, &data, &used);
        assert_true(result != CHUNKED_TRAILER);
        assert_true(chunks < 1000);
    }
    assert_true(chunks > 100);
}

static void test_small_chunks_give_one_piece_of_body(void **state)
{
    char coded[6 * 1000];
    struct chunked decoder = {.left = 0};
    struct slice data;
    size_t used;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        memcpy(coded + 6 * i, "1\r\nx\r\n", 6);
    assert_int_equal(chunked_decode(&decoder, coded, sizeof(coded), &data, &used), CHUNKED_MORE);
    assert_int_equal(data.len, 1000);
    for (size_t i = 0; i < data.len; i++)
        assert_int_equal(data.at[i], 'x');
}

/* ---- whole bodies ---- */

static void test_a_chunked_body_ends_with_its_trailers(void **state)
{
    static const struct {
        const char *name;
        enum body_result result;
        struct slice bytes;
        const char *trailers;
        size_t rest;
    } bodies[] = {
        {"no trailers", BODY_ENDED, SLICE_INIT("3\r\nabc\r\n0\r\n\r\nnext"), "\r\n", 4},
        {"a trailer", BODY_ENDED, SLICE_INIT("3\r\nabc\r\n0\r\nA: b\r\n\r\nnext"), "A: b\r\n\r\n",
         4},
        {"not there yet", BODY_NEEDS, SLICE_INIT("3\r\nabc\r\n0\r\n"), "", 0},
        {"half an end", BODY_NEEDS, SLICE_INIT("3\r\nabc\r\n0\r\n\r"), "", 1},
        {"half a trailer", BODY_NEEDS, SLICE_INIT("3\r\nabc\r\n0\r\nA: b\r\n"), "", 6},
        {"still data", BODY_MORE, SLICE_INIT("5\r\nabc"), "", 0},
        {"LF for the end", BODY_MALFORMED, SLICE_INIT("3\r\nabc\r\n0\r\n\n"), "", 0},
        {"CR and a letter for the end", BODY_MALFORMED, SLICE_INIT("3\r\nabc\r\n0\r\n\rX\r\n\r\n"),
         "", 0},
        {"space before the end", BODY_MALFORMED, SLICE_INIT("3\r\nabc\r\n0\r\n \r\n\r\n"), "", 0},
        {"LF in a trailer", BODY_MALFORMED, SLICE_INIT("0\r\nA: b\nC: d\r\n\r\n"), "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct slice bytes = exact(bodies[i].bytes);
        struct body body;
        struct slice data;
        struct slice trailers;
        size_t used = 0;

        body_begin(&body, FORWARD_CHUNKED, 0);
        if (body_read(&body, &test_limits, (char *)(uintptr_t)bytes.at, bytes.len, &data, &used,
                      &trailers) != bodies[i].result)
            fail_msg("%s", bodies[i].name);
        if (bodies[i].result != BODY_MALFORMED) {
            assert_slice(trailers, bodies[i].trailers, bodies[i].name);
            assert_int_equal(bytes.len - used, bodies[i].rest);
        }
        test_free((void *)(uintptr_t)bytes.at);
    }
}

static void test_a_body_of_known_length_takes_no_more(void **state)
{
    char bytes[] = "abcdef";
    struct body body;
    struct slice data;
    struct slice trailers;
    size_t used;

    (void)state;
    body_begin(&body, FORWARD_LENGTH, 4);
    assert_false(body_is_empty(&body));
    assert_int_equal(body_read(&body, &test_limits, bytes, 3, &data, &used, &trailers), BODY_MORE);
    assert_slice(data, "abc", "first");
    assert_int_equal(body_read(&body, &test_limits, bytes + 3, 3, &data, &used, &trailers),
                     BODY_ENDED);
    assert_slice(data, "d", "last");
    assert_int_equal(used, 1);
    body_begin(&body, FORWARD_LENGTH, 0);
    assert_true(body_is_empty(&body));
    body_begin(&body, FORWARD_UNTIL_CLOSE, 0);
    assert_false(body_is_empty(&body));
    assert_int_equal(body_read(&body, &test_limits, bytes, 6, &data, &used, &trailers), BODY_MORE);
    assert_int_equal(used, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_mean_the_same_however_they_arrive),
        cmocka_unit_test(test_extensions_are_counted_over_the_whole_body),
        cmocka_unit_test(test_small_chunks_give_one_piece_of_body),
        cmocka_unit_test(test_a_chunked_body_ends_with_its_trailers),
        cmocka_unit_test(test_a_body_of_known_length_takes_no_more),
    };

    return cmocka_run_group_tests_name("chunked", tests, headers_ready, NULL);
}
