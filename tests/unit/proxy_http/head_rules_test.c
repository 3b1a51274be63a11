/* head_rules: a head means the same in HTTP/1 and in HTTP/2, and what is refused is refused in
 * both. */
#include "proxy/http/head_rules.h"

#include "proxy/http/h2_message.h"
#include "proxy/http/target.h"

#include "tests/unit/proxy_http/heads.h"

enum { MOST_FIELDS = 128, MOST_BYTES = 32768 };

enum kind { REQUEST, RESPONSE, TRAILERS };

static const char *const kind_names[] = {"request", "response", "trailers"};

/* A head of either version: its fields without what is in front of them. */
struct head_case {
    enum kind kind;
    struct slice path; /* of a request */
    struct h2_field fields[MOST_FIELDS];
    size_t count;
};

static struct message by_h1;
static struct message by_h2;
static char bytes[MOST_BYTES];
static char joined[MOST_BYTES];
static char path_memory[MOST_BYTES];

static void put(size_t *len, struct slice text)
{
    assert_true(*len + text.len <= sizeof(bytes));
    if (text.len > 0)
        memcpy(bytes + *len, text.at, text.len);
    *len += text.len;
}

/* What a client of this version is told in the end: the head, and then its target. */
static unsigned with_target(const struct message *message, unsigned status)
{
    struct target_memory memory = {.path = path_memory, .path_bytes = sizeof(path_memory)};
    struct target target;
    const char *why;

    return status != 0 ? status : target_parse(message, &memory, &target, &why);
}

static unsigned judge_h1(const struct head_case *head, const struct head_limits *limits)
{
    const char *why;
    size_t len = 0;
    struct slice text;

    if (head->kind == REQUEST) {
        put(&len, SLICE("POST "));
        put(&len, head->path);
        put(&len, SLICE(" HTTP/1.1\r\nHost: a.example\r\n"));
    } else if (head->kind == RESPONSE) {
        put(&len, SLICE("HTTP/1.1 200 OK\r\n"));
    }
    for (size_t i = 0; i < head->count; i++) {
        put(&len, head->fields[i].name);
        put(&len, SLICE(": "));
        put(&len, head->fields[i].value);
        put(&len, SLICE("\r\n"));
    }
    put(&len, SLICE("\r\n"));
    text = slice_of(bytes, len);
    switch (head->kind) {
    case REQUEST: return with_target(&by_h1, head_parse_request(&by_h1, text, limits, &why));
    case RESPONSE: return head_parse_response(&by_h1, text, limits, &why);
    default: return head_parse_trailers(&by_h1, text, limits, &why);
    }
}

static unsigned judge_h2(const struct head_case *head, const struct head_limits *limits)
{
    static struct h2_field all[MOST_FIELDS + 4];
    struct h2_scratch scratch = {joined, sizeof(joined)};
    struct h2_head given = {all, 0};
    const char *why;
    bool is_extended;

    if (head->kind == REQUEST) {
        all[given.count++] = (struct h2_field){SLICE(":method"), SLICE("POST")};
        all[given.count++] = (struct h2_field){SLICE(":scheme"), SLICE("http")};
        all[given.count++] = (struct h2_field){SLICE(":authority"), SLICE("a.example")};
        all[given.count++] = (struct h2_field){SLICE(":path"), head->path};
    } else if (head->kind == RESPONSE) {
        all[given.count++] = (struct h2_field){SLICE(":status"), SLICE("200")};
    }
    for (size_t i = 0; i < head->count; i++)
        all[given.count++] = head->fields[i];
    switch (head->kind) {
    case REQUEST:
        return with_target(&by_h2, h2_request_message(&by_h2, &given, false, limits, &scratch,
                                                      &is_extended, &why));
    case RESPONSE: return h2_response_message(&by_h2, &given, false, &why);
    default: return h2_trailers_message(&by_h2, &given, limits, &why);
    }
}

