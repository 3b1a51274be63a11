/*
 * rules_static_test - the D rules: each fires there, saying that, and not beside it.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

static const struct detect_pool_traffic few_keys[] = {{"p", 100, 29}};
static const struct detect_pool_traffic enough_keys[] = {{"p", 100, 30}};
static const struct detect_traffic poor = {.pools = few_keys, .pool_count = 1};
static const struct detect_traffic nothing_seen = {0};
static const struct detect_traffic rich = {.pools = enough_keys, .pool_count = 1};

static const struct detect_case cases[] = {
    /* D001 */
    FIRES("D001",
          SERVERS(SERVER("1", ",'weight':256") "," SERVER("2", ",'weight':0") "," SERVER(
              "3", ",'weight':0")),
          "/pools/p/servers/1/weight",
          "weight 256 gives 1 100 % of the requests of a pool of 3 servers (fair: 33 %)", BLOCK),
    JUST_FIRES("D001", SERVERS(SERVER("1", ",'weight':90") "," SERVER("2", ",'weight':10")),
               "/pools/p/servers/1/weight", "gives 1 90 %", BLOCK),
    QUIET("D001", SERVERS(SERVER("1", ",'weight':89") "," SERVER("2", ",'weight':11"))),
    JUST_FIRES("D001",
               SERVERS(SERVER("1", "") "," SERVER("2", ",'state':'maint'") "," SERVER(
                   "3", ",'state':'drain'")),
               "/pools/p/servers", "only 1 of 3 servers is ready", BLOCK),
    JUST_QUIET("D001", SERVERS(SERVER("1", "") "," SERVER("2", ",'state':'drain'"))),
    QUIET("D001", SERVERS(SERVER("1", ""))),
    QUIET("D001", SERVERS(SERVER("1", "") "," SERVER("2", ",'backup':true"))),
    QUIET("D001", POOL("'intent':'active_standby','servers':{" SERVER("1", "") "," SERVER(
                      "2", ",'weight':0") "}")),
    QUIET("D001", SERVERS(SERVER("1", ",'weight':900,'capacity_rps':900") "," SERVER(
                      "2", ",'weight':100,'capacity_rps':100"))),
    JUST_QUIET("D001", SERVERS(SERVER("1", ",'weight':899") "," SERVER("2", ",'weight':101"))),
    /* twice the work for it is no more than its part where the machine is that large */
    FIRES("D001",
          SERVERS(SERVER("1", ",'weight':900,'capacity_rps':800") "," SERVER(
              "2", ",'weight':100,'capacity_rps':200")),
          "/pools/p/servers/1/weight",
          "gives 1 90 % of the requests of a pool of 2 servers (fair: 80 %)", BLOCK),
    /* where only backups serve, their weights are looked at */
    FIRES("D001",
          SERVERS(SERVER("1", ",'state':'drain'") "," SERVER(
              "2", ",'backup':true,'weight':900") "," SERVER("3", ",'backup':true,'weight':100")),
          "/pools/p/servers/2/weight",
          "weight 900 gives 2 90 % of the requests of a pool of 2 servers (fair: 50 %)", BLOCK),
    JUST_QUIET(
        "D001",
        SERVERS(SERVER("1", ",'state':'drain'") "," SERVER(
            "2", ",'backup':true,'weight':899") "," SERVER("3", ",'backup':true,'weight':101"))),
    QUIET("D001", SERVERS(SERVER("1", ",'state':'drain'") "," SERVER("2", ",'backup':true"))),
    /* D002 */
    FIRES(
        "D002",
        SERVERS(SERVER("1", ",'weight':10") "," SERVER("2", ",'weight':1") "," SERVER(
            "3", ",'weight':1") "," SERVER("4", ",'weight':1")),
        "/pools/p/servers/1/weight",
        "weight 10 gives 1 76.9 % of the requests; its part of the capacity is 25.0 % (equal parts",
        ERROR),
    JUST_QUIET("D002", SERVERS(SERVER("1", ",'weight':3") "," SERVER("2", ",'weight':1") "," SERVER(
                           "3", ",'weight':1") "," SERVER("4", ",'weight':1"))),
    FIRES("D002",
          SERVERS(SERVER("1", ",'weight':70,'capacity_rps':300") "," SERVER(
              "2", ",'weight':30,'capacity_rps':700")),
          "/pools/p/servers/1/weight",
          "70.0 % of the requests; its part of the capacity is 30.0 % (declared", ERROR),
    QUIET("D002",
          SERVERS(SERVER("1", ",'weight':10,'capacity_rps':1000") "," SERVER(
              "2", ",'weight':1,'capacity_rps':100") "," SERVER("3",
                                                                ",'weight':1,'capacity_rps':100"))),
    JUST_FIRES("D002",
               SERVERS(SERVER("1", ",'weight':301") "," SERVER("2", "") "," SERVER(
                   "3", "") "," SERVER("4", "")),
               "/pools/p/servers/1/weight",
               "weight 301 gives 1 50.1 % of the requests; its part of the capacity is 25.0 %",
               ERROR),
    /* D003 */
    JUST_FIRES("D003", SERVERS(SERVER("1", ",'weight':0") "," SERVER("2", ",'weight':0")),
               "/pools/p/servers", "every ready server (2 of 2) has weight 0", BLOCK),
    FIRES("D003", SERVERS(SERVER("1", ",'weight':0") "," SERVER("2", ",'state':'maint'")),
          "/pools/p/servers", "every ready server (1 of 2)", BLOCK),
    JUST_QUIET("D003", SERVERS(SERVER("1", ",'weight':0") "," SERVER("2", ",'weight':1"))),
    FIRES("D003", SERVERS(SERVER("1", ",'weight':0") "," SERVER("2", ",'weight':0,'backup':true")),
          "/pools/p/servers", "every ready server (2 of 2) has weight 0", BLOCK),
    QUIET("D003", SERVERS(SERVER("1", ",'weight':0") "," SERVER("2", ",'backup':true"))),
    /* D005 */
    JUST_FIRES("D005", SERVERS(SERVER("1", ",'backup':true") "," SERVER("2", ",'backup':true")),
               "/pools/p/servers", "all 2 servers are backups", ERROR),
    JUST_QUIET("D005", SERVERS(SERVER("1", ",'backup':true") "," SERVER("2", ""))),
    FIRES("D005", SERVERS(SERVER("1", ",'backup':true")), "/pools/p/servers", "all 1 servers",
          ERROR),
    /* D006 */
    JUST_FIRES("D006", SERVERS(SERVER("1", ",'state':'drain'") "," SERVER("2", ",'state':'maint'")),
               "/pools/p/servers", "none of 2 servers is ready", BLOCK),
    JUST_QUIET("D006", SERVERS(SERVER("1", ",'state':'drain'") "," SERVER("2", ""))),
    FIRES("D006", SERVERS(SERVER("1", ",'state':'maint'")), "/pools/p/servers",
          "none of 1 servers is ready", BLOCK),
    QUIET("D006", SERVERS(SERVER("1", ",'weight':0"))),
    /* D007 */
    FIRES("D007",
          SERVERS("'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.2:80'},'c':{'address':'10."
                  "0.0.1:80'}"),
          "/pools/p/servers/c/address", "10.0.0.1:80 is the address of server a too", ERROR),
    JUST_FIRES("D007",
               SERVERS("'a':{'address':'App.internal:80'},'b':{'address':'app.internal:80'}"),
               "/pools/p/servers/b/address", "is the address of server a too", ERROR),
    FIRES("D007", SERVERS("'a':{'address':'unix:/run/a'},'b':{'address':'unix:/run/a'}"),
          "/pools/p/servers/b/address", "is the address of server a too", ERROR),
    JUST_QUIET("D007", SERVERS("'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.1:81'}")),
    QUIET("D007", "{'pools':{'p':{'servers':{'a':{'address':'10.0.0.1:80'}}},'q':{'servers':{'a':{'"
                  "address':'10."
                  "0.0.1:80'}}}}}"),
    /* D008 */
    FIRES("D008", SERVERS(SERVER("1", ",'weight':210") "," SERVER("2", ",'weight':10")),
          "/pools/p/servers/1/weight", "weight 210 of 1 is 21 times the weight 10 of 2", WARNING),
    JUST_QUIET("D008", SERVERS(SERVER("1", ",'weight':200") "," SERVER("2", ",'weight':10"))),
    QUIET("D008", SERVERS(SERVER("1", ",'weight':210") "," SERVER("2", ",'weight':0"))),
    JUST_FIRES("D008", SERVERS(SERVER("1", ",'weight':201") "," SERVER("2", ",'weight':10")),
               "/pools/p/servers/1/weight",
               "weight 201 of 1 is 20.1 times the weight 10 of 2 (at most 20 times)", WARNING),
    QUIET("D008",
          SERVERS(SERVER("1", ",'weight':210") "," SERVER("2", ",'weight':10,'backup':true"))),
    /* D009 */
    FIRES("D009",
          SERVERS(SERVER("1", ",'weight':60,'capacity_rps':300") "," SERVER(
              "2", ",'weight':40,'capacity_rps':700")),
          "/pools/p/servers/1/weight",
          "weight 60 is 60.0 % of the requests, capacity_rps 300 is 30.0 %", WARNING),
    JUST_QUIET("D009", SERVERS(SERVER("1", ",'weight':45,'capacity_rps':300") "," SERVER(
                           "2", ",'weight':55,'capacity_rps':700"))),
    QUIET("D009",
          SERVERS(SERVER("1", ",'weight':90,'capacity_rps':300") "," SERVER("2", ",'weight':10"))),
    JUST_FIRES("D009",
               SERVERS(SERVER("1", ",'weight':451,'capacity_rps':300") "," SERVER(
                   "2", ",'weight':549,'capacity_rps':700")),
               "/pools/p/servers/1/weight",
               "weight 451 is 45.1 % of the requests, capacity_rps 300 is 30.0 %", WARNING),
    /* D010 */
    FIRES("D010", POOL("'balance':'maglev'," THREE), "/pools/p/hash_on",
          "how many values it has is not known yet (wanted: 30 or more for 3 servers)", INFO),
    JUST_FIRES("D010", POOL("'balance':'maglev'," THREE), "/pools/p/hash_on",
               "had 29 values for 3 servers (wanted: 30 or more)", ERROR,
               .with = {.traffic = &poor}),
    JUST_QUIET("D010", POOL("'balance':'maglev'," THREE), .with = {.traffic = &rich}),
    FIRES("D010",
          "{'listeners':{'l':{'address':'unix:/run/l'}},'pools':{'p':{'balance':'maglev'," THREE
          "}}}",
          "/pools/p/hash_on", "every listener is a Unix socket", ERROR),
    FIRES("D010",
          "{'routes':{'r':{'hosts':['a.example'],'pool':'p'}},'pools':{'p':{'balance':'maglev',"
          "'hash_on':'header:host'," THREE "}}}",
          "/pools/p/hash_on", "the same single host", ERROR),
    FIRES("D010",
          "{'routes':{'r':{'path':'/"
          "x','pool':'p'}},'pools':{'p':{'balance':'maglev','hash_on':'path'," THREE "}}}",
          "/pools/p/hash_on", "the same exact path", ERROR),
    QUIET("D010", POOL(THREE)),
    FIRES("D010", POOL("'balance':'maglev'," THREE), "/pools/p/hash_on", "is not known yet", INFO,
          .with = {.traffic = &nothing_seen}),
    QUIET("D010",
          "{'routes':{'r':{'hosts':['a.example','b.example'],'pool':'p'}},'pools':{'p':{'balance':'"
          "maglev',"
          "'hash_on':'header:host'," THREE "}}}",
          .with = {.traffic = &rich}),
    /* D011 */
    JUST_FIRES("D011", POOL("'sticky':{'cookie':'c'}," TWO), "/pools/p/sticky",
               "cookie c has no \"ttl\"", WARNING),
    JUST_QUIET("D011", POOL("'sticky':{'cookie':'c','ttl':'1h'}," TWO)),
    QUIET("D011", POOL(TWO)),
    /* D012 */
    JUST_FIRES("D012", POOL("'balance':'least_requests','slow_start':'0s'," TWO),
               "/pools/p/slow_start", "is 0s", WARNING),
    FIRES(
        "D012",
        POOL("'balance':'peak_ewma','slow_start':'10s','ejection':{'consecutive_failures':0}," TWO),
        "/pools/p/ejection/consecutive_failures", "is 0", WARNING),
    JUST_QUIET("D012", POOL("'balance':'least_requests','slow_start':'1s'," TWO)),
    QUIET("D012", POOL("'balance':'round_robin','slow_start':'0s'," TWO)),
    QUIET("D012",
          POOL("'balance':'least_requests','slow_start':'0s','servers':{" SERVER("1", "") "}")),
    QUIET("D012", POOL("'balance':'peak_ewma','ejection':{'consecutive_failures':1}," TWO)),
    /* D013 */
    JUST_FIRES("D013",
               SERVERS(SERVER("1", ",'capacity_rps':500") "," SERVER(
                   "2", ",'capacity_rps':499,'backup':true")),
               "/pools/p/servers", "backups can serve 499 requests a second, primaries 500", ERROR),
    JUST_QUIET("D013", SERVERS(SERVER("1", ",'capacity_rps':500") "," SERVER(
                           "2", ",'capacity_rps':500,'backup':true"))),
    FIRES("D013", SERVERS(SERVER("1", "") "," SERVER("2", "") "," SERVER("3", ",'backup':true")),
          "/pools/p/servers", "1 backups stand behind 2 primaries", WARNING),
    QUIET("D013", SERVERS(SERVER("1", "") "," SERVER("2", ",'backup':true"))),
    QUIET("D013",
          SERVERS(SERVER("1", ",'capacity_rps':500") "," SERVER(
              "2", ",'capacity_rps':100,'state':'maint'") "," SERVER("3", ",'capacity_rps':500,'"
                                                                          "backup':true"))),
    /* D017 */
    JUST_FIRES("D017", SERVERS(SERVER("1", "") "," SERVER("2", ",'weight':0")), "/pools/p/intent",
               "1 server has a weight and 1 have weight 0", WARNING),
    QUIET("D017", POOL("'intent':'active_standby','servers':{" SERVER("1", "") "," SERVER(
                      "2", ",'weight':0") "}")),
    JUST_QUIET("D017", SERVERS(SERVER("1", "") "," SERVER("2", "") "," SERVER("3", ",'weight':0"))),
};

static void each_rule_of_pools_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_pools_fires_there_and_not_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
