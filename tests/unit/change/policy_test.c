/*
 * policy_test - how many must approve and who, whether they have, and when it may be applied.
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
#include "change/change.h"
#include "change/policy.h"
#include "config/finding.h"
#include "config/model.h"

/* ---- people ---- */

enum { PEOPLE_MAX = 8 };

static const char *const netops[] = {"netops"};
static const char *const app[] = {"app"};
static const char *const both[] = {"app", "netops"};

struct company {
    struct configuration conf;
    struct conf_person people[PEOPLE_MAX];
    struct conf_factor factors[2];
};

static struct conf_token token = {.id = "laptop"};

static struct conf_person *hire(struct company *company, const char *name)
{
    struct conf_person *person = &company->people[company->conf.person_count++];

    *person = (struct conf_person){.name = name,
                                   .kind = PERSON_HUMAN,
                                   .roles = ROLE_AUTHOR | ROLE_APPROVER,
                                   .tokens = &token,
                                   .token_count = 1};
    return person;
}

static void group(struct conf_person *person, const char *const *groups, size_t count)
{
    person->groups =
        (struct conf_strings){.items = (const char **)(uintptr_t)groups, .count = count};
}

static void found(struct company *company)
{
    *company = (struct company){0};
    company->conf.people = company->people;
    company->conf.policy.mode = POLICY_ENFORCED;
    company->conf.policy.approvals_normal = 1;
    company->conf.policy.approvals_high = 2;
    company->conf.policy.factors = company->factors;
}

/* ann, bob, cat, dan */
static void found_four(struct company *company)
{
    found(company);
    hire(company, "ann");
    hire(company, "bob");
    hire(company, "cat");
    hire(company, "dan");
}

static void ask(struct company *company, const char *of, uint32_t approvals)
{
    company->factors[company->conf.policy.factor_count++] =
        (struct conf_factor){.group = of, .approvals = approvals};
}

/* ---- the verdict ---- */

static void judge(struct company *company, bool is_high, bool is_import,
                  struct policy_verdict *verdict)
{
    json_t *base = json_pack("{s:{}}", "process");
    json_t *target = json_pack("{s:{s:i}}", is_high ? "people" : "process", "workers", 2);
    struct policy_subject subject = {.base = &company->conf,
                                     .target = &company->conf,
                                     .base_json = base,
                                     .target_json = target,
                                     .is_import = is_import};

    policy_judge(&subject, verdict);
    json_decref(base);
    json_decref(target);
}

static void assert_required(struct company *company, bool is_high, bool is_import,
                            uint32_t required)
{
    struct policy_verdict verdict;

    judge(company, is_high, is_import, &verdict);
    assert_int_equal(verdict.class, is_high ? 3 : 2);
    assert_int_equal(verdict.required, required);
    policy_verdict_clear(&verdict);
}

static void a_class_asks_for_as_many_as_the_policy_says(void **state)
{
    struct company company;

    (void)state;
    found_four(&company);
    assert_required(&company, false, false, 1);
    assert_required(&company, true, false, 2);
    company.conf.policy.approvals_normal = 3; /* class 3 is never easier than class 2 */
    assert_required(&company, false, false, 3);
    assert_required(&company, true, false, 3);
}

static void an_import_needs_one_more(void **state)
{
    struct company company;

    (void)state;
    found_four(&company);
    assert_required(&company, false, true, 2);
    assert_required(&company, true, true, 3);
}

static void factors_ask_for_a_person_each(void **state)
{
    struct company company;
    struct policy_verdict verdict;

    (void)state;
    found_four(&company);
    ask(&company, "netops", 1);
    assert_required(&company, false, false, 1);
    ask(&company, "app", 2);
    assert_required(&company, false, false, 3);
    assert_required(&company, true, true, 4);
    judge(&company, false, false, &verdict);
    assert_int_equal(json_array_size(verdict.factors), 2);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(verdict.factors, 1), "group")), "app");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(verdict.factors, 1), "n")),
                     2);
    policy_verdict_clear(&verdict);
}