static void say(const struct head_case *head)
{
    print_error("%s, path \"%.*s\"\n", kind_names[head->kind], SLICE_ARGS(head->path));
    for (size_t i = 0; i < head->count; i++)
        print_error("  %.*s: %.*s\n", SLICE_ARGS(head->fields[i].name),
                    SLICE_ARGS(head->fields[i].value));
}

static bool is_same_field(const struct field *one, const struct field *other)
{
    return slice_equal_nocase(one->name, other->name) && slice_equal(one->value, other->value) &&
           one->header == other->header && one->is_dropped == other->is_dropped;
}

/* The first thing that the two messages say differently, or NULL. */
static const char *difference(void)
{
    if (by_h1.field_count != by_h2.field_count)
        return "the number of fields";
    for (uint32_t i = 0; i < by_h1.field_count; i++)
        if (!is_same_field(&by_h1.fields[i], &by_h2.fields[i]))
            return "a field";
    for (unsigned i = 1; i < HEADER_COUNT; i++)
        if ((by_h1.known[i].at == NULL) != (by_h2.known[i].at == NULL) ||
            !slice_equal(by_h1.known[i], by_h2.known[i]))
            return "the value of a known field";
    if (by_h1.dropped_fields != by_h2.dropped_fields)
        return "how many were dropped";
    if (by_h1.content_length != by_h2.content_length)
        return "the length";
    if (by_h1.expects_continue != by_h2.expects_continue)
        return "Expect";
    if (by_h1.has_te_trailers != by_h2.has_te_trailers)
        return "TE";
    return by_h1.has_trailer_field != by_h2.has_trailer_field ? "Trailer" : NULL;
}

/* Both say the same; gives what. */
static unsigned agreed(const struct head_case *head, const struct head_limits *limits)
{
    unsigned one = judge_h1(head, limits);
    unsigned other = judge_h2(head, limits);
    const char *what;

    if (one != other) {
        say(head);
        fail_msg("HTTP/1 says %u, HTTP/2 says %u", one, other);
    }
    what = one == 0 ? difference() : NULL;
    if (what != NULL) {
        say(head);
        fail_msg("%s is not the same", what);
    }
    return one;
}

static void add_field(struct head_case *head, struct slice name, struct slice value)
{
    assert_true(head->count < MOST_FIELDS);
    head->fields[head->count++] = (struct h2_field){name, value};
}

static struct head_case case_of(enum kind kind)
{
    return (struct head_case){.kind = kind, .path = SLICE("/a")};
}

/* "|name=value|name=value" */
static struct head_case case_of_text(enum kind kind, const char *text)
{
    struct head_case head = case_of(kind);
    struct slice name;
    struct slice value;

    while (next_field(&text, &name, &value))
        add_field(&head, name, value);
    return head;
}

/* ---- a table ---- */

