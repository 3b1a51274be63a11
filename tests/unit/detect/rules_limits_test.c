/*
 * rules_limits_test - the H, M and S rules: each fires there, saying that, and not beside it.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

#define CHECKED(body)           POOL("'health_check':{" body "}," TWO)
#define LISTENER(address, body) "{'listeners':{'l':{'address':'" address "'" body "}}}"

static const struct detect_case cases[] = {
    /* H001 */
    JUST_FIRES("H001", POOL(TWO), "/pools/p", "has 2 servers and no health_check", WARNING),
    QUIET("H001", CHECKED("")),
    JUST_QUIET("H001", SERVERS(SERVER("1", ""))),
    FIRES("H001", POOL("'ejection':{'consecutive_failures':0}," TWO), "/pools/p",
          "has 2 servers, no health_check and no ejection: one that is down stays in", ERROR),
    JUST_FIRES("H001", POOL("'ejection':{'consecutive_failures':1}," TWO), "/pools/p",
               "costs 1 requests", WARNING),
    QUIET("H001", POOL("'health_check':{},'ejection':{'consecutive_failures':0}," TWO)),
    /* H002: 56 + 2 × 1 + 2 is 60 */
    JUST_FIRES("H002", CHECKED("'interval':'57s'"), "/pools/p/health_check",
               "is left out after 61s at worst (interval 57s, fall 3)", WARNING),
    JUST_QUIET("H002", CHECKED("'interval':'56s'")),
    FIRES("H002", CHECKED("'interval':'1d','fall':100"), "/pools/p/health_check", "fall 100",
          ERROR),
    JUST_FIRES("H002", CHECKED("'interval':'597s'"), "/pools/p/health_check", "after 601s at worst",
               ERROR),
    JUST_FIRES("H002", CHECKED("'interval':'596s'"), "/pools/p/health_check", "after 10m at worst",
               WARNING),
    QUIET("H002", POOL(TWO)),
    /* H003 */
    FIRES("H003", CHECKED("'interval':'100ms','timeout':'50ms'"), "/pools/p/health_check/interval",
          "100 ms for each of 2 servers: 20 checks a second", WARNING),
    JUST_QUIET("H003", CHECKED("'interval':'500ms','timeout':'50ms'")),
    JUST_FIRES(
        "H003",
        POOL("'health_check':{'interval':'1s'},'servers':{" SERVER("1", ",'capacity_rps':19") "}"),
        "/pools/p/health_check/interval", "1.0 checks a second are more than 5 % of the 19",
        WARNING),
    JUST_QUIET("H003", POOL("'health_check':{'interval':'1s'},'servers':{" SERVER(
                           "1", ",'capacity_rps':20") "}")),
    JUST_FIRES("H003", CHECKED("'interval':'499ms','timeout':'50ms'"),
               "/pools/p/health_check/interval", "499 ms for each of 2 servers", WARNING),
    /* H004 */
    JUST_FIRES("H004", CHECKED("'fall':1"), "/pools/p/health_check", "fall 1, rise 2", WARNING),
    FIRES("H004", CHECKED("'rise':1"), "/pools/p/health_check", "fall 3, rise 1", WARNING),
    JUST_QUIET("H004", CHECKED("'fall':2,'rise':2")),
    /* H005 */
    JUST_FIRES("H005", CHECKED("'port':81"), "/pools/p/health_check/port",
               "checks go to port 81, requests to 10.0.0.2:80", WARNING),
    JUST_QUIET("H005", CHECKED("'port':80")),
    FIRES("H005",
          "{'pools':{'p':{'health_check':{'host':'a.example'}," TWO
          "}},'routes':{'r':{'hosts':['b.example'],'pool':'p'}}}",
          "/pools/p/health_check/host", "no route that leads here is for host a.example", WARNING),
    QUIET("H005", "{'pools':{'p':{'health_check':{'host':'a.example'}," TWO
                  "}},'routes':{'r':{'hosts':['*.example'],'pool':'p'}}}"),
    /* H006 */
    FIRES("H006", CHECKED("'expect_status':'200-599'"), "/pools/p/health_check/expect_status",
          "200-599 takes every answer", WARNING),
    QUIET("H006", CHECKED("'expect_status':'200-499,503'")),
    JUST_QUIET("H006", CHECKED("'expect_status':'200-598'")),
    QUIET("H006", CHECKED("'type':'tcp'")),
    JUST_FIRES("H006", CHECKED("'expect_status':'500-599'"), "/pools/p/health_check/expect_status",
               "500-599 takes every answer", WARNING),
    JUST_QUIET("H006", CHECKED("'expect_status':'501-599'")),
    /* M002 */
    FIRES("M002", POOL("'timeouts':{'connect':'30s','response':'5s'}," TWO),
          "/pools/p/timeouts/connect", "30s is longer than \"response\" (5s)", WARNING),
    FIRES("M002",
          "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'pools':{'p'"
          ":{'timeouts':{'connect':'6s'}," TWO "}}}",
          "/pools/p/timeouts/connect", "6s is longer than clients of listener l wait", WARNING),
    FIRES("M002",
          "{'pools':{'p':{" TWO "}},'routes':{'r':{'pool':'p','timeouts':{'response':'4s'}}}}",
          "/routes/r/timeouts/response", "4s is shorter than connecting may take in pool p (5s)",
          WARNING),
    JUST_QUIET("M002", "{'pools':{'p':{'timeouts':{'connect':'5s','response':'5s'}," TWO
                       "}},'routes':{'r':{'pool':'p','timeouts':{'response':'5s'}}}}"),
    JUST_FIRES("M002", POOL("'timeouts':{'connect':'5001ms','response':'5s'}," TWO),
               "/pools/p/timeouts/connect", "5001ms is longer than \"response\" (5s)", WARNING),
    QUIET("M002", "{'listeners':{'l':{'address':'127.0.0.1:80','timeouts':{'body_idle':'5s'}}},'"
                  "pools':{'p':{'timeouts':{'connect':'5s'}," TWO "}}}"),
    /* M003 */
    FIRES("M003", POOL("'keepalive':{'idle_timeout':'61s'}," TWO),
          "/pools/p/keepalive/idle_timeout", "61s is longer than most servers", WARNING),
    JUST_QUIET("M003", POOL("'keepalive':{'idle_timeout':'60s'}," TWO)),
    QUIET("M003", POOL("'keepalive':{'idle_timeout':'5m','idle_per_worker':0}," TWO)),
    JUST_FIRES("M003", POOL("'keepalive':{'idle_timeout':'60001ms'}," TWO),
               "/pools/p/keepalive/idle_timeout", "60001ms is longer", WARNING),
    /* M004 */
    JUST_FIRES("M004", POOL("'retry':{'attempts':3}," TWO), "/pools/p/retry/attempts",
               "3 retries are 4 tries a request (at most 3)", ERROR),
    JUST_FIRES("M004", POOL("'retry':{'attempts':1,'budget_percent':100}," TWO),
               "/pools/p/retry/budget_percent", "100 % is no budget", ERROR),
    JUST_QUIET("M004", POOL("'retry':{'attempts':2,'budget_percent':99}," TWO)),
    QUIET("M004", POOL("'retry':{'attempts':0,'budget_percent':100}," TWO)),
    /* M006 */
    JUST_FIRES("M006", LISTENER("0.0.0.0:80", ""), "/listeners/l/limits", "0.0.0.0:80 is open",
               WARNING),
    QUIET("M006", LISTENER("0.0.0.0:80", ",'limits':{'body':'1GiB'}")),
    JUST_QUIET("M006", LISTENER("0.0.0.0:80", ",'limits':{'connections_per_client':1000}")),
    QUIET("M006", LISTENER("127.0.0.1:80", "")),
    QUIET("M006", LISTENER("unix:/run/l", "")),
    /* M007 */
    JUST_FIRES("M007", POOL("'ejection':{'consecutive_failures':0}," TWO),
               "/pools/p/ejection/consecutive_failures", "no server has \"max_connections\"",
               WARNING),
    QUIET("M007", POOL("'ejection':{'consecutive_failures':0},'servers':{" SERVER(
                      "1", ",'max_connections':10") "}")),
    QUIET("M007", POOL(TWO)),
    JUST_QUIET("M007", POOL("'ejection':{'consecutive_failures':1}," TWO)),
    FIRES("M007", POOL("'ejection':{'consecutive_failures':0},'servers':{" SERVER("1", "") "}"),
          "/pools/p/ejection/consecutive_failures", "is 0, and no server", WARNING),
    /* S002 */
    JUST_FIRES("S002",
               "{'pools':{'p':{" TWO "}},'routes':{'r':{'path_prefix':'/metrics/','pool':'p'}}}",
               "/routes/r", "leads everyone to /metrics", WARNING),
    QUIET("S002", "{'pools':{'p':{" TWO
                  "}},'routes':{'r':{'path':'/metrics','allow':['10.0.0.0/8'],'pool':'p'}}}"),
    JUST_QUIET("S002", "{'pools':{'p':{" TWO "}},'routes':{'r':{'path':'/metricsx','pool':'p'}}}"),
};

static void each_rule_of_checks_and_limits_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_checks_and_limits_fires_there_and_not_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