static void nobody_is_asked_in_mode_off_or_where_nobody_is_known(void **state)
{
    struct company company;

    (void)state;
    found_four(&company);
    ask(&company, "netops", 1);
    company.conf.policy.mode = POLICY_OFF;
    assert_required(&company, true, true, 0);
    company.conf.policy.mode = POLICY_ADVISORY;
    assert_required(&company, true, false, 2);
    company.conf.person_count = 0;
    assert_required(&company, true, true, 0);
    company.conf.policy.mode = POLICY_ENFORCED;
    assert_required(&company, true, false, 2);
}

static void of_two_verdicts_the_stricter_counts_in_each_member(void **state)
{
    struct policy_verdict one = {.class = 2,
                                 .required = 1,
                                 .factors = json_pack("[{s:s,s:i},{s:s,s:i}]", "group", "netops",
                                                      "n", 1, "group", "app", "n", 2),
                                 .reasons = json_pack("[{s:s,s:i,s:s}]", "rule", "configuration",
                                                      "class", 2, "message", "")};
    struct policy_verdict other = {
        .class = 3,
        .required = 2,
        .factors =
            json_pack("[{s:s,s:i},{s:s,s:i}]", "group", "netops", "n", 2, "group", "sec", "n", 1),
        .reasons = json_pack("[{s:s,s:i,s:s},{s:s,s:i,s:s}]", "rule", "configuration", "class", 2,
                             "message", "", "rule", "people", "class", 3, "message", "")};
    json_t *expected = json_pack("[{s:s,s:i},{s:s,s:i},{s:s,s:i}]", "group", "netops", "n", 2,
                                 "group", "app", "n", 2, "group", "sec", "n", 1);

    (void)state;
    policy_stricter(&one, &other);
    assert_int_equal(one.class, 3);
    assert_int_equal(one.required, 5);
    assert_true(json_equal(one.factors, expected));
    assert_int_equal(json_array_size(one.reasons), 2);
    other.class = 2;
    other.required = 1;
    policy_stricter(&one, &other); /* the weaker one takes nothing away */
    assert_int_equal(one.class, 3);
    assert_int_equal(one.required, 5);
    assert_int_equal(json_array_size(one.factors), 3);
    json_decref(expected);
    policy_verdict_clear(&one);
    policy_verdict_clear(&other);
}

/* ---- approvals ---- */

struct decided {
    struct change change;
    struct change_decision decisions[PEOPLE_MAX];
};

static void propose(struct decided *decided, uint32_t required)
{
    *decided = (struct decided){0};
    decided->change.required = required;
    decided->change.decisions = decided->decisions;
    decided->change.contributors = json_pack("[s]", "ann");
    decided->change.required_factors = json_array();
    (void)snprintf(decided->change.digest, sizeof(decided->change.digest), "sha256:1");
}

static void drop(struct decided *decided)
{
    json_decref(decided->change.contributors);
    json_decref(decided->change.required_factors);
}

static struct change_decision *approve(struct decided *decided, const char *person)
{
    struct change_decision *decision = &decided->decisions[decided->change.decision_count++];

    decision->person = (char *)(uintptr_t)person;
    decision->at_ms = 1000;
    (void)snprintf(decision->digest, sizeof(decision->digest), "sha256:1");
    return decision;
}

static void assert_have(const struct company *company, const struct decided *decided,
                        bool is_approved, uint32_t have)
{
    uint32_t counted = 99;

    assert_int_equal(policy_is_approved(&company->conf, &decided->change, &counted, NULL, NULL),
                     is_approved);
    assert_int_equal(counted, have);
}

static void as_many_as_required_are_enough(void **state)
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 2);
    assert_have(&company, &decided, false, 0);
    approve(&decided, "bob");
    assert_have(&company, &decided, false, 1);
    approve(&decided, "cat");
    assert_have(&company, &decided, true, 2);
    drop(&decided);
    propose(&decided, 0);
    assert_have(&company, &decided, true, 0);
    drop(&decided);
}

static void only_people_who_may_approve_now_count(void **state)
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 1);
    approve(&decided, "bob");
    assert_have(&company, &decided, true, 1);
    company.people[1].is_disabled = true;
    assert_have(&company, &decided, false, 0);
    company.people[1].is_disabled = false;
    company.people[1].roles = ROLE_AUTHOR | ROLE_ADMIN;
    assert_have(&company, &decided, false, 0);
    company.people[1].roles = ROLE_APPROVER;
    company.people[1].kind = PERSON_SERVICE; /* E-2 */
    assert_have(&company, &decided, false, 0);
    company.people[1].kind = PERSON_HUMAN;
    assert_have(&company, &decided, true, 1);
    company.conf.people = &company.people[2]; /* not known any more */
    company.conf.person_count = 2;
    assert_have(&company, &decided, false, 0);
    drop(&decided);
}

