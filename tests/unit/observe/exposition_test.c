/* exposition: what comes out is Prometheus text format, and every row of counters.def is in it. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "observe/counters.h"
#include "observe/exposition.h"

static const char *const failures[] = {"none", "connect-refused", "timeout"};
static const char *const reasons[] = {"balancer", "hash"};
static const char *const troubles[] = {"expired", "wrong-name"};
static const char *const violations[] = {"resets", "ping"};
static const struct exposition_words words = {failures, 3, reasons, 2, troubles, 2, violations, 2};

static struct counters *counters;
static struct buffer out;

static int setup(void **state)
{
    (void)state;
    counters = counters_new(2);
    buffer_init(&out);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    counters_free(&counters);
    buffer_fini(&out);
    return 0;
}

/* ---------------------------------------------------------------- a strict reader */

enum { MOST_NAMES = 512 };

struct reader {
    char family[128]; /* whose samples may come now */
    char type[16];
    char done[MOST_NAMES][128];
    unsigned done_count;
    bool has_help;
    double last_bucket;
    char last_series[512]; /* of a histogram: labels without le */
};

static bool is_name(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(isalpha((unsigned char)at[i]) || at[i] == '_' || at[i] == ':' ||
              (i > 0 && isdigit((unsigned char)at[i]))))
            return false;
    return len > 0;
}

static void begin_family(struct reader *reader, const char *line)
{
    char name[128];
    int end = 0;

    assert_int_equal(sscanf(line, "# HELP %127s %n", name, &end), 1);
    assert_true(end > 0 && line[end] != '\0');
    for (unsigned i = 0; i < reader->done_count; i++)
        if (strcmp(reader->done[i], name) == 0)
            fail_msg("HELP of %s twice", name);
    assert_true(reader->done_count < MOST_NAMES);
    strcpy(reader->done[reader->done_count++], name);
    strcpy(reader->family, name);
    reader->has_help = true;
    reader->type[0] = '\0';
}

static void read_type(struct reader *reader, const char *line)
{
    char name[128];

    assert_true(reader->has_help && reader->type[0] == '\0');
    assert_int_equal(sscanf(line, "# TYPE %127s %15s", name, reader->type), 2);
    assert_string_equal(name, reader->family);
    assert_true(strcmp(reader->type, "counter") == 0 || strcmp(reader->type, "gauge") == 0 ||
                strcmp(reader->type, "histogram") == 0);
    if (strcmp(reader->type, "counter") == 0)
        assert_string_equal(name + strlen(name) - 6, "_total");
    reader->last_series[0] = '\0';
}

