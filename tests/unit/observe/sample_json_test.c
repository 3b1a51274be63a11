/* sample_json: what is written is read again as it was, and what is not as it should be is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "observe/sample.h"
#include "observe/sample_json.h"

static const char *const reasons[] = {"balancer", "hash"};
static const struct sample_words words = {reasons, 2};

static const struct sample_header headers[] = {{"x-beta", "yes \"indeed\"", true},
                                               {"authorization", NULL, false}};
static const struct sample_kind kinds[] = {
    {"web", "shop.example.com", "/shop/cart", "GET", false, 120, 3000, 7},
    {"tls", "", "*", "OPTIONS", true, 0, 1, 0},
};
static const struct sample_request singles[] = {
    {.listener = "web",
     .host = "shop.example.com",
     .path = "/shop/caf\xc3\xa9/\xff\x01",
     .method = "GET",
     .route = "cart",
     .pool = "shop",
     .server = "s1",
     .sticky = "s2",
     .headers = headers,
     .header_count = 2,
     .client_hash = UINT64_MAX,
     .hash = 1,
     .weight = 40,
     .reason = 1,
     .has_hash = true,
     .is_path_cut = true},
    {.listener = "web", .host = "", .path = "/", .method = "POST", .weight = 1, .is_https = true},
};
static const struct sample one = {.wall_ms = 1795344100123,
                                  .seconds = 3600,
                                  .requests = 125,
                                  .other_requests = 5,
                                  .kinds = kinds,
                                  .kind_count = 2,
                                  .singles = singles,
                                  .single_count = 2};

static struct sample *read_text(const char *text, struct error *why)
{
    return sample_json_read(slice_from(text), &words, why);
}

static void test_what_is_written_is_read_as_it_was(void **state)
{
    struct buffer out;
    struct buffer again;
    struct error why = {0};
    struct sample *got;

    (void)state;
    buffer_init(&out);
    buffer_init(&again);
    sample_json_write(&one, &words, &out);
    got = sample_json_read(buffer_slice(&out), &words, &why);
    if (got == NULL)
        fail_msg("%s", why.text);
    assert_int_equal(got->wall_ms, one.wall_ms);
    assert_int_equal(got->seconds, 3600);
    assert_int_equal(got->requests, 125);
    assert_int_equal(got->other_requests, 5);
    assert_int_equal(got->kind_count, 2);
    assert_string_equal(got->kinds[0].host, "shop.example.com");
    assert_string_equal(got->kinds[1].path, "*");
    assert_true(got->kinds[1].is_https);
    assert_int_equal(got->kinds[0].requests_day, 3000);
    assert_int_equal(got->single_count, 2);
    assert_int_equal(got->singles[0].client_hash, UINT64_MAX);
    assert_true(got->singles[0].has_hash && got->singles[0].is_path_cut);
    assert_int_equal(got->singles[0].hash, 1);
    assert_int_equal(got->singles[0].reason, 1);
    assert_int_equal(got->singles[0].weight, 40);
    assert_string_equal(got->singles[0].sticky, "s2");
    assert_string_equal(got->singles[0].headers[0].value, "yes \"indeed\"");
    assert_true(got->singles[0].headers[0].is_held);
    assert_null(got->singles[0].headers[1].value);
    assert_null(got->singles[1].route);
    assert_null(got->singles[1].server);
    assert_false(got->singles[1].has_hash);
    /* and once more, now that bytes of no meaning have gone: the same to the byte */
    sample_json_write(got, &words, &again);
    sample_release(&got);
    got = sample_json_read(buffer_slice(&again), &words, &why);
    assert_non_null(got);
    buffer_clear(&out);
    sample_json_write(got, &words, &out);
    assert_true(slice_equal(buffer_slice(&out), buffer_slice(&again)));
    sample_release(&got);
    buffer_fini(&again);
    buffer_fini(&out);
}

static void test_nothing_seen_is_a_sample_too(void **state)
{
    struct buffer out;
    struct error why = {0};
    struct sample *got;

    (void)state;
    buffer_init(&out);
    sample_json_write(NULL, &words, &out);
    got = sample_json_read(buffer_slice(&out), &words, &why);
    assert_non_null(got);
    assert_int_equal(got->requests, 0);
    assert_int_equal(got->wall_ms, 0);
    assert_int_equal(got->single_count, 0);
    sample_release(&got);
    buffer_fini(&out);
}

#define HEAD             "{\"version\":1,\"time\":null,\"seconds\":1,\"requests\":1,\"other_requests\":0,"
#define ONE_KIND(more)   HEAD "\"singles\":[],\"kinds\":[{" more "}]}"
#define ONE_SINGLE(more) HEAD "\"kinds\":[],\"singles\":[{" more "}]}"
#define PLAIN                                                                                      \
    "\"listener\":\"web\",\"scheme\":\"http\",\"host\":\"\",\"method\":\"GET\",\"path\":\"/\""