static void contributors_do_not_count(void **state) /* E-1, E-3, E-4 */
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 1);
    approve(&decided, "ann");
    assert_have(&company, &decided, false, 0);
    approve(&decided, "bob");
    assert_have(&company, &decided, true, 1);
    json_array_append_new(decided.change.contributors, json_string("bob"));
    assert_have(&company, &decided, false, 0);
    drop(&decided);
}

static void a_person_counts_once_and_a_veto_never(void **state)
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 2);
    approve(&decided, "bob");
    approve(&decided, "bob");
    assert_have(&company, &decided, false, 1);
    approve(&decided, "cat")->is_veto = true;
    assert_have(&company, &decided, false, 1);
    approve(&decided, "dan");
    assert_have(&company, &decided, true, 2);
    drop(&decided);
}

static void a_decision_about_other_bytes_does_not_count(void **state) /* E-6 */
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 1);
    approve(&decided, "bob")->digest[7] = '2';
    assert_have(&company, &decided, false, 0);
    drop(&decided);
}

static void what_was_decided_since_a_revocation_does_not_count(void **state) /* E-14 */
{
    struct company company;
    struct decided decided;

    (void)state;
    found_four(&company);
    propose(&decided, 1);
    approve(&decided, "bob");
    company.people[1].revoked_since_ms = 1001;
    assert_have(&company, &decided, true, 1);
    company.people[1].revoked_since_ms = 1000;
    assert_have(&company, &decided, false, 0);
    assert_true(policy_may_approve(&company.conf, "bob"));
    drop(&decided);
}

static void one_person_takes_one_place_and_the_places_are_given_well(void **state)
{
    struct company company;
    struct decided decided;
    json_t *missing = NULL;

    (void)state;
    found_four(&company);
    group(&company.people[1], both, 2);
    group(&company.people[2], netops, 1);
    propose(&decided, 2);
    decided.change.required_factors =
        (json_decref(decided.change.required_factors),
         json_pack("[{s:s,s:i},{s:s,s:i}]", "group", "netops", "n", 1, "group", "app", "n", 1));
    approve(&decided, "bob"); /* in both groups, and yet one person */
    assert_false(policy_is_approved(&company.conf, &decided.change, NULL, &missing, NULL));
    assert_int_equal(json_array_size(missing), 2);
    assert_string_equal(json_string_value(json_array_get(missing, 0)), "1 more approval");
    assert_string_equal(json_string_value(json_array_get(missing, 1)), "1 more of group app");
    json_decref(missing);
    approve(&decided, "cat"); /* of netops alone: bob moves over to app */
    assert_have(&company, &decided, true, 2);
    drop(&decided);

    propose(&decided, 1);
    json_array_append_new(decided.change.required_factors,
                          json_pack("{s:s,s:i}", "group", "app", "n", 1));
    approve(&decided, "cat"); /* enough in number, of the wrong group */
    assert_have(&company, &decided, false, 1);
    drop(&decided);
}

static void those_who_can_still_approve_are_named(void **state)
{
    struct company company;
    struct decided decided;
    json_t *who_can = NULL;
    json_t *missing = NULL;
    json_t *expected = json_pack("[s]", "dan");

    (void)state;
    found_four(&company);
    company.people[2].is_disabled = true;
    propose(&decided, 2);
    approve(&decided, "bob");
    assert_false(policy_is_approved(&company.conf, &decided.change, NULL, &missing, &who_can));
    assert_true(json_equal(who_can, expected));
    json_decref(who_can);
    json_decref(missing);
    json_decref(expected);
    drop(&decided);
}

/* ---- S005 ---- */

static struct arena *arena;

static int survivable(const struct company *company)
{
    struct findings findings;
    int worst = -1;

    findings_init(&findings, arena);
    policy_check_survivable(&company->conf, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        assert_string_equal(findings.items[i].rule, "S005");
        if ((int)findings.items[i].severity > worst)
            worst = (int)findings.items[i].severity;
    }
    findings_fini(&findings);
    return worst;
}

