/*
 * rules_delta_test - the X rules: each fires there, saying that, and not beside it.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

#define FIVE(tail)                                                                                 \
    SERVER("1", "")                                                                                \
    "," SERVER("2", "") "," SERVER("3", "") "," SERVER("4", "") "," SERVER("5", "") tail
#define SEVEN                                                                                      \
    SERVER("1", "")                                                                                \
    "," SERVER("2", "") "," SERVER("3", "") "," SERVER("4", "") "," SERVER("5", "") "," SERVER(    \
        "6", "") "," SERVER("7", "")
#define SEVENTH(weight)                                                                            \
    "{'pools':{'p':{'servers':{" SERVER("1", ",'weight':" weight) "," SERVER("2", "") "," SERVER(  \
        "3", "") "," SERVER("4", "") "," SERVER("5", "") "," SERVER("6", "") "," SERVER("7",       \
                                                                                        "") "}}}}"
#define ROUTED(pool, routes) "{'pools':{'p':{" pool "}},'routes':{" routes "}}"
#define NAMED_POOL(name, weight)                                                                   \
    "'" name "':{'servers':{'s':{'address':'10.0.0.1:80','weight':" weight "}}}"
#define POOLS_OF(a, b, c, d)                                                                       \
    "{'pools':{" NAMED_POOL("a", a) "," NAMED_POOL("b", b) "," NAMED_POOL("c", c) "," NAMED_POOL(  \
        "d", d) "}}"
#define LISTENER(name, port, body) "'" name "':{'address':'127.0.0.1:" port "'" body "}"
#define ANSWER(name)               "'" name "':{'path':'/" name "','respond':{}}"
#define SIX                                                                                        \
    ANSWER("r1")                                                                                   \
    "," ANSWER("r2") "," ANSWER("r3") "," ANSWER("r4") "," ANSWER("r5") "," ANSWER("r6")
#define MAGLEV(body) ROUTED("'balance':'maglev'," body TWO, "'r':{'pool':'p'}")

static const char *const said[] = {"/pools/p/servers/3"};
static const char *const said_more[] = {"/pools/p/servers/3", "/routes"};
static const struct detect_hits seen[] = {{"a", 12}};
static const struct detect_traffic with_hits = {.routes = seen, .route_count = 1};
static const struct detect_hits seen_once[] = {{"a", 1}};
static const struct detect_traffic with_one_hit = {.routes = seen_once, .route_count = 1};
static const struct detect_hits seen_never[] = {{"a", 0}};
static const struct detect_traffic with_no_hit = {.routes = seen_never, .route_count = 1};
static const struct detect_pool_traffic a_tenth[] = {{"p", 0.1, 0}};
static const struct detect_traffic hardly_any = {.pools = a_tenth, .pool_count = 1};
static const struct detect_traffic no_traffic = {0};
static const struct detect_override drained[] = {{"p", "1", "drain", -1}};
static const struct detect_override weighted[] = {{"p", "1", NULL, 5}};

static const struct detect_case cases[] = {
    /* X001 */
    FIRES("X001", SERVERS(SERVER("1", "") "," SERVER("2", "") "," SERVER("3", "")),
          "/pools/p/servers", "2 of 5 servers are removed: 40 %", ERROR, .base = SERVERS(FIVE(""))),
    QUIET("X001", SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .base = SERVERS(SERVER("1", "") "," SERVER("2", "") "," SERVER("3", ""))),
    JUST_FIRES("X001", "{'routes':{" ANSWER("z") "}}", "",
               "6 objects are removed (at most 5 at once)", ERROR,
               .base = "{'routes':{" ANSWER("z") "," SIX "}}"),
    JUST_QUIET("X001", "{'routes':{" ANSWER("r6") "}}", .base = "{'routes':{" SIX "}}"),
    FIRES("X001", SERVERS(SERVER("1", "")), "/pools/p/servers/2",
          "is removed, and \"deletes\" does not list it", BLOCK,
          .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .with = {.has_deletes = true, .deletes = said, .delete_count = 1}),
    QUIET("X001", SERVERS(SERVER("1", "")), .base = SERVERS(SERVER("1", "") "," SERVER("3", "")),
          .with = {.has_deletes = true, .deletes = said, .delete_count = 1}),
    QUIET("X001", "{'routes':{}}", .base = "{'routes':{" ANSWER("z") "}}",
          .with = {.has_deletes = true, .deletes = said_more, .delete_count = 2}),
    JUST_FIRES("X001", SERVERS(SEVEN), "/pools/p/servers", "2 of 9 servers are removed: 22 %",
               ERROR, .base = SERVERS(SEVEN "," SERVER("8", "") "," SERVER("9", ""))),
    JUST_QUIET("X001", SERVERS(SEVEN "," SERVER("8", "")),
               .base = SERVERS(SEVEN "," SERVER("8", "") "," SERVER("9", "") "," SERVER("10", ""))),
    /* X002 */
    FIRES("X002", "{}", "/routes", "none of 6 routes is left", BLOCK,
          .base = "{'routes':{" SIX "}}"),
    FIRES("X002", "{}", "/pools", "none of 4 pools is left", BLOCK,
          .base = POOLS_OF("1", "1", "1", "1")),
    FIRES("X002", "{}", "/listeners", "none of 1 listeners is left", BLOCK,
          .base = "{'listeners':{" LISTENER("l", "80", "") "}}"),
    JUST_QUIET("X002", "{'routes':{" ANSWER("z") "}}", .base = "{'routes':{" SIX "}}"),
    JUST_FIRES("X002", "{}", "/routes", "none of 1 routes is left", BLOCK,
               .base = "{'routes':{" ANSWER("z") "}}"),
    QUIET("X002", "{'routes':{" ANSWER("new") "}}", .base = "{'routes':{" SIX "}}"),
    QUIET("X002", "{}", .base = "{}"),
    /* X003: from 1/2 and 1/2 to 71.4 %, to 69.9 % */
    FIRES("X003", SERVERS(SERVER("1", ",'weight':250") "," SERVER("2", "")), "/pools/p/servers",
          "21.4 % of the requests move away from the capacities (at most 20 %)", ERROR,
          .base = SERVERS(SERVER("1", "") "," SERVER("2", ""))),
    JUST_QUIET("X003", SERVERS(SERVER("1", ",'weight':232") "," SERVER("2", "")),
               .base = SERVERS(SERVER("1", "") "," SERVER("2", ""))),
    QUIET("X003", SERVERS(FIVE("")), .base = SERVERS(SERVER("1", "") "," SERVER("2", ""))),
    QUIET("X003", SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .base = SERVERS(SERVER("1", ",'weight':900") "," SERVER("2", ""))),
    QUIET("X003", SERVERS(SERVER("1", ",'weight':900") "," SERVER("2", "")),
          .base = SERVERS(SERVER("1", ",'weight':900") "," SERVER("2", ""))),
    QUIET(
        "X003",
        SERVERS(
            SERVER("1", ",'weight':300,'capacity_rps':300") "," SERVER("2", ",'capacity_rps':100")),
        .base = SERVERS(SERVER("1", ",'capacity_rps':300") "," SERVER("2", ",'capacity_rps':100"))),
    FIRES("X003", SERVERS(SERVER("1", "")), "/pools/p/servers/1",
          "gets 100.0 % of the requests instead of 20.0 %: 5.0 times as many", ERROR,
          .base = SERVERS(FIVE(""))),
    JUST_QUIET("X003", SERVERS(SERVER("1", "")),
               .base = SERVERS(SERVER("1", "") "," SERVER("2", ""))),
    JUST_FIRES("X003", SERVERS(SERVER("1", ",'weight':234") "," SERVER("2", "")),
               "/pools/p/servers",
               "20.1 % of the requests move away from the capacities (at most 20 %)", ERROR,
               .base = SERVERS(SERVER("1", "") "," SERVER("2", ""))),
    /* twice as much is told, where it is more than the server's part */
    JUST_FIRES("X003", SEVENTH("150"), "/pools/p/servers/1",
               "gets 20.0 % of the requests instead of 9.9 %: 2.0 times as many", ERROR,
               .base = SEVENTH("66")),
    JUST_QUIET("X003", SEVENTH("150"), .base = SEVENTH("67")),
    JUST_QUIET("X003", SEVENTH("100"), .base = SEVENTH("45")),
    JUST_FIRES("X003", SEVENTH("101"), "/pools/p/servers/1",
               "gets 14.4 % of the requests instead of 7.0 %: 2.1 times as many", ERROR,
               .base = SEVENTH("45")),
    /* X004 */
    JUST_FIRES("X004", POOLS_OF("2", "2", "2", "1"), "/pools", "3 of 4 pools are touched", ERROR,
               .base = POOLS_OF("1", "1", "1", "1")),
    JUST_QUIET("X004", POOLS_OF("2", "2", "1", "1"), .base = POOLS_OF("1", "1", "1", "1")),
    FIRES("X004",
          "{'listeners':{" LISTENER("l", "80", ",'keepalive_requests':5") "," LISTENER(
              "m", "81", ",'keepalive_requests':5") "}}",
          "/listeners", "all 2 listeners are touched", ERROR,
          .base = "{'listeners':{" LISTENER("l", "80", "") "," LISTENER("m", "81", "") "}}"),
    QUIET("X004", "{'listeners':{" LISTENER("l", "80", ",'keepalive_requests':5") "}}",
          .base = "{'listeners':{" LISTENER("l", "80", "") "}}"),
    QUIET("X004",
          "{'pools':{" NAMED_POOL("a", "2") "," NAMED_POOL("b", "2") "," NAMED_POOL("c", "2") "}}",
          .base = "{'pools':{" NAMED_POOL("a", "1") "," NAMED_POOL("b", "1") "," NAMED_POOL(
              "c", "1") "}}"),
    JUST_QUIET("X004",
               "{'listeners':{" LISTENER("l", "80", ",'keepalive_requests':5") "," LISTENER(
                   "m", "81", "") "}}",
               .base = "{'listeners':{" LISTENER("l", "80", "") "," LISTENER("m", "81", "") "}}"),
    /* X005 */
    FIRES("X005", "{'routes':{" ANSWER("b") "}}", "/routes/a",
          "is removed, and had 12 requests in 7 days", ERROR,
          .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}", .with = {.traffic = &with_hits}),
    FIRES("X005", "{'routes':{" ANSWER("b") "}}", "/routes/a", "unknown: whether it had requests",
          INFO, .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}"),
    QUIET("X005", "{'routes':{" ANSWER("a") "}}",
          .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}", .with = {.traffic = &with_hits}),
    JUST_FIRES("X005", "{'routes':{" ANSWER("b") "}}", "/routes/a",
               "is removed, and had 1 requests in 7 days", ERROR,
               .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}",
               .with = {.traffic = &with_one_hit}),
    JUST_QUIET("X005", "{'routes':{" ANSWER("b") "}}",
               .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}",
               .with = {.traffic = &with_no_hit}),
    QUIET("X005", "{'routes':{" ANSWER("b") "}}",
          .base = "{'routes':{" ANSWER("a") "," ANSWER("b") "}}", .with = {.traffic = &no_traffic}),
    /* X006 */
    FIRES("X006", "{'policy':{'mode':'off'}}", "/policy", "how the configuration may change", INFO,
          .base = "{'policy':{'mode':'advisory'}}"),
    FIRES("X006", "{'admin':{'listen':'127.0.0.1:9902'}}", "/admin", "how the admin API is reached",
          INFO, .base = "{}"),
    QUIET("X006", "{'process':{'workers':1}}", .base = "{}"),
    JUST_FIRES("X006", "{'observe':{'alerts':{'webhook':['http://127.0.0.1:9093']}}}",
               "/observe/alerts", "who is told is touched", INFO, .base = "{}"),
    JUST_QUIET("X006", "{'observe':{'access_log':{'sample_percent':50}}}", .base = "{}"),
    /* X007 */
    JUST_FIRES("X007", "{'admin':{'listen':'127.0.0.1:9902'}}", "/admin/listen",
               "moves from 127.0.0.1:9901 to 127.0.0.1:9902", ERROR, .base = "{}",
               .with = {.via = DETECT_VIA_TCP}),
    FIRES("X007", "{'admin':{'listen':'127.0.0.1:9902'}}", "/admin/listen", "moves from", WARNING,
          .base = "{}"),
    FIRES("X007", "{'admin':{'tls':{'cert_file':'/a','key_file':'/b'}}}", "/admin/tls",
          "over TLS only", WARNING, .base = "{}", .with = {.via = DETECT_VIA_TCP}),
    FIRES("X007", "{}", "/admin/tls", "in clear text", WARNING,
          .base = "{'admin':{'tls':{'cert_file':'/a','key_file':'/b'}}}"),
    QUIET("X007", "{'admin':{'tls':{'cert_file':'/a','key_file':'/b'}}}", .base = "{}",
          .with = {.via = DETECT_VIA_SOCKET}),
    FIRES("X007", "{}", "/admin/socket", "run/other.sock is gone", ERROR,
          .base = "{'admin':{'socket':'run/other.sock'}}", .with = {.via = DETECT_VIA_SOCKET}),
    JUST_QUIET("X007", "{'admin':{'listen':'127.0.0.1:9902'}}", .base = "{}",
               .with = {.via = DETECT_VIA_SOCKET}),
    JUST_QUIET("X007", "{'admin':{'socket':'run/other.sock'}}", .base = "{}",
               .with = {.via = DETECT_VIA_TCP}),
    /* X014 */
    FIRES("X014", SERVERS(SERVER("2", "")), "/pools/p/servers/1",
          "is removed, and an order is in force for it (drain)", WARNING,
          .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .with = {.overrides = drained, .override_count = 1}),
    JUST_FIRES("X014", SERVERS(SERVER("1", ",'weight':7") "," SERVER("2", "")),
               "/pools/p/servers/1/weight", "becomes 7, and an order is in force for it (weight)",
               WARNING, .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
               .with = {.overrides = weighted, .override_count = 1}),
    FIRES("X014", SERVERS(SERVER("1", ",'state':'maint'") "," SERVER("2", "")),
          "/pools/p/servers/1/state", "changes, and an order is in force", WARNING,
          .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .with = {.overrides = drained, .override_count = 1}),
    JUST_QUIET("X014", SERVERS(SERVER("1", "") "," SERVER("2", ",'weight':7")),
               .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
               .with = {.overrides = drained, .override_count = 1}),
    QUIET("X014", SERVERS(SERVER("1", ",'state':'maint'") "," SERVER("2", "")),
          .base = SERVERS(SERVER("1", "") "," SERVER("2", "")),
          .with = {.overrides = weighted, .override_count = 1}),
    /* X015 */
    FIRES("X015", ROUTED("'balance':'round_robin'," TWO, "'r':{'pool':'p'}"), "/pools/p/balance",
          "most of the requests of 2 servers", ERROR, .base = MAGLEV("")),
    FIRES("X015", MAGLEV("'hash_on':'header:x-user',"), "/pools/p/hash_on", "most of the requests",
          ERROR, .base = MAGLEV("'hash_on':'header:x-client',")),
    JUST_FIRES("X015", ROUTED(TWO, "'r':{'pool':'p'}"), "/pools/p/sticky", "most of the requests",
               ERROR,
               .base = ROUTED("'sticky':{'cookie':'c','ttl':'1h'}," TWO, "'r':{'pool':'p'}")),
    QUIET("X015", MAGLEV("'hash_on':'path',"), .base = MAGLEV(""),
          .with = {.traffic = &no_traffic}),
    JUST_QUIET("X015", ROUTED("'balance':'least_requests'," TWO, "'r':{'pool':'p'}"),
               .base = ROUTED("'balance':'round_robin'," TWO, "'r':{'pool':'p'}")),
    JUST_FIRES("X015", MAGLEV("'hash_on':'path',"), "/pools/p/hash_on",
               "most of the requests of 2 servers", ERROR, .base = MAGLEV(""),
               .with = {.traffic = &hardly_any}),
    QUIET("X015", MAGLEV(""), .base = MAGLEV("")),
    QUIET("X015", ROUTED("'sticky':{'cookie':'c','ttl':'2h'}," TWO, "'r':{'pool':'p'}"),
          .base = ROUTED("'sticky':{'cookie':'c','ttl':'1h'}," TWO, "'r':{'pool':'p'}")),
    QUIET("X015", POOL("'balance':'round_robin'," TWO), .base = POOL("'balance':'maglev'," TWO)),
    /* X016 */
    JUST_FIRES("X016", "{'process':{'max_connections':20000}}", "", "the text differs", INFO,
               .base = "{}"),
    FIRES("X016", "{'process':{}}", "", "byte for byte", INFO, .base = "{'process':{}}"),
    JUST_QUIET("X016", "{'process':{'max_connections':20001}}", .base = "{}"),
    QUIET("X016", "{'routes':{" ANSWER("a") "}}", .base = "{}"),
    /* X017 */
    FIRES("X017", "{'process':{}}", "", "a freeze is in force: release night", WARNING,
          .base = "{}", .with = {.freeze_reason = "release night"}),
    JUST_FIRES(
        "X017", "{}", "/policy/freeze", "a freeze is in force until 2026-01-02T00:00:00", WARNING,
        .base = "{'policy':{'mode':'off','freeze':[{'from':'2026-01-01T00:00:00Z','to':'2026-01-02"
                "T00:00:00Z','reason':'holidays'}]}}",
        .with = {.now_ms = 1767311999000}),
    JUST_QUIET(
        "X017", "{}",
        .base = "{'policy':{'mode':'off','freeze':[{'from':'2026-01-01T00:00:00Z','to':'2026-01-02"
                "T00:00:00Z','reason':'holidays'}]}}",
        .with = {.now_ms = 1767312000000}),
    /* X018 */
    JUST_FIRES("X018", POOLS_OF("2", "2", "1", "1"), "/pools",
               "2 pools are touched that no route has in common: a, b", INFO,
               .base = POOLS_OF("1", "1", "1", "1")),
    JUST_QUIET("X018", POOLS_OF("2", "1", "1", "1"), .base = POOLS_OF("1", "1", "1", "1")),
    QUIET(
        "X018",
        "{'pools':{" NAMED_POOL("a", "2") "," NAMED_POOL("b", "2") "},'routes':{'r':{'split':{'a':1"
                                                                   ",'b':1}}}}",
        .base = "{'pools':{" NAMED_POOL("a", "1") "," NAMED_POOL(
            "b", "1") "},'routes':{'r':{'split':{'a':1,'b':1}}}}"),
    /* X010, of a configuration alone */
    JUST_FIRES("X010", "{'routes':{'r':{'hosts':[],'respond':{}}}}", "/routes/r/hosts",
               "is empty, which means any", BLOCK),
    FIRES("X010", "{'routes':{'r':{'allow':[],'respond':{}}}}", "/routes/r/allow",
          "is empty, which means nobody", BLOCK),
    FIRES("X010",
          "{'routes':{'r':{'request_headers':{'set':{'x-env':'{{ .Env }}'}},'respond':{}}}}",
          "/routes/r/request_headers/set", "\"{{ .Env }}\" of x-env still has a template in it",
          BLOCK),
    FIRES("X010", POOL("'health_check':{'expect_body':'${BODY}'}," TWO),
          "/pools/p/health_check/expect_body", "still has a template in it (${)", BLOCK),
    JUST_QUIET(
        "X010",
        "{'listeners':{" LISTENER(
            "l", "80", ",'trusted_proxies':[]") "},'routes':{'r':{"
                                                "'redirect':{'location':'https://{host}{uri}'}}}}"),
};

