/*
 * alert_payload_test - what receivers get: all that is raised, each end once, nothing that moves in
 * a label.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "observe/alert_payload.h"

#define SINCE "2023-11-14T22:13:20.000Z"
enum { NOW_S = 1700000060 }; /* a minute after SINCE */

static json_t *batch;

static int end(void **state)
{
    (void)state;
    json_decref(batch);
    batch = NULL;
    return 0;
}

static void of(const char *text)
{
    json_error_t error;

    batch = json_loads(text, 0, &error);
    if (batch == NULL)
        fail_msg("%s", error.text);
}

#define HEAD                                                                                       \
    "{\"seq\":9,\"cluster\":\"c1\",\"instance\":\"lb2:9901\",\"url\":\"http://127.0.0.1:9901\","
#define RAISED                                                                                     \
    "{\"name\":\"TrafficConcentration\",\"severity\":\"page\",\"pool\":\"api\",\"server\":\"s1\"," \
    "\"ref\":\"capacity\",\"since\":\"" SINCE "\",\"summary\":\"97%\",\"description\":\"d\","      \
    "\"change\":\"chg_1\",\"revision\":42,\"author\":\"ann\",\"approvers\":[\"bob\",\"cat\"],"     \
    "\"revert\":\"curl\",\"runbook\":\"https://wiki/x.md\",\"seq\":7}"
#define OVER                                                                                       \
    "{\"name\":\"ServerDown\",\"severity\":\"ticket\",\"pool\":\"api\",\"since\":\"" SINCE         \
    "\",\"ended\":\"2023-11-14T22:14:00.000Z\",\"seq\":8}"

/* json_string of payload[index].part.key; part NULL: of the alert itself */
static const char *text(const json_t *payload, size_t index, const char *part, const char *key)
{
    const json_t *alert = json_array_get(payload, index);
    const char *found = json_string_value(
        json_object_get(part != NULL ? json_object_get(alert, part) : alert, key));

    return found != NULL ? found : "";
}

static json_t *to_alertmanager(uint64_t seq, uint64_t floor)
{
    return alert_payload_alertmanager(batch, &(struct alert_seen){seq, floor},
                                      (int64_t)NOW_S * 1000);
}

static json_t *to_webhook(uint64_t seq, uint64_t floor)
{
    return alert_payload_webhook(batch, &(struct alert_seen){seq, floor});
}

static void an_alertmanager_gets_labels_and_annotations(void **state)
{
    static const char *const labels[][2] = {
        {"alertname", "TrafficConcentration"},
        {"severity", "page"},
        {"cluster", "c1"},
        {"instance", "lb2:9901"},
        {"pool", "api"},
        {"server", "s1"},
        {"ref", "capacity"},
    };
    static const char *const annotations[][2] = {
        {"summary", "97%"},
        {"description", "d"},
        {"runbook_url", "https://wiki/x.md"},
        {"change", "chg_1"},
        {"revision", "42"},
        {"author", "ann"},
        {"approvers", "bob, cat"},
        {"suggested_action", "curl"},
    };
    json_t *payload;

    (void)state;
    of(HEAD "\"raised\":[" RAISED "],\"over\":[]}");
    payload = to_alertmanager(0, 0);
    assert_int_equal(json_array_size(payload), 1);
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
        assert_string_equal(text(payload, 0, "labels", labels[i][0]), labels[i][1]);
    assert_int_equal(json_object_size(json_object_get(json_array_get(payload, 0), "labels")), 7);
    for (size_t i = 0; i < sizeof(annotations) / sizeof(annotations[0]); i++)
        assert_string_equal(text(payload, 0, "annotations", annotations[i][0]), annotations[i][1]);
    assert_string_equal(text(payload, 0, NULL, "startsAt"), SINCE);
    assert_string_equal(text(payload, 0, NULL, "endsAt"), "2023-11-14T22:17:20.000Z");
    assert_string_equal(text(payload, 0, NULL, "generatorURL"),
                        "http://127.0.0.1:9901/v1/pools/api/distribution");
    json_decref(payload);
}

static void what_is_raised_is_sent_again_and_an_end_once(void **state)
{
    json_t *payload;

    (void)state;
    of(HEAD "\"raised\":[" RAISED "],\"over\":[" OVER "]}");
    payload = to_alertmanager(0, 0);
    assert_int_equal(json_array_size(payload), 2);
    assert_string_equal(text(payload, 1, "labels", "alertname"), "ServerDown");
    assert_string_equal(text(payload, 1, NULL, "endsAt"), "2023-11-14T22:14:00.000Z");
    json_decref(payload);
    payload = to_alertmanager(9, 0);
    assert_int_equal(json_array_size(payload), 1);
    assert_string_equal(text(payload, 0, "labels", "alertname"), "TrafficConcentration");
    json_decref(payload);
}