static const struct {
    const char *text;
    const char *why; /* NULL: it is right */
} cases[] = {
    {"", "line 1, column 0"},
    {"[]", "/version: is not 1"},
    {"{\"version\":2}", "/version: is not 1"},
    {"{\"version\":1,\"version\":1}", "line 1"},
    {"{\"version\":1,\"seconds\":-1}", "/seconds: is no number from 0 to 4294967295"},
    {"{\"version\":1,\"time\":\"today\"}", "/time: is no time"},
    {"{\"version\":1,\"time\":\"2026-11-22T10:41:40.12Z\"}", "/time: is no time"},
    {HEAD "\"kinds\":{},\"singles\":[]}", "/kinds: is no list"},
    {HEAD "\"kinds\":[]}", "/singles: is no list"},
    {HEAD "\"kinds\":[17],\"singles\":[]}", "/kinds/0/listener: is missing"},
    {ONE_KIND(PLAIN), "/kinds/0/requests: is no number"},
    {ONE_KIND(PLAIN ",\"requests\":1,\"requests_day\":1"), NULL},
    {ONE_KIND(PLAIN ",\"requests\":1,\"requests_day\":9007199254740993"),
     "/kinds/0/requests_day: is no number from 0 to 9007199254740992"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000ff\""), NULL},
    {ONE_SINGLE(PLAIN ",\"weight\":0,\"client\":\"00000000000000ff\""), "/singles/0/weight"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000FF\""),
     "/singles/0/client: is not 16 hexadecimal digits"},
    {ONE_SINGLE(PLAIN ",\"weight\":1"), "/singles/0/client: is missing"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000ff\",\"reason\":\"luck\""),
     "/singles/0/reason: is no reason"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000ff\",\"route\":5"),
     "/singles/0/route: is no text"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000ff\",\"headers\":[{}]"),
     "/singles/0/name: is missing"},
    {ONE_SINGLE(PLAIN ",\"weight\":1,\"client\":\"00000000000000ff\",\"path_cut\":1"),
     "/singles/0/path_cut: is neither"},
    {ONE_SINGLE("\"listener\":\"web\",\"scheme\":\"ftp\",\"host\":\"\",\"method\":\"GET\",\"path\":"
                "\"/\",\"weight\":1"),
     "/singles/0/scheme: is neither"},
    {ONE_SINGLE("\"listener\":\"web\",\"scheme\":\"http\",\"host\":\"\",\"method\":\"GET\","
                "\"path\":\"shop\",\"weight\":1"),
     "/singles/0/path: does not begin with a slash"},
};

static void test_what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error why = {0};
        struct sample *got = read_text(cases[i].text, &why);

        if ((got == NULL) != (cases[i].why != NULL) ||
            (cases[i].why != NULL && strstr(why.text, cases[i].why) == NULL))
            fail_msg("%s\n  said: %s\n  wanted: %s", cases[i].text, why.text,
                     cases[i].why != NULL ? cases[i].why : "nothing");
        sample_release(&got);
    }
}

static void test_too_much_is_refused(void **state)
{
    struct buffer out;
    struct error why = {0};

    (void)state;
    buffer_init(&out);
    buffer_append_literal(&out, HEAD "\"singles\":[],\"kinds\":[0");
    for (unsigned i = 0; i < SAMPLE_KINDS; i++)
        buffer_append_literal(&out, ",0");
    buffer_append_literal(&out, "]}");
    assert_null(sample_json_read(buffer_slice(&out), &words, &why));
    assert_string_equal(why.text, "/kinds: has 4097 members: at most 4096 are taken");
    assert_null(sample_json_read(slice_of("{}", (size_t)SAMPLE_JSON_BYTES + 1), &words, &why));
    assert_non_null(strstr(why.text, "larger than 64 MiB"));
    buffer_clear(&out);
    buffer_append_literal(&out, HEAD "\"singles\":[],\"kinds\":[{\"listener\":\"");
    for (unsigned i = 0; i <= SAMPLE_JSON_TEXT; i++)
        buffer_append_literal(&out, "x");
    buffer_append_literal(&out, "\"}]}");
    assert_null(sample_json_read(buffer_slice(&out), &words, &why));
    assert_string_equal(why.text, "/kinds/0/listener: is longer than 1024 bytes");
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read_as_it_was),
        cmocka_unit_test(test_nothing_seen_is_a_sample_too),
        cmocka_unit_test(test_what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(test_too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