static void each_rule_of_changes_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

/* ---- X008 and X009: documents that are too long to write down ---- */

static char *many_routes(size_t count, char *out, size_t room)
{
    size_t used = (size_t)snprintf(out, room, "{'routes':{");

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, room - used, "%s'r%zu':{'path':'/%zu','respond':{}}",
                                 i > 0 ? "," : "", i, i);
    (void)snprintf(out + used, room - used, "}}");
    return out;
}

static void a_configuration_that_doubles_is_noticed_from_forty_objects(void **state)
{
    static char small[20000];
    static char large[20000];
    const struct detect_case grown =
        JUST_FIRES("X008", many_routes(41, large, sizeof(large)), "", "20 objects become 41", ERROR,
                   .base = many_routes(20, small, sizeof(small)));

    (void)state;
    check_case(&grown);
    const struct detect_case shrunk =
        FIRES("X008", small, "", "41 objects become 20", ERROR, .base = large);
    check_case(&shrunk);
    const struct detect_case doubled = JUST_QUIET("X008", many_routes(40, large, sizeof(large)),
                                                  .base = many_routes(20, small, sizeof(small)));
    check_case(&doubled);
    const struct detect_case few = QUIET("X008", many_routes(39, large, sizeof(large)),
                                         .base = many_routes(2, small, sizeof(small)));
    check_case(&few);
}

static char *many_methods(size_t count, char *out, size_t room)
{
    size_t used = (size_t)snprintf(out, room, "{'routes':{'r':{'methods':[");

    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, room - used, "%s'M%c%c'", i > 0 ? "," : "",
                                 (char)('A' + i / 26), (char)('A' + i % 26));
    (void)snprintf(out + used, room - used, "],'respond':{}}}}");
    return out;
}

static void a_list_near_its_limit_is_noticed(void **state)
{
    static char text[2000];
    const struct detect_case near =
        JUST_FIRES("X009", many_methods(41, text, sizeof(text)), "/routes/r/methods",
                   "has 41 of at most 50 items", WARNING);

    (void)state;
    check_case(&near);
    const struct detect_case full = FIRES("X009", many_methods(50, text, sizeof(text)),
                                          "/routes/r/methods", "has 50 of at most 50", WARNING);
    check_case(&full);
    const struct detect_case room = JUST_QUIET("X009", many_methods(40, text, sizeof(text)));
    check_case(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_changes_fires_there_and_not_beside),
        cmocka_unit_test(a_configuration_that_doubles_is_noticed_from_forty_objects),
        cmocka_unit_test(a_list_near_its_limit_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