static void too_few_approvers_block_and_just_enough_warn(void **state) /* E-16 */
{
    struct company company;

    (void)state;
    found(&company);
    assert_int_equal(survivable(&company), FINDING_BLOCK);
    hire(&company, "ann");
    hire(&company, "bob");
    assert_int_equal(survivable(&company), FINDING_BLOCK); /* 2 < 2 + 1 */
    hire(&company, "cat");
    assert_int_equal(survivable(&company), FINDING_WARNING); /* 3 < 2 + 2 */
    hire(&company, "dan");
    assert_int_equal(survivable(&company), -1);
    company.conf.policy.approvals_normal = 3;
    assert_int_equal(survivable(&company), FINDING_WARNING);
    company.conf.policy.approvals_normal = 4;
    assert_int_equal(survivable(&company), FINDING_BLOCK);
}

static void only_people_who_could_approve_make_it_survivable(void **state)
{
    struct company company;

    (void)state;
    found_four(&company);
    assert_int_equal(survivable(&company), -1);
    company.people[0].is_disabled = true;
    assert_int_equal(survivable(&company), FINDING_WARNING);
    company.people[1].kind = PERSON_SERVICE;
    assert_int_equal(survivable(&company), FINDING_BLOCK);
    company.people[0].is_disabled = false;
    company.people[1].kind = PERSON_HUMAN;
    company.people[2].roles = ROLE_ADMIN;
    assert_int_equal(survivable(&company), FINDING_WARNING);
    company.people[2].roles = ROLE_APPROVER;
    company.people[3].token_count = 0; /* cannot log in */
    assert_int_equal(survivable(&company), FINDING_WARNING);
    company.people[3].certificate_names = (struct conf_strings){.items = NULL, .count = 1};
    assert_int_equal(survivable(&company), FINDING_WARNING); /* nobody is asked for one */
    company.conf.admin.tls.client_ca_file = "/etc/twokey/people.pem";
    assert_int_equal(survivable(&company), -1);
}

static void a_factor_must_be_met_without_the_author(void **state)
{
    struct company company;

    (void)state;
    found_four(&company);
    ask(&company, "netops", 1);
    assert_int_equal(survivable(&company), FINDING_BLOCK);
    group(&company.people[0], netops, 1);
    assert_int_equal(survivable(&company), FINDING_BLOCK); /* ann may be the author */
    group(&company.people[1], netops, 1);
    assert_int_equal(survivable(&company), FINDING_WARNING); /* ann author, bob absent */
    group(&company.people[2], netops, 1);
    assert_int_equal(survivable(&company), -1);
    ask(&company, "app", 1);
    group(&company.people[0], both, 2);
    group(&company.people[1], both, 2);
    group(&company.people[3], app, 1);
    assert_int_equal(survivable(&company), -1);
    company.people[3].groups.count = 0; /* app: ann and bob alone */
    assert_int_equal(survivable(&company), FINDING_WARNING);
}

static void other_modes_do_not_ask(void **state)
{
    struct company company;

    (void)state;
    found(&company);
    company.conf.policy.mode = POLICY_ADVISORY;
    assert_int_equal(survivable(&company), -1);
    company.conf.policy.mode = POLICY_OFF;
    assert_int_equal(survivable(&company), -1);
}

/* ---- when ---- */

static const int64_t minute = 60 * 1000;
static const int64_t day = 24 * 60 * 60 * 1000;
/* 2026-11-23T00:00:00Z, a Monday */
static const int64_t monday = 1795392000000;

static void without_windows_it_is_always_open(void **state)
{
    struct conf_policy policy = {0};

    (void)state;
    assert_true(policy_in_window(&policy, monday, NULL));
}

