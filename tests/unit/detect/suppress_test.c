/*
 * suppress_test - findings that somebody accepted, and suppressions that do nothing.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

/* Two servers without health checks: H001 at /pools/p.  2026-12-01 is 1796083200000. */
#define ACCEPTED(body)                                                                             \
    "{'policy':{'mode':'off','suppressions':[{" body "}]},'pools':{'p':{" TWO "}}}"
#define GOOD                                                                                       \
    "'rule':'H001','pointer':'/pools/"                                                             \
    "p','owner':'ann','reason':'lab','expires':'2026-12-01T00:00:00Z'"
#define BEFORE .with = {.now_ms = 1796083199999}
#define AFTER  .with = {.now_ms = 1796083200000}

static const struct detect_case cases[] = {
    FIRES("H001", ACCEPTED(GOOD), "/pools/p",
          "before it is ejected (accepted by ann until 2026-12-01T00:00:00", INFO, BEFORE),
    JUST_QUIET("S006", ACCEPTED(GOOD), BEFORE),
    FIRES("H001", ACCEPTED(GOOD), "/pools/p", "has 2 servers and no health_check", WARNING, AFTER),
    JUST_FIRES("S006", ACCEPTED(GOOD), "/policy/suppressions/0", "of H001 at /pools/p has expired",
               WARNING, AFTER),
    FIRES("S006",
          ACCEPTED("'rule':'H001','pointer':'/pools/p','reason':'lab','expires':'2026-12-01T00:00:"
                   "00Z'"),
          "/policy/suppressions/0", "has no owner", WARNING, BEFORE),
    FIRES("H001",
          ACCEPTED("'rule':'H001','pointer':'/pools/p','reason':'lab','expires':'2026-12-01T00:00:"
                   "00Z'"),
          "/pools/p", "no health_check", WARNING, BEFORE),
    FIRES("S006", ACCEPTED("'rule':'H001','pointer':'/pools/p','owner':'ann','reason':'lab'"),
          "/policy/suppressions/0", "has no end", WARNING, BEFORE),
    FIRES(
        "S006",
        ACCEPTED("'rule':'H999','pointer':'/pools/p','owner':'ann','reason':'lab','expires':'2026-"
                 "12-01T00:00:00Z'"),
        "/policy/suppressions/0", "names no rule", WARNING, BEFORE),
    FIRES(
        "S006",
        ACCEPTED("'rule':'R004','pointer':'/pools/p','owner':'ann','reason':'lab','expires':'2026-"
                 "12-01T00:00:00Z'"),
        "/policy/suppressions/0", "names a rule whose findings cannot be suppressed", WARNING,
        BEFORE),
    FIRES("S006",
          ACCEPTED("'rule':'H001','pointer':'/pools/other','owner':'ann','reason':'lab','expires':'"
                   "2026-12-01T00:00:00Z'"),
          "/policy/suppressions/0", "names nothing that is found", INFO, BEFORE),
    FIRES(
        "H001",
        ACCEPTED("'rule':'H001','pointer':'/pools/pp','owner':'ann','reason':'lab','expires':'2026"
                 "-12-01T00:00:00Z'"),
        "/pools/p", "no health_check", WARNING, BEFORE),
    FIRES(
        "H001",
        ACCEPTED("'rule':'H001','pointer':'/pools','owner':'ann','reason':'lab','expires':'2026-12"
                 "-01T00:00:00Z'"),
        "/pools/p", "(accepted by ann", INFO, BEFORE),
    /* a block stays */
    FIRES(
        "D006",
        "{'policy':{'mode':'off','suppressions':[{'rule':'D006','pointer':'/pools/p','owner':'ann'"
        ",'reason':'x','expires':'2026-12-01T00:00:00Z'}]},'pools':{'p':{'servers':{" SERVER(
            "1", ",'state':'drain'") "}}}}",
        "/pools/p/servers", "none of 1 servers is ready", BLOCK, BEFORE),
    FIRES(
        "S006",
        "{'policy':{'mode':'off','suppressions':[{'rule':'D006','pointer':'/pools/p','owner':'ann'"
        ",'reason':'x','expires':'2026-12-01T00:00:00Z'}]},'pools':{'p':{'servers':{" SERVER(
            "1", ",'state':'drain'") "}}}}",
        "/policy/suppressions/0", "a finding of severity block stays", WARNING, BEFORE),
};

static void what_is_accepted_is_told_as_info_with_who_and_why(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

static void who_answers_for_it_is_among_people(void **state)
{
    const struct detect_case one =
        FIRES("S006",
              "{'people':{'bob':{'roles':['viewer']}},'policy':{'mode':'off','suppressions':[{" GOOD
              "}]},'pools':{'p':{" TWO "}}}",
              "/policy/suppressions/0", "has an owner who is not among people", WARNING, BEFORE);

    (void)state;
    check_case(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted_is_told_as_info_with_who_and_why),
        cmocka_unit_test(who_answers_for_it_is_among_people),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