/* What is refused; a response as 502, whatever stands here. */
static const struct {
    const char *text;
    unsigned request;
    unsigned response;
    unsigned trailers;
} rows[] = {
    {"", 0, 0, 0},
    {"|x=", 0, 0, 0},
    {"|x=1|x=2|x=", 0, 0, 0},
    {"|x=a b\tc", 0, 0, 0},
    {"|x=\xc3\xa4\xff", 0, 0, 0},
    {"|!#$%&'*+-.^`~09az=1", 0, 0, 0},
    /* names */
    {"|=1", 400, 502, 400},
    {"|x y=1", 400, 502, 400},
    {"|x =1", 400, 502, 400},
    {"| x=1", 400, 502, 400},
    {"|x[0]=1", 400, 502, 400},
    {"|x\xc3\xa4=1", 400, 502, 400},
    {"|x\r\ny=1", 400, 502, 400},
    /* values */
    {"|x=a\rb", 400, 502, 400},
    {"|x=a\nb", 400, 502, 400},
    {"|x=a\r\n b", 400, 502, 400},
    {"|x=\x0b", 400, 502, 400},
    {"|x=\x7f", 400, 502, 400},
    {"|user-agent=a\x1b[0m", 400, 502, 400},
    {"|cookie=a\x01", 400, 502, 400},
    /* lengths */
    {"|content-length=0", 0, 0, 400},
    {"|content-length=5", 0, 0, 400},
    {"|content-length=0005", 0, 0, 400},
    {"|content-length=9223372036854775807", 0, 0, 400},
    {"|content-length=9223372036854775808", 400, 502, 400},
    {"|content-length=18446744073709551616", 400, 502, 400},
    {"|content-length=", 400, 502, 400},
    {"|content-length=+5", 400, 502, 400},
    {"|content-length=-5", 400, 502, 400},
    {"|content-length=0x5", 400, 502, 400},
    {"|content-length=5, 5", 400, 502, 400},
    {"|content-length=5 5", 400, 502, 400},
    {"|content-length=5a", 400, 502, 400},
    {"|content-length=5|content-length=5", 400, 502, 400},
    {"|content-length=|content-length=5", 400, 502, 400},
    {"|content-length=5|content-length=", 400, 502, 400},
    /* Expect */
    {"|expect=100-continue", 0, 0, 400},
    {"|expect=100-CONTINUE", 0, 0, 400},
    {"|expect=", 417, 0, 400},
    {"|expect=200-ok", 417, 0, 400},
    {"|expect=100-continue, x", 417, 0, 400},
    {"|expect=100-continue|expect=100-continue", 400, 502, 400},
    {"|expect=|expect=100-continue", 400, 502, 400},
    /* fields that both know */
    {"|te=trailers", 0, 0, 400},
    {"|te=trailers|te=Trailers", 0, 0, 400},
    {"|trailer=x-sum", 0, 0, 400},
    {"|trailer=", 0, 0, 400},
    {"|proxy-authorization=a", 0, 0, 400},
    {"|http2-settings=a", 0, 0, 400},
    {"|via=1.1 a|via=1.1 b", 0, 0, 0},
    {"|x-forwarded-for=1|x-forwarded-for=2", 0, 0, 0},
    {"|authorization=a|cookie=b|x-sum=1", 0, 0, 0},
    {"|set-cookie=a|set-cookie=b", 0, 0, 0},
    /* what is not quite their name */
    {"|content_length=5", 0, 0, 0},
    {"|content-lengt=a|content-length-=b", 0, 0, 0},
};

static void test_what_is_refused_is_refused_in_both_versions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned verdicts[] = {rows[i].request, rows[i].response, rows[i].trailers};

        for (enum kind kind = REQUEST; kind <= TRAILERS; kind++) {
            struct head_case head = case_of_text(kind, rows[i].text);
            unsigned verdict = agreed(&head, &test_limits);

            if (verdict != verdicts[kind])
                fail_msg("\"%s\" in %s is %u, should be %u", rows[i].text, kind_names[kind],
                         verdict, verdicts[kind]);
        }
    }
}

static void test_underscores_have_one_policy(void **state)
{
    static const unsigned verdicts[][3] = {
        [HEAD_UNDERSCORES_DROP] = {0, 0, 0},
        [HEAD_UNDERSCORES_REJECT] = {400, 0, 400},
        [HEAD_UNDERSCORES_ALLOW] = {0, 0, 0},
    };

    (void)state;
    for (unsigned policy = 0; policy <= HEAD_UNDERSCORES_ALLOW; policy++)
        for (enum kind kind = REQUEST; kind <= TRAILERS; kind++) {
            struct head_case head = case_of_text(kind, "|x=1|x_real_ip=2|_=3");
            struct head_limits limits = test_limits;

            limits.underscores = (uint8_t)policy;
            assert_int_equal(agreed(&head, &limits), verdicts[policy][kind]);
            if (verdicts[policy][kind] == 0)
                assert_int_equal(by_h2.dropped_fields,
                                 policy == HEAD_UNDERSCORES_DROP && kind != RESPONSE ? 2 : 0);
        }
}

