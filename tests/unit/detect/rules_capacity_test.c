/*
 * rules_capacity_test - the C rules: each fires there, saying that, and not beside it.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

static const struct detect_pool_traffic peak_200[] = {{.pool = "p", .peak_rps = 200}};
static const struct detect_pool_traffic peak_201[] = {{.pool = "p", .peak_rps = 201}};
static const struct detect_traffic at_200 = {.pools = peak_200, .pool_count = 1};
static const struct detect_pool_traffic another[] = {{.pool = "q", .peak_rps = 9000}};
static const struct detect_traffic of_another = {.pools = another, .pool_count = 1};
static const struct detect_traffic at_201 = {.pools = peak_201, .pool_count = 1};

#define RATED                                                                                      \
    SERVERS(SERVER("1", ",'capacity_rps':100") "," SERVER("2", ",'capacity_rps':100") "," SERVER(  \
        "3", ",'capacity_rps':100"))
#define RATED_TWO SERVERS(SERVER("1", ",'capacity_rps':125") "," SERVER("2", ",'capacity_rps':125"))

static const struct detect_case cases[] = {
    /* C001: 300 less 100 */
    JUST_FIRES("C001", RATED, "/pools/p/servers",
               "capacity 300 less the largest 100 is 200 requests a second; the peak was 201",
               ERROR, .with = {.traffic = &at_201}),
    JUST_QUIET("C001", RATED, .with = {.traffic = &at_200}),
    FIRES("C001", RATED, "/pools/p", "unknown: the peak", INFO),
    FIRES("C001", SERVERS(SERVER("1", ",'capacity_rps':100") "," SERVER("2", "")),
          "/pools/p/servers", "unknown: not every server declares capacity_rps", INFO,
          .with = {.traffic = &at_201}),
    QUIET("C001", SERVERS(SERVER("1", ""))),
    FIRES("C001",
          SERVERS(SERVER("1", ",'capacity_rps':500") "," SERVER(
              "2", ",'capacity_rps':100") "," SERVER("3", ",'capacity_rps':100")),
          "/pools/p/servers",
          "capacity 700 less the largest 500 is 200 requests a second; the peak was 201", ERROR,
          .with = {.traffic = &at_201}),
    /* whoever is drained bears nothing, and backups bear nothing while primaries serve */
    FIRES("C001",
          SERVERS(
              SERVER("1", ",'capacity_rps':200") "," SERVER("2", ",'capacity_rps':200") "," SERVER(
                  "3", ",'capacity_rps':200,'state':'drain'") "," SERVER("4", ",'capacity_rps':200,"
                                                                              "'backup':true")),
          "/pools/p/servers", "capacity 400 less the largest 200 is 200", ERROR,
          .with = {.traffic = &at_201}),
    QUIET("C001", RATED, .with = {.traffic = &of_another}),
    /* C002: 100 of 125 is 80 % */
    FIRES("C002",
          SERVERS(SERVER("1", ",'capacity_rps':125,'weight':51") "," SERVER(
              "2", ",'capacity_rps':125,'weight':49")),
          "/pools/p/servers/1/capacity_rps",
          "1 is expected to get 102 requests a second of its 125: 81.6 %", ERROR,
          .with = {.traffic = &at_200}),
    JUST_QUIET("C002", RATED_TWO, .with = {.traffic = &at_200}),
    FIRES("C002", RATED_TWO, "/pools/p", "unknown: the peak", INFO),
    JUST_FIRES("C002",
               SERVERS(SERVER("1", ",'capacity_rps':125,'weight':501") "," SERVER(
                   "2", ",'capacity_rps':125,'weight':499")),
               "/pools/p/servers/1/capacity_rps",
               "1 is expected to get 100 requests a second of its 125: 80.2 % (at most 80 %)",
               ERROR, .with = {.traffic = &at_200}),
    FIRES("C002",
          SERVERS(
              SERVER("1", ",'capacity_rps':200") "," SERVER("2", ",'capacity_rps':200,'weight':0")),
          "/pools/p/servers/1/capacity_rps",
          "1 is expected to get 201 requests a second of its 200: 100.5 %", ERROR,
          .with = {.traffic = &at_201}),
    FIRES("C002", SERVERS(SERVER("1", ",'capacity_rps':200") "," SERVER("2", "")),
          "/pools/p/servers", "unknown: not every server declares capacity_rps", INFO,
          .with = {.traffic = &at_201}),
    /* C004 */
    JUST_FIRES("C004", POOL("'panic_percent':0," TWO), "/pools/p/panic_percent",
               "the last of 2 servers", WARNING),
    JUST_QUIET("C004", POOL("'panic_percent':1," TWO)),
    QUIET("C004", POOL("'panic_percent':0,'servers':{" SERVER("1", "") "}")),
    /* C005 */
    FIRES("C005", POOL("'ejection':{'max_percent':100}," THREE), "/pools/p/ejection/max_percent",
          "100 % may leave 1 of 3 servers (wanted: 2)", ERROR),
    JUST_FIRES("C005", POOL("'ejection':{'max_percent':67}," THREE),
               "/pools/p/ejection/max_percent", "67 % may leave 1 of 3", ERROR),
    JUST_QUIET("C005", POOL("'ejection':{'max_percent':66}," THREE)),
    QUIET("C005", POOL("'ejection':{'max_percent':100,'consecutive_failures':0}," THREE)),
    QUIET("C005", POOL("'ejection':{'max_percent':100}," TWO)),
    /* C006 */
    JUST_FIRES("C006",
               "{'process':{'max_connections':1225},'pools':{'p':{'servers':{" SERVER(
                   "1", ",'max_connections':100") "," SERVER("2", ",'max_connections':100") "}}}}",
               "/pools/p/servers",
               "servers and queue take 1224 requests at once, clients may have 1225 connections",
               WARNING),
    JUST_QUIET("C006",
               "{'process':{'max_connections':1224},'pools':{'p':{'servers':{" SERVER(
                   "1", ",'max_connections':100") "," SERVER("2", ",'max_connections':100") "}}}"
                                                                                            "}"),
    QUIET("C006", SERVERS(SERVER("1", ",'max_connections':1") "," SERVER("2", ""))),
    QUIET("C006", "{'process':{'max_connections':200},'pools':{'p':{'queue':{'length':100},'"
                  "servers':{" SERVER("1", ",'max_connections':100") "," SERVER(
                      "2", ",'max_connections':1,'backup':true") "}}}}"),
    /* C007 */
    FIRES("C007",
          "{'process':{'max_connections':20000},'pools':{'p':{'servers':{" SERVER(
              "2", ",'max_connections':100000") "}}}}",
          "/pools/p/servers/2/max_connections",
          "100000 is more than process.max_connections (20000)", ERROR),
    JUST_QUIET("C007", "{'process':{'max_connections':20000},'pools':{'p':{'servers':{" SERVER(
                           "2", ",'max_connections':20000") "}}}}"),
    JUST_FIRES("C007",
               "{'process':{'max_connections':100},'pools':{'p':{'servers':{" SERVER(
                   "2", ",'max_connections':101") "}}}}",
               "/pools/p/servers/2/max_connections",
               "101 is more than process.max_connections (100)", ERROR),
    /* C008 */
    JUST_FIRES(
        "C008",
        "{'process':{'max_connections':1000},'listeners':{'l':{'address':'127.0.0.1:80'}},'pools'"
        ":{'p':{'health_check':{}," TWO "}}}",
        "/process/max_connections",
        "1000 connections need 2003 open files (with 2 checks and 1 listeners); the limit is "
        "2002",
        ERROR, .with = {.descriptor_limit = 2002}),
    JUST_QUIET(
        "C008",
        "{'process':{'max_connections':1000},'listeners':{'l':{'address':'127.0.0.1:80'}},'pools'"
        ":{'p':{'health_check':{}," TWO "}}}",
        .with = {.descriptor_limit = 2003}),
    QUIET("C008", "{'process':{'max_connections':1000000}}"),
    /* C009 */
    FIRES("C009",
          "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'pools':{'p'"
          ":{'queue':{'timeout':'1h'},'servers':{" SERVER("1", ",'max_connections':9") "}}}}",
          "/pools/p/queue/timeout", "1h is longer than clients of listener l wait (5s)", WARNING),
    JUST_FIRES(
        "C009",
        "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'pools':{'p'"
        ":{'queue':{'timeout':'5001ms'},'servers':{" SERVER("1", ",'max_connections':9") "}}}}",
        "/pools/p/queue/timeout", "5001ms is longer than clients of listener l wait (5s)", WARNING),
    JUST_QUIET(
        "C009",
        "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'pools':{'p'"
        ":{'queue':{'timeout':'5s'},'servers':{" SERVER("1", ",'max_connections':9") "}}}}"),
    QUIET("C009",
          "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'pools':{'p'"
          ":{'queue':{'timeout':'1h'},'servers':{" SERVER("1", "") "}}}}"),
};

static void each_rule_of_capacity_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* What policy asks: would it be all right without that server. */
static void passing_a_rule_says_whether_that_is_known(void **state)
{
    struct detect_case one = {.target = RATED, .with = {.traffic = &at_201}};
    struct loaded_case loaded;
    struct detect_subject subject = one.with;
    bool is_known;

    (void)state;
    run_case(&loaded, &one);
    subject.target = loaded.target;
    assert_false(detect_passes("C001", &subject, &is_known));
    assert_true(is_known);
    subject.traffic = &at_200;
    assert_true(detect_passes("C001", &subject, &is_known));
    assert_true(is_known);
    subject.traffic = NULL;
    assert_true(detect_passes("C001", &subject, &is_known));
    assert_false(is_known);
    assert_true(detect_passes("D001", &subject, NULL));
    end_case(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_capacity_fires_there_and_not_beside),
        cmocka_unit_test(passing_a_rule_says_whether_that_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
