/*
 * rollout_test - the steps of a rollout as they are asked for and bound, and what is tried on a
 * share.
 *
 * Threads  the first
 */
#include "tests/support/ledger_fixture.h"

#include "change/rollout.h"

#define WEIGHT "{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":90}}}}}"

static struct {
    unsigned count;
    char pointer[64];
    char message[256];
} mistake; /* the last one */

static void note_mistake(void *context, const char *pointer, const char *message)
{
    (void)context;
    mistake.count++;
    (void)snprintf(mistake.pointer, sizeof(mistake.pointer), "%s", pointer);
    (void)snprintf(mistake.message, sizeof(mistake.message), "%s", message);
}

static struct change *read_steps(const char *text)
{
    json_t *asked = json_loads(text, JSON_DECODE_ANY, NULL);
    struct change *change = change_new();

    assert_non_null(asked);
    memset(&mistake, 0, sizeof(mistake));
    change->rollout = rollout_read(asked, note_mistake, NULL);
    json_decref(asked);
    return change;
}

static void assert_wrong(const char *text, const char *pointer, const char *word)
{
    struct change *change = read_steps(text);

    if (mistake.count == 0 || strcmp(mistake.pointer, pointer) != 0 ||
        strstr(mistake.message, word) == NULL)
        fail_msg("%s: %u mistakes, %s %s", text, mistake.count, mistake.pointer, mistake.message);
    assert_null(change->rollout);
    change_free(&change);
}

static void steps_are_read_with_their_times(void **state)
{
    struct change *change =
        read_steps("[{\"percent\":1,\"for\":\"30s\"},{\"for\":\"1m\",\"percent\":10}]");

    (void)state;
    assert_int_equal(mistake.count, 0);
    assert_int_equal(rollout_steps(change), 2);
    assert_int_equal(rollout_percent(change, 0), 1);
    assert_int_equal(rollout_percent(change, 1), 10);
    assert_int_equal(rollout_step_ms(change, 0), 30000);
    assert_int_equal(rollout_left_ms(change, 0), 90000);
    assert_int_equal(rollout_left_ms(change, 1), 60000);
    assert_int_equal(rollout_left_ms(change, 2), 0);
    change_free(&change);
}

static void none_is_none(void **state)
{
    const char *const texts[] = {"null", "[]"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct change *change = read_steps(texts[i]);

        assert_int_equal(mistake.count, 0);
        assert_int_equal(rollout_steps(change), 0);
        change_free(&change);
    }
}

static void every_mistake_has_its_place(void **state)
{
    (void)state;
    assert_wrong("{}", "/rollout", "list");
    assert_wrong("[1]", "/rollout/0", "percent");
    assert_wrong("[{\"percent\":1}]", "/rollout/0", "for");
    assert_wrong("[{\"percent\":1,\"for\":\"30s\",\"x\":1}]", "/rollout/0", "percent");
    assert_wrong("[{\"percent\":0,\"for\":\"30s\"}]", "/rollout/0/percent", "1 to 99");
    assert_wrong("[{\"percent\":100,\"for\":\"30s\"}]", "/rollout/0/percent", "1 to 99");
    assert_wrong("[{\"percent\":1.5,\"for\":\"30s\"}]", "/rollout/0/percent", "whole");
    assert_wrong("[{\"percent\":5,\"for\":\"30s\"},{\"percent\":5,\"for\":\"30s\"}]",
                 "/rollout/1/percent", "more than the 5");
    assert_wrong("[{\"percent\":5,\"for\":\"9s\"}]", "/rollout/0/for", "10s");
    assert_wrong("[{\"percent\":5,\"for\":30}]", "/rollout/0/for", "duration");
    assert_wrong("[{\"percent\":5,\"for\":\"61m\"}]", "/rollout/0/for", "60m");
    assert_wrong("[{\"percent\":5,\"for\":\"40m\"},{\"percent\":6,\"for\":\"21m\"}]", "/rollout",
                 "in all");
}

static void no_more_than_ten_steps(void **state)
{
    char text[1024] = "[";
    struct change *change;

    (void)state;
    for (int i = 1; i <= 10; i++) {
        size_t at = strlen(text);

        (void)snprintf(text + at, sizeof(text) - at, "%s{\"percent\":%d,\"for\":\"10s\"}",
                       i > 1 ? "," : "", i);
    }
    (void)strncat(text, "]", 2);
    change = read_steps(text);
    assert_int_equal(rollout_steps(change), 10);
    change_free(&change);
    text[strlen(text) - 1] = '\0';
    (void)strncat(text, ",{\"percent\":20,\"for\":\"10s\"}]", 64);
    assert_wrong(text, "/rollout", "10 steps");
}

/* ---- with the ledger ---- */

static void create(const char *patch, const char *rest, bool is_submitted)
{
    char body[2048];

    (void)snprintf(body, sizeof(body), "{\"title\":\"t\",\"reason\":\"r\",\"patch\":%s,%s}", patch,
                   rest);
    (void)create_as(who("ann"), body, is_submitted);
}

