/*
 * rules_routes_test - the R rules: each fires there, saying that, and not beside it.
 *
 * Threads  the first
 */
#include "tests/unit/detect/cases.h"

#define ROUTES(body) "{'pools':{'p':{" TWO "}},'routes':{" body "}}"
#define TO           "'pool':'p'"

static const struct detect_hits shop_hits[] = {{"shop.example", 7}};
static const struct detect_hits other_hits[] = {{"other.example", 7}};
static const struct detect_hits one_hit[] = {{"shop.example", 1}};
static const struct detect_hits no_hit[] = {{"shop.example", 0}};
static const struct detect_traffic shop_once = {.hosts = one_hit, .host_count = 1};
static const struct detect_traffic shop_never = {.hosts = no_hit, .host_count = 1};
static const struct detect_traffic shop = {.hosts = shop_hits, .host_count = 1};
static const struct detect_traffic other = {.hosts = other_hits, .host_count = 1};

static const struct detect_case cases[] = {
    /* R001 */
    FIRES("R001", ROUTES("'a':{'priority':1," TO "},'b':{'path_prefix':'/api'," TO "}"),
          "/routes/b", "route a (priority 1) matches all that it does and goes first", ERROR),
    QUIET("R001", ROUTES("'a':{" TO "},'b':{'path_prefix':'/api'," TO "}")),
    QUIET("R001", ROUTES("'a':{'path_prefix':'/'," TO "},'b':{'path_prefix':'/api'," TO "}")),
    JUST_FIRES("R001",
               ROUTES("'a':{'priority':5,'hosts':['*.example.com'],'path_prefix':'/api'," TO
                      "},'b':{'hosts':['x.example.com'],'path':'/api/v1'," TO "}"),
               "/routes/b", "route a (priority 5)", ERROR),
    JUST_QUIET("R001", ROUTES("'a':{'priority':5,'hosts':['*.example.com'],'path_prefix':'/api'," TO
                              "},'b':{'hosts':['x.example.com'],'path':'/apix'," TO "}")),
    QUIET("R001", ROUTES("'a':{'priority':5,'hosts':['*.example.com']," TO
                         "},'b':{'hosts':['x.example.org']," TO "}")),
    QUIET("R001", ROUTES("'a':{'priority':5,'methods':['GET']," TO "},'b':{" TO "}")),
    JUST_FIRES("R001", ROUTES("'a':{'path_regex':'/.*'," TO "},'b':{'path_prefix':'/api'," TO "}"),
               "/routes/b", "route a matches all", ERROR),
    JUST_QUIET("R001", ROUTES("'a':{'path_regex':'/.*'," TO "},'b':{'path':'/api'," TO "}")),
    FIRES("R001", ROUTES("'a':{'hosts':['x','y']," TO "},'b':{'hosts':['x']," TO "}"), "/routes/b",
          "route a matches all", ERROR),
    QUIET("R001", ROUTES("'b':{'hosts':['x','y']," TO "},'a':{'hosts':['x']," TO "}")),
    FIRES("R001",
          "{'listeners':{'l':{'address':'127.0.0.1:80'}},'routes':{'a':{'respond':{}},'b':{"
          "'listeners':['l'],'respond':{}}}}",
          "/routes/b", "route a matches all", ERROR),
    QUIET("R001", ROUTES("'a':{" TO "},'b':{'methods':['GET']," TO "}")),
    QUIET("R001", ROUTES("'a':{" TO "},'b':{'headers':{'x':'1'}," TO "}")),
    /* R002 */
    FIRES("R002", ROUTES("'a':{'hosts':['x']," TO "},'b':{'hosts':['x','y']," TO "}"),
          "/routes/b/hosts", "requests for x match route a too", WARNING),
    FIRES("R002", ROUTES("'a':{'methods':['GET','GET']," TO "}"), "/routes/a/methods",
          "\"GET\" stands twice", WARNING),
    JUST_FIRES("R002", ROUTES("'a':{'hosts':['x','X']," TO "}"), "/routes/a/hosts",
               "\"x\" stands twice", WARNING),
    QUIET("R002", ROUTES("'a':{'hosts':['x']," TO "},'b':{'hosts':['y']," TO "}")),
    JUST_QUIET("R002",
               ROUTES("'a':{'hosts':['x']," TO "},'b':{'hosts':['x','y'],'path':'/z'," TO "}")),
    /* R003 */
    FIRES("R003", ROUTES("'a':{'hosts':['x','y']," TO "},'b':{'hosts':['y','x']," TO "}"),
          "/routes/b", "has the same conditions as route a", BLOCK),
    JUST_FIRES("R003", ROUTES("'a':{" TO "},'b':{'path_prefix':'/'," TO "}"), "/routes/b",
               "has the same conditions as route a", BLOCK),
    QUIET("R003",
          ROUTES("'a':{'hosts':['x']," TO "},'b':{'hosts':['x'],'methods':['GET']," TO "}")),
    JUST_QUIET("R003", ROUTES("'a':{" TO "},'b':{'priority':-1," TO "}")),
    /* R005 */
    FIRES("R005", POOL(TWO), "/pools/p", "no route leads to it", INFO),
    QUIET("R005", ROUTES("'a':{'split':{'p':1}}")),
    QUIET("R005", ROUTES("'a':{" TO "}")),
    JUST_FIRES("R005", "{'pools':{'p':{" TWO "},'q':{" TWO "}},'routes':{'a':{'pool':'p'}}}",
               "/pools/q", "no route leads to it", INFO),
    JUST_QUIET("R005",
               "{'pools':{'p':{" TWO "},'q':{" TWO "}},'routes':{'a':{'split':{'p':1,'q':0}}}}"),
    /* R006 */
    FIRES("R006",
          "{'listeners':{'l':{'address':'127.0.0.1:80'}},'routes':{'a':{'hosts':['x'],'respond':{}}"
          "}}",
          "/routes", "none of 1 routes is without conditions", WARNING),
    JUST_QUIET("R006",
               "{'listeners':{'l':{'address':'127.0.0.1:80'}},'routes':{'a':{'path_prefix':'/',"
               "'respond':{}}}}"),
    JUST_FIRES("R006",
               "{'listeners':{'l':{'address':'127.0.0.1:80'}},'routes':{'a':{'methods':['GET'],"
               "'respond':{}}}}",
               "/routes", "none of 1 routes is without conditions", WARNING),
    /* R009 */
    JUST_FIRES("R009", ROUTES("'a':{'deny':['0.0.0.0/0']," TO "}"), "/routes/a/deny",
               "0.0.0.0/0 is every client", BLOCK),
    FIRES("R009", ROUTES("'a':{'deny':['::/0']," TO "}"), "/routes/a/deny", "::/0 is every client",
          BLOCK),
    JUST_QUIET("R009", ROUTES("'a':{'deny':['0.0.0.0/1']," TO "}")),
    FIRES("R009", ROUTES("'a':{'rewrite':{'path':'/x'}," TO "}"), "/routes/a/rewrite/path",
          "every path becomes /x", BLOCK),
    QUIET("R009", ROUTES("'a':{'path':'/y','rewrite':{'path':'/x'}," TO "}")),
    QUIET("R009", ROUTES("'a':{'deny':['128.0.0.0/1','10.0.0.0/8']," TO "}")),
    FIRES("R009", ROUTES("'a':{'path_prefix':'/','hosts':['x'],'rewrite':{'path':'/x'}," TO "}"),
          "/routes/a/rewrite/path", "every path becomes /x", BLOCK),
    JUST_QUIET("R009", ROUTES("'a':{'path_prefix':'/y','rewrite':{'path':'/x'}," TO "}")),
    /* R010 */
    FIRES("R010", ROUTES("'a':{'path_regex':'/(a'," TO "}"), "/routes/a/path_regex", "missing",
          BLOCK),
    JUST_FIRES("R010", ROUTES("'a':{'path_regex':'/(a+)+b'," TO "}"), "/routes/a/path_regex",
               "repeats a repetition", ERROR),
    FIRES("R010", ROUTES("'a':{'path_regex':'/(?:x|[a-z]*)*'," TO "}"), "/routes/a/path_regex",
          "repeats a repetition", ERROR),
    FIRES("R010", ROUTES("'a':{'path_regex':'/(\\\\w+ ?){2,}'," TO "}"), "/routes/a/path_regex",
          "repeats a repetition", ERROR),
    QUIET("R010", ROUTES("'a':{'path_regex':'/(v[0-9]+)(/[^/]+)+'," TO "}")),
    QUIET("R010", ROUTES("'a':{'path_regex':'/(a+)?b[(*+)]+'," TO "}")),
    JUST_QUIET("R010", ROUTES("'a':{'path_regex':'/(a++)+'," TO "}")),
    FIRES("R010", ROUTES("'a':{'path_regex':'/(([a-z])+.)+'," TO "}"), "/routes/a/path_regex",
          "repeats a repetition", ERROR),
    QUIET("R010", ROUTES("'a':{'path_regex':'/(([a-z])+,)+'," TO "}")),
    /* R014 */
    JUST_FIRES(
        "R014",
        "{'listeners':{'l':{'address':'127.0.0.1:80','trusted_proxies':['10.0.0.0/8','0.0.0.0/0']"
        "}}}",
        "/listeners/l/trusted_proxies", "0.0.0.0/0 is everyone", WARNING),
    QUIET("R014",
          "{'listeners':{'l':{'address':'127.0.0.1:80','trusted_proxies':['10.0.0.0/8']}}}"),
    JUST_QUIET("R014",
               "{'listeners':{'l':{'address':'127.0.0.1:80','trusted_proxies':['0.0.0.0/1']}}}"),
    FIRES("R014", "{'listeners':{'l':{'address':'127.0.0.1:80','trusted_proxies':['::/0']}}}",
          "/listeners/l/trusted_proxies", "::/0 is everyone", WARNING),
    /* R017 */
    FIRES("R017", ROUTES("'a':{'hosts':['y']," TO "}"), "/routes/a/hosts",
          "no route is left for shop.example, which had 7 requests", ERROR,
          .base = ROUTES("'a':{'hosts':['shop.example','y']," TO "}"), .with = {.traffic = &shop}),
    FIRES("R017", ROUTES("'a':{'hosts':['y']," TO "}"), "/routes/a/hosts",
          "its traffic is not known", WARNING,
          .base = ROUTES("'a':{'hosts':['shop.example','y']," TO "}")),
    QUIET("R017", ROUTES("'a':{'hosts':['y']," TO "}"),
          .base = ROUTES("'a':{'hosts':['shop.example','y']," TO "}"), .with = {.traffic = &other}),
    QUIET("R017", ROUTES("'a':{'hosts':['*.example']," TO "}"),
          .base = ROUTES("'a':{'hosts':['a.shop.example','*.b.example']," TO "}")),
    QUIET("R017", ROUTES("'a':{" TO "}"), .base = ROUTES("'a':{'hosts':['shop.example']," TO "}")),
    JUST_FIRES("R017", ROUTES("'a':{'hosts':['y']," TO "}"), "/routes/a/hosts",
               "which had 1 requests in 7 days", ERROR,
               .base = ROUTES("'a':{'hosts':['shop.example','y']," TO "}"),
               .with = {.traffic = &shop_once}),
    JUST_QUIET("R017", ROUTES("'a':{'hosts':['y']," TO "}"),
               .base = ROUTES("'a':{'hosts':['shop.example','y']," TO "}"),
               .with = {.traffic = &shop_never}),
    /* a wildcard that is narrowed: one of its hosts was asked for */
    FIRES("R017", ROUTES("'a':{'hosts':['www.example']," TO "}"), "/routes/a/hosts",
          "no route is left for shop.example, which had 7", ERROR,
          .base = ROUTES("'a':{'hosts':['*.example']," TO "}"), .with = {.traffic = &shop}),
    QUIET("R017", ROUTES("'a':{'hosts':['shop.example']," TO "}"),
          .base = ROUTES("'a':{'hosts':['*.example']," TO "}"), .with = {.traffic = &shop}),
    /* the route for all hosts goes: one of them was asked for */
    FIRES("R017", ROUTES("'a':{'hosts':['www.example']," TO "}"), "/routes/b/hosts",
          "no route is left for shop.example", ERROR,
          .base = ROUTES("'a':{'hosts':['www.example']," TO "},'b':{" TO "}"),
          .with = {.traffic = &shop}),
    /* a page for all hosts takes the place of no site */
    FIRES("R017", ROUTES("'health':{'path':'/healthz','respond':{}}"), "/routes/a/hosts",
          "no route is left for shop.example", ERROR,
          .base = ROUTES("'a':{'hosts':['shop.example']," TO
                         "},'health':{'path':'/healthz','respond':{}}"),
          .with = {.traffic = &shop}),
    FIRES("R017", ROUTES("'health':{'path':'/healthz','respond':{}}"), "/routes/a/hosts",
          "its traffic is not known", WARNING,
          .base = ROUTES("'a':{'hosts':['shop.example']," TO
                         "},'health':{'path':'/healthz','respond':{}}")),
    FIRES("R017", ROUTES("'pre':{'methods':['OPTIONS'],'respond':{}}"), "/routes/a/hosts",
          "no route is left for shop.example", ERROR,
          .base = ROUTES("'a':{'hosts':['shop.example']," TO
                         "},'pre':{'methods':['OPTIONS'],'respond':{}}"),
          .with = {.traffic = &shop}),
    JUST_QUIET("R017", ROUTES("'a':{'path_prefix':'/api'," TO "}"),
               .base = ROUTES("'a':{'hosts':['shop.example'],'path_prefix':'/api/v1'," TO "}"),
               .with = {.traffic = &shop}),
    JUST_FIRES("R017", ROUTES("'a':{'path_prefix':'/api'," TO "}"), "/routes/a/hosts",
               "no route is left for shop.example", ERROR,
               .base = ROUTES("'a':{'hosts':['shop.example'],'path_prefix':'/apix'," TO "}"),
               .with = {.traffic = &shop}),
    /* who had no route has none to lose */
    QUIET("R017", ROUTES("'a':{'hosts':['y']," TO "}"),
          .base = ROUTES("'a':{'hosts':['x','y']," TO "}"), .with = {.traffic = &shop}),
};

static void each_rule_of_routes_fires_there_and_not_beside(void **state)
{
    (void)state;
    check_cases(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_of_routes_fires_there_and_not_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
