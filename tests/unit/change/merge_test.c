/*
 * merge_test - patches, deletions, three ways, canonical bytes, and the difference that is shown.
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

#include "base/arena.h"
#include "base/memory.h"
#include "change/merge.h"
#include "change/refusal.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

static json_t *json(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

    if (value == NULL)
        print_message("%s: %s\n", text, error.text);
    assert_non_null(value);
    return value;
}

/* Takes `value`. */
static void assert_json(json_t *value, const char *expected)
{
    json_t *wanted = json(expected);
    char *text = merge_canonical(value, NULL);
    char *wanted_text = merge_canonical(wanted, NULL);

    assert_string_equal(text, wanted_text);
    xfree(text);
    xfree(wanted_text);
    json_decref(wanted);
    json_decref(value);
}

/* ---- merge patch ---- */

/* RFC 7396, appendix A. */
static const struct {
    const char *original;
    const char *patch;
    const char *result;
} rfc7396[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"a\":\"foo\"}", "null", "null"},
    {"{\"a\":\"foo\"}", "\"bar\"", "\"bar\""},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
};

static void a_merge_patch_does_what_the_examples_of_rfc_7396_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rfc7396) / sizeof(rfc7396[0]); i++) {
        json_t *original = json(rfc7396[i].original);
        json_t *patch = json(rfc7396[i].patch);

        assert_json(merge_patch(original, patch), rfc7396[i].result);
        assert_json(original, rfc7396[i].original); /* neither argument was touched */
        assert_json(patch, rfc7396[i].patch);
    }
}

static void the_result_shares_nothing_with_what_it_was_made_of(void **state)
{
    json_t *base = json("{\"a\":{\"b\":{\"c\":1}},\"d\":[1]}");
    json_t *patch = json("{\"e\":{\"f\":2}}");
    json_t *result = merge_patch(base, patch);

    (void)state;
    json_object_set_new(json_object_get(json_object_get(result, "a"), "b"), "c", json_integer(9));
    json_array_append_new(json_object_get(result, "d"), json_integer(9));
    json_object_set_new(json_object_get(result, "e"), "f", json_integer(9));
    assert_json(base, "{\"a\":{\"b\":{\"c\":1}},\"d\":[1]}");
    assert_json(patch, "{\"e\":{\"f\":2}}");
    json_decref(result);
}

static uint32_t dice;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 16) % sides;
}

/* Few names and few values, so that two of them have much in common. */
static json_t *random_value(unsigned depth)
{
    json_t *value;
    uint32_t members = roll(4);

    if (depth == 0 || roll(3) == 0) {
        switch (roll(4)) {
        case 0: return json_integer(roll(3));
        case 1: return json_string(roll(2) == 0 ? "x" : "");
        case 2: return json_boolean((int)roll(2));
        default: return json_pack("[i]", (int)roll(2));
        }
    }
    value = json_object();
    for (uint32_t i = 0; i < members; i++) {
        char name[2] = {(char)('a' + roll(4)), '\0'};

        json_object_set_new(value, name, random_value(depth - 1));
    }
    return value;
}

static void the_patch_between_two_makes_the_second_of_the_first(void **state)
{
    (void)state;
    dice = 7;
    for (int i = 0; i < 20000; i++) {
        json_t *base = random_value(4);
        json_t *target = random_value(4);
        json_t *patch = merge_patch_between(base, target);
        json_t *result = merge_patch(base, patch);

        assert_true(json_equal(result, target));
        json_decref(result);
        json_decref(patch);
        json_decref(target);
        json_decref(base);
    }
}

static void a_patch_names_only_what_differs(void **state)
{
    json_t *base = json("{\"p\":{\"a\":{\"w\":1,\"x\":[1]},\"b\":{\"w\":2},\"c\":{}}}");
    json_t *target = json("{\"p\":{\"a\":{\"w\":5,\"x\":[1]},\"c\":{},\"d\":{}}}");

    (void)state;
    assert_json(merge_patch_between(base, target), "{\"p\":{\"a\":{\"w\":5},\"b\":null,\"d\":{}}}");
    assert_json(merge_patch_between(base, base), "{}");
    json_decref(base);
    json_decref(target);
}