/* Past `{name="value",…}`; the labels but le are copied to `series`. */
static const char *read_labels(const char *at, char *series, char *le)
{
    *series = *le = '\0';
    if (*at != '{')
        return at;
    do {
        const char *name = ++at;
        char *copy = series + strlen(series);

        at += strcspn(at, "=");
        assert_true(is_name(name, (size_t)(at - name)));
        bool is_le = at - name == 2 && strncmp(name, "le", 2) == 0;
        assert_int_equal(*++at, '"');
        for (at++; *at != '"'; at++) {
            assert_true(*at != '\0' && *at != '\n');
            if (*at == '\\') {
                at++;
                assert_non_null(strchr("\\n\"", *at));
            }
            if (is_le) {
                *le++ = *at;
                *le = '\0';
            }
        }
        at++;
        if (!is_le)
            sprintf(copy, "%.*s;", (int)(at - name), name);
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

static void check_bucket(struct reader *reader, const char *series, const char *le, double value)
{
    static double last_edge;
    double edge;

    assert_true(le[0] != '\0');
    edge = strcmp(le, "+Inf") == 0 ? 1e300 : atof(le);
    if (strcmp(series, reader->last_series) == 0) {
        assert_true(value >= reader->last_bucket);
        assert_true(edge > last_edge);
    }
    strcpy(reader->last_series, series);
    reader->last_bucket = value;
    last_edge = edge;
}

static void read_sample(struct reader *reader, const char *line)
{
    size_t name_len = strcspn(line, "{ ");
    size_t family_len = strlen(reader->family);
    char series[512], le[64], *end;
    const char *at = read_labels(line + name_len, series, le);
    double value;

    assert_true(is_name(line, name_len));
    assert_true(reader->type[0] != '\0');
    assert_true(name_len >= family_len && strncmp(line, reader->family, family_len) == 0);
    assert_int_equal(*at, ' ');
    value = strtod(at + 1, &end);
    assert_true(end != at + 1 && *end == '\0');
    if (strcmp(reader->type, "histogram") != 0) {
        assert_int_equal(name_len, family_len);
        assert_int_equal(le[0], '\0');
        return;
    }
    if (strncmp(line + family_len, "_bucket", name_len - family_len) == 0)
        check_bucket(reader, series, le, value);
    else if (strncmp(line + family_len, "_count", name_len - family_len) == 0)
        assert_true(strcmp(series, reader->last_series) == 0 && value == reader->last_bucket);
    else
        assert_int_equal(strncmp(line + family_len, "_sum", name_len - family_len), 0);
}

static void read_all(void)
{
    static struct reader reader;
    char *copy = xstrdup(buffer_text(&out)), *rest = copy;

    memset(&reader, 0, sizeof(reader));
    assert_int_equal(rest[buffer_length(&out) - 1], '\n');
    while (*rest != '\0') {
        char *line = rest;

        rest += strcspn(rest, "\n");
        *rest++ = '\0';
        if (strncmp(line, "# HELP ", 7) == 0)
            begin_family(&reader, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(&reader, line);
        else
            read_sample(&reader, line);
    }
    xfree(copy);
}

static void assert_line(const char *wanted)
{
    char line[512];

    snprintf(line, sizeof(line), "\n%s\n", wanted);
    if (strstr(buffer_text(&out), line) == NULL)
        fail_msg("no line %s in\n%s", wanted, buffer_text(&out));
}

static void write_all(void)
{
    buffer_clear(&out);
    exposition_write(&out, counters, &words);
    read_all();
}

/* ---------------------------------------------------------------- tests */

static void test_every_row_of_the_table_is_a_family_with_its_help(void **state)
{
    (void)state;
    counters_slot(counters, SCOPE_LISTENER, NULL, "web");
    counters_slot(counters, SCOPE_ROUTE, NULL, "all");
    counters_slot(counters, SCOPE_POOL, NULL, "shop");
    counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    write_all();
#define COUNTER_SUFFIX "_total"
#define GAUGE_SUFFIX   ""
#define EXPECT(scope, name, type, help)                                                            \
    assert_non_null(strstr(buffer_text(&out), "# HELP twokey_" scope "_" #name type##_SUFFIX       \
                           " " help "\n# TYPE "                                                    \
                           "twokey_" scope "_" #name type##_SUFFIX " "));
#define PROCESS_COUNTER(name, type, help)  EXPECT("process", name, type, help)
#define LISTENER_COUNTER(name, type, help) EXPECT("listener", name, type, help)
#define ROUTE_COUNTER(name, type, help)    EXPECT("route", name, type, help)
#define POOL_COUNTER(name, type, help)     EXPECT("pool", name, type, help)
#define SERVER_COUNTER(name, type, help)   EXPECT("server", name, type, help)
#include "observe/counters.def"
}

static void test_what_is_configured_shows_zeros_and_other_does_not_show(void **state)
{
    (void)state;
    counters_slot(counters, SCOPE_POOL, NULL, "shop");
    counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    write_all();
    assert_line("twokey_process_accept_failures_total 0");
    assert_line("twokey_pool_requests_total{pool=\"shop\"} 0");
    assert_line("twokey_pool_failures_total{pool=\"shop\",reason=\"timeout\"} 0");
    assert_line("twokey_pool_picked_total{pool=\"shop\",why=\"hash\"} 0");
    assert_line("twokey_server_responses_total{pool=\"shop\",server=\"s1\",code_class=\"5xx\"} 0");
    assert_line("twokey_server_latency_seconds_bucket{pool=\"shop\",server=\"s1\",le=\"+Inf\"} 0");
    assert_line(
        "twokey_server_tls_failures_total{pool=\"shop\",server=\"s1\",reason=\"wrong-name\"} 0");
    assert_null(strstr(buffer_text(&out), "\"other\""));
    assert_null(strstr(buffer_text(&out), "reason=\"none\""));
}

static void test_rows_of_all_workers_are_added_up(void **state)
{
    uint32_t slot = counters_slot(counters, SCOPE_POOL, NULL, "shop");
    uint32_t web = counters_slot(counters, SCOPE_LISTENER, NULL, "web");

    (void)state;
    for (unsigned worker = 0; worker < 2; worker++) {
        struct pool_row *row = counters_pool(counters, worker, slot);

        count_add(&row->requests, 5 + worker);
        count_add(&row->responses[2], 3);
        count_one(&row->responses[0]);
        count_add(&row->failures[1], 2);
        count_add(&row->picked[1], 7);
    }
    count_add(&counters_listener(counters, 0, web)->sent_bytes, 1ull << 60);
    count_one(&counters_process(counters, 1)->accept_failures);
    write_all();
    assert_line("twokey_pool_requests_total{pool=\"shop\"} 11");
    assert_line("twokey_pool_responses_total{pool=\"shop\",code_class=\"2xx\"} 6");
    assert_line("twokey_pool_responses_total{pool=\"shop\",code_class=\"none\"} 2");
    assert_line("twokey_pool_failures_total{pool=\"shop\",reason=\"connect-refused\"} 4");
    assert_line("twokey_pool_picked_total{pool=\"shop\",why=\"hash\"} 14");
    assert_line("twokey_listener_sent_bytes_total{listener=\"web\"} 1152921504606846976");
    assert_line("twokey_process_accept_failures_total 1");
}

static void test_a_gauge_that_two_workers_move_is_right_and_never_negative(void **state)
{
    uint32_t slot = counters_slot(counters, SCOPE_POOL, NULL, "shop");

    (void)state;
    count_add(&counters_pool(counters, 0, slot)->in_flight, 3);
    count_less(&counters_pool(counters, 1, slot)->in_flight);
    write_all();
    assert_line("twokey_pool_in_flight{pool=\"shop\"} 2");
    count_add(&counters_pool(counters, 1, slot)->in_flight, (uint64_t)-5);
    write_all();
    assert_line("twokey_pool_in_flight{pool=\"shop\"} 0");
}

static void test_the_histogram_is_cumulative_and_its_sum_in_seconds(void **state)
{
    uint32_t slot = counters_slot(counters, SCOPE_SERVER, "shop", "s1");
    struct histogram *a = &counters_server(counters, 0, slot)->latency;
    struct histogram *b = &counters_server(counters, 1, slot)->latency;

    (void)state;
    histogram_note(a, 0);
    histogram_note(a, 255);
    histogram_note(b, 256);
    histogram_note(b, 1023);
    histogram_note(a, 1024);
    histogram_note(a, 200000000);
    write_all();
#define BUCKET "twokey_server_latency_seconds_bucket{pool=\"shop\",server=\"s1\",le="
    assert_line(BUCKET "\"0.000256\"} 2");
    assert_line(BUCKET "\"0.000512\"} 3");
    assert_line(BUCKET "\"0.001024\"} 4");
    assert_line(BUCKET "\"0.002048\"} 5");
    assert_line(BUCKET "\"67.108864\"} 5");
    assert_line(BUCKET "\"+Inf\"} 6");
    assert_line("twokey_server_latency_seconds_count{pool=\"shop\",server=\"s1\"} 6");
    assert_line("twokey_server_latency_seconds_sum{pool=\"shop\",server=\"s1\"} 200.002558");
}

static void test_label_values_are_escaped(void **state)
{
    (void)state;
    counters_slot(counters, SCOPE_SERVER, "po\"ol", "a\\b\n\"} 1");
    write_all();
    assert_line("twokey_server_requests_total{pool=\"po\\\"ol\",server=\"a\\\\b\\n\\\"} 1\"} 0");
}

static void test_a_full_scope_shows_other(void **state)
{
    char name[16];

    (void)state;
    for (unsigned i = 1; i < COUNTERS_SLOTS; i++) {
        snprintf(name, sizeof(name), "l%u", i);
        counters_slot(counters, SCOPE_LISTENER, NULL, name);
    }
    count_one(&counters_listener(counters, 0, 0)->requests);
    exposition_write(&out, counters, &words);
    assert_line("twokey_listener_requests_total{listener=\"other\"} 1");
}

static void test_callers_add_families_of_their_own(void **state)
{
    (void)state;
    exposition_write(&out, counters, &words);
    exposition_family(&out, "twokey_server_share", METRIC_GAUGE,
                      "share of the pool's\nrequests \\");
    exposition_sample(&out, "twokey_server_share", 0.25,
                      EXPOSITION_LABELS("pool", "shop", "server", "s\"1"));
    exposition_family(&out, "twokey_config_generation", METRIC_GAUGE, "number of the snapshot");
    exposition_sample(&out, "twokey_config_generation", 1795344100, NULL);
    read_all();
    assert_line("# HELP twokey_server_share share of the pool's\\nrequests \\\\");
    assert_line("twokey_server_share{pool=\"shop\",server=\"s\\\"1\"} 0.25");
    assert_line("twokey_config_generation 1795344100");
}

static void test_promtool_has_nothing_to_say(void **state)
{
    FILE *promtool;

    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0)
        skip();
    counters_slot(counters, SCOPE_LISTENER, NULL, "web");
    counters_slot(counters, SCOPE_ROUTE, NULL, "all");
    counters_slot(counters, SCOPE_POOL, NULL, "shop");
    counters_slot(counters, SCOPE_SERVER, "shop", "s\n\"\\1");
    write_all();
    promtool = popen("promtool check metrics >&2", "w");
    assert_non_null(promtool);
    fwrite(buffer_text(&out), 1, buffer_length(&out), promtool);
    assert_int_equal(pclose(promtool), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_row_of_the_table_is_a_family_with_its_help),
        TEST(test_what_is_configured_shows_zeros_and_other_does_not_show),
        TEST(test_rows_of_all_workers_are_added_up),
        TEST(test_a_gauge_that_two_workers_move_is_right_and_never_negative),
        TEST(test_the_histogram_is_cumulative_and_its_sum_in_seconds),
        TEST(test_label_values_are_escaped),
        TEST(test_a_full_scope_shows_other),
        TEST(test_callers_add_families_of_their_own),
        TEST(test_promtool_has_nothing_to_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