static void a_window_opens_and_closes_at_its_minutes(void **state)
{
    struct conf_window windows[] = {{.days = 1 << 0 | 1 << 1, .from = 9 * 60, .to = 17 * 60}};
    struct conf_policy policy = {.windows = windows, .window_count = 1};
    int64_t next = 0;

    (void)state;
    assert_false(policy_in_window(&policy, monday + 540 * minute - 1, &next));
    assert_int_equal(next, monday + 540 * minute);
    assert_true(policy_in_window(&policy, monday + 540 * minute, &next));
    assert_true(policy_in_window(&policy, monday + 1020 * minute - 1, &next));
    assert_false(policy_in_window(&policy, monday + 1020 * minute, &next));
    assert_int_equal(next, monday + day + 540 * minute);
    assert_false(policy_in_window(&policy, monday + 2 * day + 600 * minute, &next)); /* Wednesday */
    assert_int_equal(next, monday + 7 * day + 540 * minute);
    assert_false(policy_in_window(&policy, monday - 1, &next)); /* Sunday, its last moment */
    assert_int_equal(next, monday + 540 * minute);
}

static void of_several_windows_the_next_counts(void **state)
{
    struct conf_window windows[] = {{.days = 1 << 4, .from = 0, .to = 24 * 60},
                                    {.days = 1 << 0, .from = 60, .to = 120},
                                    {.days = 1 << 0, .from = 30, .to = 40}};
    struct conf_policy policy = {.windows = windows, .window_count = 3};
    int64_t next = 0;

    (void)state;
    assert_false(policy_in_window(&policy, monday, &next));
    assert_int_equal(next, monday + 30 * minute);
    assert_false(policy_in_window(&policy, monday + 40 * minute, &next));
    assert_int_equal(next, monday + 60 * minute);
    assert_true(policy_in_window(&policy, monday + 5 * day - 1, &next)); /* Friday, to its end */
    assert_false(policy_in_window(&policy, monday + 5 * day, &next));
}

static void a_window_without_length_never_opens(void **state)
{
    struct conf_window windows[] = {{.days = 127, .from = 60, .to = 60}};
    struct conf_policy policy = {.windows = windows, .window_count = 1};
    int64_t next = -1;

    (void)state;
    assert_false(policy_in_window(&policy, monday + 60 * minute, &next));
    assert_int_equal(next, 0);
}

static void a_freeze_holds_from_its_begin_to_its_end(void **state)
{
    struct conf_freeze freezes[] = {{.from_ms = 100, .to_ms = 200, .reason = "a"},
                                    {.from_ms = 300, .to_ms = 400, .reason = "b"}};
    struct conf_policy policy = {.freezes = freezes, .freeze_count = 2};

    (void)state;
    assert_null(policy_frozen(&policy, 99));
    assert_ptr_equal(policy_frozen(&policy, 100), &freezes[0]);
    assert_ptr_equal(policy_frozen(&policy, 199), &freezes[0]);
    assert_null(policy_frozen(&policy, 200));
    assert_ptr_equal(policy_frozen(&policy, 399), &freezes[1]);
    assert_null(policy_frozen(&policy, 400));
}

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new(4096);
    return 0;
}

static int drop_arena(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_asks_for_as_many_as_the_policy_says),
        cmocka_unit_test(an_import_needs_one_more),
        cmocka_unit_test(factors_ask_for_a_person_each),
        cmocka_unit_test(nobody_is_asked_in_mode_off_or_where_nobody_is_known),
        cmocka_unit_test(of_two_verdicts_the_stricter_counts_in_each_member),
        cmocka_unit_test(as_many_as_required_are_enough),
        cmocka_unit_test(only_people_who_may_approve_now_count),
        cmocka_unit_test(contributors_do_not_count),
        cmocka_unit_test(a_person_counts_once_and_a_veto_never),
        cmocka_unit_test(a_decision_about_other_bytes_does_not_count),
        cmocka_unit_test(what_was_decided_since_a_revocation_does_not_count),
        cmocka_unit_test(one_person_takes_one_place_and_the_places_are_given_well),
        cmocka_unit_test(those_who_can_still_approve_are_named),
        cmocka_unit_test(too_few_approvers_block_and_just_enough_warn),
        cmocka_unit_test(only_people_who_could_approve_make_it_survivable),
        cmocka_unit_test(a_factor_must_be_met_without_the_author),
        cmocka_unit_test(other_modes_do_not_ask),
        cmocka_unit_test(without_windows_it_is_always_open),
        cmocka_unit_test(a_window_opens_and_closes_at_its_minutes),
        cmocka_unit_test(of_several_windows_the_next_counts),
        cmocka_unit_test(a_window_without_length_never_opens),
        cmocka_unit_test(a_freeze_holds_from_its_begin_to_its_end),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