/* ---- deletions ---- */

static void deletions_are_the_topmost_things_that_are_gone(void **state)
{
    json_t *base = json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":1},\"s2\":{}},"
                        "\"tls\":{}},\"api\":{\"servers\":{\"s1\":{}}}},\"routes\":{\"a/b~c\":{}},"
                        "\"process\":{\"workers\":1}}");
    json_t *target = json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{},\"s3\":{}},\"tls\":{}}},"
                          "\"routes\":{},\"process\":{\"workers\":2}}");

    (void)state;
    assert_json(merge_deletions(base, target),
                "[\"/pools/api\",\"/pools/shop/servers/s1/weight\",\"/pools/shop/servers/s2\","
                "\"/routes/a~1b~0c\"]");
    assert_json(merge_deletions(base, base), "[]");
    json_decref(base);
    json_decref(target);
}

static void assert_deletes(const char *deletes, const char *problem, const char *pointer)
{
    json_t *base = json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":1},\"s2\":{}}},"
                        "\"shop2\":{\"servers\":{\"s1\":{}}}},\"routes\":{\"r\":{}}}");
    json_t *target = json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{}}}},\"routes\":{\"r\":{}}}");
    json_t *list = json(deletes);
    struct refusal refusal = {0};
    const json_t *error;

    assert_int_equal(merge_check_deletes(base, target, list, &refusal), problem == NULL);
    if (problem != NULL) {
        assert_string_equal(refusal.problem, problem);
        error = json_array_get(json_object_get(refusal.fields, "errors"), 0);
        assert_string_equal(json_string_value(json_object_get(error, "pointer")), pointer);
    }
    refusal_clear(&refusal);
    json_decref(list);
    json_decref(base);
    json_decref(target);
}

static void every_deletion_is_listed_and_every_entry_deletes(void **state)
{
    (void)state;
    assert_deletes(
        "[\"/pools/shop2\",\"/pools/shop/servers/s2\",\"/pools/shop/servers/s1/weight\"]", NULL,
        NULL);
    assert_deletes("[\"/pools/shop\",\"/pools/shop2\"]", NULL, NULL); /* something above */
    assert_deletes("[\"/pools/shop\",\"/pools/shop2\",\"/pools/shop2/servers/s1\"]", NULL, NULL);
    assert_deletes("[\"/pools/shop2\"]", "unlisted-delete", "/pools/shop/servers/s1/weight");
    assert_deletes("[\"/pools/shop\"]", "unlisted-delete", "/pools/shop2"); /* not its prefix */
    assert_deletes("[]", "unlisted-delete", "/pools/shop/servers/s1/weight");
    assert_deletes("[\"/pools/shop\",\"/pools/shop2\",\"/routes/r\"]", "invalid-field",
                   "/deletes/2");
    assert_deletes("[\"/pools/shop\",\"/pools/shop2\",\"/pools/shop2/servers/s9\"]",
                   "invalid-field", "/deletes/2");
    assert_deletes("[7,\"/pools/shop\",\"/pools/shop2\"]", "invalid-field", "/deletes/0");
}

static void naming_a_section_lists_nothing_inside_of_it(void **state)
{
    (void)state;
    assert_deletes("[\"/pools\"]", "invalid-field", "/deletes/0");
    assert_deletes("[\"\"]", "invalid-field", "/deletes/0");
}

static void a_section_that_goes_as_a_whole_is_listed_by_its_name(void **state)
{
    json_t *base = json("{\"routes\":{\"r\":{}},\"pools\":{}}");
    json_t *target = json("{\"pools\":{}}");
    json_t *deletes = json("[\"/routes\"]");

    (void)state;
    assert_true(merge_check_deletes(base, target, deletes, NULL));
    json_decref(base);
    json_decref(target);
    json_decref(deletes);
}

/* ---- three ways ---- */

