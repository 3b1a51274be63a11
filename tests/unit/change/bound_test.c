/*
 * bound_test - the bytes that an approval binds, and their digest.
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

#include "base/memory.h"
#include "change/bound.h"
#include "change/change.h"

static const struct bound_facts facts = {
    .cluster = "8f14e45f-ceea-467f-a8f3-3c4d5e6f7a8b",
    .nonce = "00112233445566778899aabbccddeeff",
    .diff_digest = "sha256:d1ff",
    .impact_digest = "sha256:1234",
};

static void fill(struct change *change)
{
    *change = (struct change){
        .iteration = 3,
        .base_rev = 41,
        .class = 3,
        .required = 2,
        .confirm_deadline_ms = 600000,
        .confirm_min_bake_ms = 30000,
    };
    (void)snprintf(change->id, sizeof(change->id), "chg_01J");
    (void)snprintf(change->base_digest, sizeof(change->base_digest), "sha256:ba5e");
    (void)snprintf(change->target_digest, sizeof(change->target_digest), "sha256:7a49");
    (void)snprintf(change->policy_digest, sizeof(change->policy_digest), "sha256:9011");
    change->deletes = json_pack("[s]", "/pools/shop/servers/s9");
    change->override = json_pack("[s]", "D001");
    change->files = json_pack("{s:s}", "tls/a.pem", "sha256:f11e");
    change->contributors = json_pack("[s,s]", "ann", "cat");
    change->required_factors = json_pack("[{s:s,s:i}]", "group", "netops", "n", 2);
}

static void clear(struct change *change)
{
    json_decref(change->deletes);
    json_decref(change->override);
    json_decref(change->overrides);
    json_decref(change->files);
    json_decref(change->contributors);
    json_decref(change->required_factors);
}

static void a_bound_object_has_these_members_sorted_and_compact(void **state)
{
    struct change change;
    size_t bytes;
    char *text;

    (void)state;
    fill(&change);
    text = bound_write(&change, &facts, &bytes);
    assert_string_equal(
        text,
        "{\"apply\":{\"auto\":false,\"confirm\":{\"deadline\":\"10m\",\"min_bake\":\"30s\","
        "\"mode\":\"manual\"},\"not_after\":null,\"not_before\":null,\"rollout\":null},"
        "\"base\":{\"digest\":\"sha256:ba5e\",\"rev\":41},\"change\":\"chg_01J\","
        "\"cluster\":\"8f14e45f-ceea-467f-a8f3-3c4d5e6f7a8b\",\"contributors\":[\"ann\",\"cat\"],"
        "\"deletes\":[\"/pools/shop/servers/s9\"],\"diff\":\"sha256:d1ff\","
        "\"files\":{\"tls/a.pem\":\"sha256:f11e\"},\"findings_overridden\":[\"D001\"],"
        "\"impact\":{\"class\":3,\"summary\":\"sha256:1234\"},\"iteration\":3,"
        "\"nonce\":\"00112233445566778899aabbccddeeff\",\"policy\":\"sha256:9011\","
        "\"required\":[{\"group\":\"*\",\"n\":2},{\"group\":\"netops\",\"n\":2}],"
        "\"target\":\"sha256:7a49\",\"v\":1}");
    assert_int_equal(bytes, strlen(text));
    xfree(text);
    clear(&change);
}

static void what_was_left_out_is_bound_as_empty(void **state)
{
    struct change change = {.id = "chg_1"};
    size_t bytes;
    char *text = bound_write(&change, &facts, &bytes);

    (void)state;
    assert_non_null(strstr(text, "\"deletes\":[]"));
    assert_non_null(strstr(text, "\"files\":{}"));
    assert_non_null(strstr(text, "\"findings_overridden\":[]"));
    assert_non_null(strstr(text, "\"contributors\":[]"));
    assert_null(strstr(text, "overrides"));
    xfree(text);
}

/* Each changes one thing; the digest must move with each. */
static void change_one_thing(struct change *change, struct bound_facts *facts_of, int which)
{
    switch (which) {
    case 0: change->iteration++; break;
    case 1: change->base_rev++; break;
    case 2: change->class --; break;
    case 3: change->required--; break;
    case 4: change->confirm_deadline_ms += 1000; break;
    case 5: change->confirm_min_bake_ms += 1000; break;
    case 6: change->confirm_is_auto = true; break;
    case 7: change->is_auto_apply = true; break;
    case 8: change->not_before_ms = 1; break;
    case 9: change->not_after_ms = 1; break;
    case 10: change->id[4] = '9'; break;
    case 11: change->base_digest[7] = '0'; break;
    case 12: change->target_digest[7] = '0'; break;
    case 13: change->policy_digest[7] = '0'; break;
    case 14: json_array_clear(change->deletes); break;
    case 15: json_array_clear(change->override); break;
    case 16: json_object_clear(change->files); break;
    case 17: json_array_remove(change->contributors, 1); break;
    case 18: json_array_clear(change->required_factors); break;
    case 19:
        change->overrides = json_pack("[{s:s,s:s,s:i}]", "pool", "p", "server", "s1", "weight", 0);
        break;
    case 20: facts_of->cluster = "other"; break;
    case 21: facts_of->nonce = "other"; break;
    case 22: facts_of->diff_digest = "other"; break;
    default: facts_of->impact_digest = "other"; break;
    }
}

static void every_fact_moves_the_digest(void **state)
{
    char seen[26][DIGEST_TEXT];
    int count = 0;

    (void)state;
    for (int which = -1; which < 24; which++) {
        struct bound_facts facts_of = facts;
        struct change change;
        size_t bytes;
        char *text;

        fill(&change);
        if (which >= 0)
            change_one_thing(&change, &facts_of, which);
        text = bound_write(&change, &facts_of, &bytes);
        bound_digest(slice_of(text, bytes), seen[count]);
        for (int i = 0; i < count; i++)
            assert_string_not_equal(seen[i], seen[count]);
        count++;
        xfree(text);
        clear(&change);
    }
}

/* printf 'twokey-change-v1\n{"v":1}' | sha256sum */
static void the_digest_is_what_a_shell_computes(void **state)
{
    char text[DIGEST_TEXT];

    (void)state;
    assert_string_equal(bound_digest(SLICE("{\"v\":1}"), text),
                        "sha256:ffaa2395dbb764edf05f5aac590d7b99801d9cdc0756d92715c54d89f1cf23a7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_object_has_these_members_sorted_and_compact),
        cmocka_unit_test(what_was_left_out_is_bound_as_empty),
        cmocka_unit_test(every_fact_moves_the_digest),
        cmocka_unit_test(the_digest_is_what_a_shell_computes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