static void a_webhook_gets_each_move_once(void **state)
{
    json_t *payload;

    (void)state;
    of(HEAD "\"raised\":[" RAISED "],\"over\":[" OVER "]}");
    payload = to_webhook(0, 0);
    assert_int_equal(json_array_size(payload), 2);
    assert_string_equal(text(payload, 0, NULL, "status"), "raised");
    assert_string_equal(text(payload, 0, NULL, "revert"), "curl");
    assert_string_equal(text(payload, 0, NULL, "instance"), "lb2:9901");
    assert_null(json_object_get(json_array_get(payload, 0), "seq"));
    assert_string_equal(text(payload, 1, NULL, "status"), "over");
    json_decref(payload);
    payload = to_webhook(7, 0);
    assert_int_equal(json_array_size(payload), 1);
    assert_string_equal(text(payload, 0, NULL, "name"), "ServerDown");
    json_decref(payload);
    assert_null(to_webhook(9, 0));
}

static void who_comes_later_does_not_hear_of_what_was_over(void **state)
{
    json_t *payload;

    (void)state;
    of(HEAD "\"raised\":[" RAISED "],\"over\":[" OVER "]}");
    payload = to_webhook(0, 8);
    assert_int_equal(json_array_size(payload), 1);
    assert_string_equal(text(payload, 0, NULL, "status"), "raised");
    json_decref(payload);
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    of(HEAD "\"raised\":[],\"over\":[]}");
    assert_null(to_alertmanager(0, 0));
    assert_null(to_webhook(0, 0));
}

/* Alertmanager refuses an end before the beginning. */
static void a_clock_that_was_set_back_makes_no_end_before_its_beginning(void **state)
{
    json_t *payload;

    (void)state;
    of(HEAD "\"raised\":[{\"name\":\"A\",\"since\":\"2033-01-01T00:00:00.000Z\",\"seq\":1}],"
            "\"over\":[{\"name\":\"B\",\"since\":\"2033-01-01T00:00:00.000Z\","
            "\"ended\":\"2023-01-01T00:00:00.000Z\",\"seq\":2}]}");
    payload = to_alertmanager(0, 0);
    for (size_t i = 0; i < 2; i++)
        assert_true(strcmp(text(payload, i, NULL, "startsAt"), text(payload, i, NULL, "endsAt")) <=
                    0);
    assert_string_equal(text(payload, 0, NULL, "generatorURL"), "http://127.0.0.1:9901/v1/alerts");
    json_decref(payload);
}

static void the_change_that_it_is_about_is_a_label(void **state)
{
    json_t *payload;

    (void)state;
    of(HEAD
       "\"raised\":[{\"name\":\"A\",\"about\":\"chg_1\",\"change\":\"chg_1\",\"since\":\"" SINCE
       "\",\"seq\":1}],\"over\":[]}");
    payload = to_alertmanager(0, 0);
    assert_string_equal(text(payload, 0, "labels", "change"), "chg_1");
    json_decref(payload);
    payload = to_webhook(0, 0);
    assert_null(json_object_get(json_array_get(payload, 0), "about"));
    json_decref(payload);
}

static void more_approvers_than_fit_are_cut(void **state)
{
    json_t *list, *payload;

    (void)state;
    of(HEAD "\"raised\":[" RAISED "],\"over\":[]}");
    list = json_object_get(json_array_get(json_object_get(batch, "raised"), 0), "approvers");
    for (unsigned i = 0; i < 500; i++)
        json_array_append_new(list, json_string("somebody"));
    payload = to_alertmanager(0, 0);
    assert_true(strlen(text(payload, 0, "annotations", "approvers")) < 512);
    json_decref(payload);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_alertmanager_gets_labels_and_annotations),
        TEST(what_is_raised_is_sent_again_and_an_end_once),
        TEST(a_webhook_gets_each_move_once),
        TEST(who_comes_later_does_not_hear_of_what_was_over),
        TEST(nothing_is_nothing),
        TEST(a_clock_that_was_set_back_makes_no_end_before_its_beginning),
        TEST(the_change_that_it_is_about_is_a_label),
        TEST(more_approvers_than_fit_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