static const struct {
    const char *base, *mine, *theirs, *result, *conflicts;
} ways[] = {
    /* one side only */
    {"{\"a\":1}", "{\"a\":2}", "{\"a\":1}", "{\"a\":2}", "[]"},
    {"{\"a\":1}", "{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "[]"},
    /* both, apart from each other */
    {"{\"p\":{\"a\":1,\"b\":1}}", "{\"p\":{\"a\":2,\"b\":1}}", "{\"p\":{\"a\":1,\"b\":2}}",
     "{\"p\":{\"a\":2,\"b\":2}}", "[]"},
    {"{\"p\":{}}", "{\"p\":{\"a\":1}}", "{\"p\":{\"b\":2}}", "{\"p\":{\"a\":1,\"b\":2}}", "[]"},
    /* both the same */
    {"{\"a\":1}", "{\"a\":2}", "{\"a\":2}", "{\"a\":2}", "[]"},
    {"{\"a\":1}", "{}", "{}", "{}", "[]"},
    /* both, differently: as theirs */
    {"{\"p\":{\"a\":1,\"b\":1}}", "{\"p\":{\"a\":2,\"b\":5}}", "{\"p\":{\"a\":3,\"b\":1}}",
     "{\"p\":{\"a\":3,\"b\":5}}", "[\"/p/a\"]"},
    {"{\"l\":[1]}", "{\"l\":[1,2]}", "{\"l\":[1,3]}", "{\"l\":[1,3]}", "[\"/l\"]"},
    /* gone on one side, changed or not on the other */
    {"{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"a\":1,\"b\":2}", "{\"b\":2}", "[]"},
    {"{\"s\":{\"w\":1}}", "{}", "{\"s\":{\"w\":2}}", "{\"s\":{\"w\":2}}", "[\"/s\"]"},
    {"{\"s\":{\"w\":1}}", "{\"s\":{\"w\":2}}", "{}", "{}", "[\"/s\"]"},
    /* both added one of that name */
    {"{}", "{\"s\":{\"x\":1,\"y\":1}}", "{\"s\":{\"x\":2,\"z\":1}}",
     "{\"s\":{\"x\":2,\"y\":1,\"z\":1}}", "[\"/s/x\"]"},
};

static void three_ways_become_one_and_conflicts_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        json_t *base = json(ways[i].base);
        json_t *mine = json(ways[i].mine);
        json_t *theirs = json(ways[i].theirs);
        json_t *conflicts = NULL;

        assert_json(merge_three_way(base, mine, theirs, &conflicts), ways[i].result);
        assert_json(conflicts, ways[i].conflicts);
        json_decref(base);
        json_decref(mine);
        json_decref(theirs);
    }
}

static void changes_of_one_side_alone_are_never_in_conflict(void **state)
{
    (void)state;
    dice = 11;
    for (int i = 0; i < 5000; i++) {
        json_t *base = random_value(4);
        json_t *other = random_value(4);
        json_t *conflicts[2] = {0};
        json_t *mine = merge_three_way(base, other, base, &conflicts[0]);
        json_t *theirs = merge_three_way(base, base, other, &conflicts[1]);

        assert_true(json_equal(mine, other));
        assert_true(json_equal(theirs, other));
        assert_int_equal(json_array_size(conflicts[0]) + json_array_size(conflicts[1]), 0);
        json_decref(conflicts[0]);
        json_decref(conflicts[1]);
        json_decref(mine);
        json_decref(theirs);
        json_decref(base);
        json_decref(other);
    }
}

/* ---- bytes ---- */

static void canonical_bytes_are_those_of_the_configuration(void **state)
{
    static const char text[] =
        "{\"routes\":{\"b\":{\"pool\":\"p\",\"hosts\":[\"b.example\",\"a.example\"]},"
        "\"a\":{\"respond\":{\"body\":\"caf\\u00e9 / \\\"x\\\" \\u0009 \\ud83d\\ude00\","
        "\"status\":200}}},\n  \"pools\" : {\"p\":{\"servers\":{\"s1\":{\"weight\":7,"
        "\"address\":\"10.0.0.1:80\",\"backup\":false}}}}}";
    const char *names[] = {"a.json"};
    struct slice bytes[] = {slice_from(text)};
    struct arena *arena = arena_new(4096);
    struct findings findings;
    struct configuration *conf;
    json_t *value = json(text);
    size_t written;
    char *canonical = merge_canonical(value, &written);

    (void)state;
    findings_init(&findings, arena);
    conf = config_load_documents(names, bytes, 1, &findings);
    assert_non_null(conf);
    assert_int_equal(written, conf->canonical_bytes);
    assert_memory_equal(canonical, conf->canonical, written);
    config_free(&conf);
    findings_fini(&findings);
    arena_free(&arena);
    xfree(canonical);
    json_decref(value);
}