static void what_is_approved_names_the_steps(void **state)
{
    const char *digest;
    struct buffer bytes;
    json_t *bound;

    (void)state;
    create(WEIGHT, "\"rollout\":[{\"percent\":1,\"for\":\"30s\"}]", true);
    assert_string_equal(problem(), "");
    assert_int_equal(json_array_size(json_object_get(world.answer, "rollout")), 1);
    buffer_init(&bytes);
    assert_true(ledger_bound_bytes(world.ledger, said("id"), &bytes, &world.refusal));
    bound = json_loadb(buffer_slice(&bytes).at, buffer_length(&bytes), 0, NULL);
    digest = json_string_value(json_object_get(json_object_get(bound, "apply"), "rollout"));
    /* printf '[{"for":"30s","percent":1}]' | sha256sum */
    assert_string_equal(digest, "sha256:"
                                "28405f700d22262bb5c37916b2e4c6c24d0981bc5bb0226e0e37a3441ddc8894");
    json_decref(bound);
    buffer_fini(&bytes);
}

static void it_ends_within_the_hour_with_the_time_to_confirm(void **state)
{
    (void)state;
    create(WEIGHT, "\"rollout\":[{\"percent\":1,\"for\":\"51m\"}]", false);
    assert_string_equal(problem(), "invalid-field");
    create(WEIGHT, "\"rollout\":[{\"percent\":1,\"for\":\"50m\"}]", false);
    assert_string_equal(problem(), "");
}

static void a_patch_of_the_change_keeps_or_drops_them(void **state)
{
    char id[CHANGE_ID_TEXT];
    char etag[DIGEST_TEXT];

    (void)state;
    create(WEIGHT, "\"rollout\":[{\"percent\":1,\"for\":\"30s\"}]", false);
    (void)snprintf(id, sizeof(id), "%s", said("id"));
    (void)snprintf(etag, sizeof(etag), "%s", said("etag"));
    assert_string_equal(edit_as("ann", id, etag, "{\"title\":\"other\"}"), "");
    assert_int_equal(json_array_size(json_object_get(world.answer, "rollout")), 1);
    (void)snprintf(etag, sizeof(etag), "%s", said("etag"));
    assert_string_equal(edit_as("ann", id, etag, "{\"confirm\":{\"deadline\":\"60m\"}}"),
                        "invalid-field");
    assert_string_equal(edit_as("ann", id, etag, "{\"rollout\":null}"), "");
    assert_int_equal(json_array_size(json_object_get(world.answer, "rollout")), 0);
}

static void what_touches_neither_pools_nor_routes_is_not_tried(void **state)
{
    (void)state;
    create("{\"process\":{\"shutdown_timeout\":\"31s\"}}",
           "\"rollout\":[{\"percent\":1,\"for\":\"30s\"}]", true);
    assert_string_equal(problem(), "invalid-field");
    assert_non_null(strstr(world.refusal.detail, "neither"));
}

static void a_route_of_a_listener_that_does_not_run_is_not_tried(void **state)
{
    (void)state;
    create("{\"listeners\":{\"more\":{\"address\":\"127.0.0.1:8081\"}},"
           "\"routes\":{\"more\":{\"pool\":\"shop\",\"path_prefix\":\"/"
           "m\",\"listeners\":[\"more\"]}}}",
           "\"rollout\":[{\"percent\":1,\"for\":\"30s\"}]", true);
    assert_string_equal(problem(), "invalid-field");
    assert_non_null(strstr(world.refusal.detail, "listener more"));
}

static void what_is_tried_has_the_listeners_that_run(void **state)
{
    json_t *running =
        json_loads("{\"listeners\":{\"a\":1},\"pools\":{\"p\":1},\"process\":1}", 0, NULL);
    json_t *target =
        json_loads("{\"listeners\":{\"a\":2},\"pools\":{\"q\":1},\"process\":2}", 0, NULL);
    json_t *wanted =
        json_loads("{\"listeners\":{\"a\":1},\"pools\":{\"q\":1},\"process\":1}", 0, NULL);
    json_t *tried = rollout_tried(running, target, &world.refusal);

    (void)state;
    assert_true(json_equal(tried, wanted));
    json_decref(running);
    json_decref(target);
    json_decref(wanted);
    json_decref(tried);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_read_with_their_times),
        cmocka_unit_test(none_is_none),
        cmocka_unit_test(every_mistake_has_its_place),
        cmocka_unit_test(no_more_than_ten_steps),
        cmocka_unit_test_setup_teardown(what_is_approved_names_the_steps, begin_enforced,
                                        end_enforced),
        cmocka_unit_test_setup_teardown(it_ends_within_the_hour_with_the_time_to_confirm,
                                        begin_enforced, end_enforced),
        cmocka_unit_test_setup_teardown(a_patch_of_the_change_keeps_or_drops_them, begin_enforced,
                                        end_enforced),
        cmocka_unit_test_setup_teardown(what_touches_neither_pools_nor_routes_is_not_tried,
                                        begin_enforced, end_enforced),
        cmocka_unit_test_setup_teardown(a_route_of_a_listener_that_does_not_run_is_not_tried,
                                        begin_enforced, end_enforced),
        cmocka_unit_test(what_is_tried_has_the_listeners_that_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