static void test_fields_are_counted_alike(void **state)
{
    struct head_limits limits = test_limits;

    (void)state;
    for (uint32_t most = 9; most <= 12; most++)
        for (enum kind kind = REQUEST; kind <= TRAILERS; kind += 2) {
            struct head_case head = case_of(kind);

            limits.fields = most;
            for (unsigned i = 0; i < 10; i++)
                add_field(&head, SLICE("x"), SLICE("1"));
            /* Host is one of a request's. */
            assert_int_equal(agreed(&head, &limits), most < 10 + (kind == REQUEST) ? 431 : 0);
        }
}

/* ---- sweeps ---- */

/* Those of which the versions say different things. */
static bool is_of_a_version(enum header header)
{
    return header == HEADER_HOST || header == HEADER_COOKIE || header == HEADER_CONNECTION ||
           header == HEADER_KEEP_ALIVE || header == HEADER_PROXY_CONNECTION ||
           header == HEADER_TRANSFER_ENCODING || header == HEADER_UPGRADE || header == HEADER_TE;
}

static void test_every_known_field_means_the_same_once_and_twice(void **state)
{
    static const struct slice values[] = {SLICE_INIT(""), SLICE_INIT("1"),
                                          SLICE_INIT("100-continue"), SLICE_INIT("a, b;c=\"d\"")};
    size_t count = sizeof(values) / sizeof(values[0]);

    (void)state;
    for (enum header header = 1; header < HEADER_COUNT; header++)
        for (size_t i = 0; i < count * (count + 1) && !is_of_a_version(header); i++)
            for (enum kind kind = REQUEST; kind <= TRAILERS; kind++) {
                struct head_case head = case_of(kind);

                add_field(&head, header_slice(header), values[i % count]);
                if (i >= count)
                    add_field(&head, header_slice(header), values[i / count - 1]);
                (void)agreed(&head, &test_limits);
            }
}

static void test_every_byte_is_judged_alike_in_names_and_values(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (enum kind kind = REQUEST; kind <= TRAILERS; kind++) {
            char value[] = {'a', (char)byte, 'b'};
            char name[] = {'x', (char)byte, 'y'};
            struct head_case head = case_of(kind);
            struct head_case other = case_of(kind);

            add_field(&head, SLICE("x"), slice_of(value, 3));
            (void)agreed(&head, &test_limits);
            add_field(&other, slice_of(name, 3), SLICE("1"));
            /* HTTP/2 has no upper case, and no colon that ends a name. */
            if (byte != ':' && (byte < 'A' || byte > 'Z'))
                (void)agreed(&other, &test_limits);
        }
}

static void test_every_byte_is_judged_alike_in_paths(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (unsigned place = 0; place < 4; place++) {
            char path[] = "/a?b";
            struct head_case head = case_of(REQUEST);

            path[place] = (char)byte;
            head.path = slice_of(path, 4);
            /* A target that begins with anything else has another form, which HTTP/2 has not. */
            if (place > 0 || byte == '/')
                (void)agreed(&head, &test_limits);
        }
}

static void test_paths_mean_the_same(void **state)
{
    static const char *const paths[] = {"/",    "//",    "/../a", "/a/../..", "/%00", "/%2e%2e/a",
                                        "/%zz", "/a%2",  "/?a?b", "/?#",      "/*",   "*",
                                        "**",   "/a\\b", "/;a",   "/\"<>^",   "/{a}", "/a|b",
                                        "/?",   "/%2F",  "/?\x7f"};

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct head_case head = case_of(REQUEST);

        head.path = slice_from(paths[i]);
        (void)agreed(&head, &test_limits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused_is_refused_in_both_versions),
        cmocka_unit_test(test_underscores_have_one_policy),
        cmocka_unit_test(test_fields_are_counted_alike),
        cmocka_unit_test(test_every_known_field_means_the_same_once_and_twice),
        cmocka_unit_test(test_every_byte_is_judged_alike_in_names_and_values),
        cmocka_unit_test(test_every_byte_is_judged_alike_in_paths),
        cmocka_unit_test(test_paths_mean_the_same),
    };

    return cmocka_run_group_tests_name("head_rules", tests, headers_ready, NULL);
}