/* ---- the difference that is shown ---- */

static void the_difference_tells_what_was_added_removed_and_changed(void **state)
{
    json_t *before = json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":1},\"s2\":{}}}}}");
    json_t *after =
        json("{\"pools\":{\"shop\":{\"servers\":{\"s1\":{\"weight\":5},\"s4\":{\"weight\":2}}}}}");
    json_t *diff = merge_diff(before, after);
    char *text = merge_diff_text(diff);

    (void)state;
    assert_string_equal(text, "~ /pools/shop/servers/s1/weight  1 -> 5\n"
                              "- /pools/shop/servers/s2  {}\n"
                              "+ /pools/shop/servers/s4  {\"weight\":2}\n");
    xfree(text);
    assert_json(diff,
                "[{\"op\":\"change\",\"pointer\":\"/pools/shop/servers/s1/weight\",\"before\":1,"
                "\"after\":5},{\"op\":\"remove\",\"pointer\":\"/pools/shop/servers/s2\","
                "\"before\":{}},{\"op\":\"add\",\"pointer\":\"/pools/shop/servers/s4\","
                "\"after\":{\"weight\":2}}]");
    json_decref(before);
    json_decref(after);
}

static void no_difference_shows_a_token(void **state)
{
    static const char *const sides[][2] = {
        {"{}", "{\"people\":{\"ann\":{\"roles\":[],\"tokens\":[\"sha256:5ec\"]}}}"},
        {"{\"people\":{}}", "{\"people\":{\"ann\":{\"roles\":[],\"tokens\":[\"sha256:5ec\"]}}}"},
        {"{\"people\":{\"ann\":{}}}", "{\"people\":{\"ann\":{\"tokens\":[\"sha256:5ec\"]}}}"},
        {"{\"people\":{\"ann\":{\"tokens\":[]}}}",
         "{\"people\":{\"ann\":{\"tokens\":[{\"id\":\"l\",\"hash\":\"sha256:5ec\"}]}}}"},
        {"{\"people\":{\"ann\":{\"tokens\":{\"a\":{}}}}}",
         "{\"people\":{\"ann\":{\"tokens\":{\"a\":{\"hash\":\"sha256:5ec\"}}}}}"},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(sides) / sizeof(sides[0]); i++) {
        json_t *before = json(sides[i / 2][i % 2]);
        json_t *after = json(sides[i / 2][1 - i % 2]);
        json_t *diff = merge_diff(before, after);
        char *text = merge_diff_text(diff);

        assert_int_equal(json_array_size(diff), 1);
        assert_non_null(strstr(text, "changed (secret)"));
        assert_null(strstr(text, "5ec"));
        xfree(text);
        json_decref(diff);
        json_decref(before);
        json_decref(after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_patch_does_what_the_examples_of_rfc_7396_say),
        cmocka_unit_test(the_result_shares_nothing_with_what_it_was_made_of),
        cmocka_unit_test(the_patch_between_two_makes_the_second_of_the_first),
        cmocka_unit_test(a_patch_names_only_what_differs),
        cmocka_unit_test(deletions_are_the_topmost_things_that_are_gone),
        cmocka_unit_test(every_deletion_is_listed_and_every_entry_deletes),
        cmocka_unit_test(naming_a_section_lists_nothing_inside_of_it),
        cmocka_unit_test(a_section_that_goes_as_a_whole_is_listed_by_its_name),
        cmocka_unit_test(three_ways_become_one_and_conflicts_are_named),
        cmocka_unit_test(changes_of_one_side_alone_are_never_in_conflict),
        cmocka_unit_test(canonical_bytes_are_those_of_the_configuration),
        cmocka_unit_test(the_difference_tells_what_was_added_removed_and_changed),
        cmocka_unit_test(no_difference_shows_a_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
