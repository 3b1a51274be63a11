/*
 * impact_test - what a candidate would do to traffic, forecast from requests that are made up here.
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
#include "base/error.h"
#include "base/hash.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"
#include "detect/impact.h"
#include "observe/sample.h"
#include "proxy/balance/balance.h"

enum { MOST = 20000, KINDS = 64 };

static struct arena *arena;
static struct sample seen;
static struct sample_request singles[MOST];
static struct sample_kind kinds[KINDS];
static struct impact_subject subject;
static struct configuration *base;
static struct configuration *target;
static struct impact *impact;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(65536);
    seen = (struct sample){.references = 1, .seconds = 100, .kinds = kinds, .singles = singles};
    subject = (struct impact_subject){.sample = &seen};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    impact_free(&impact);
    config_free(&base);
    config_free(&target);
    arena_free(&arena);
    return 0;
}

/* ---- configurations; documents are written with ' for " ---- */

#define SERVER(name, more)  "'" name "':{'address':'10.0.0.1:80'" more "}"
#define W(name, weight)     SERVER(name, ",'weight':" #weight)
#define POOL(more, ...)     "{'servers':{" __VA_ARGS__ "}" more "}"
#define ABC                 SERVER("a", "") "," SERVER("b", "") "," SERVER("c", "")
#define WEB                 "'listeners':{'web':{'address':'127.0.0.1:80'}}"
#define CONF(pools, routes) "{" WEB ",'pools':{" pools "},'routes':{" routes "}}"
#define ONE(pool)           CONF("'p':" pool, "'r':{'pool':'p'}")

static struct configuration *load(const char *document)
{
    const char *name = "a.json";
    char *text = arena_strdup(arena, document);
    struct slice bytes;
    struct findings findings;
    struct configuration *conf;
    char line[1024];

    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    bytes = slice_from(text);
    findings_init(&findings, arena);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    for (size_t i = 0; conf == NULL && i < findings.count; i++) {
        finding_text(&findings.items[i], line, sizeof(line));
        print_message("%s\n", line);
    }
    findings_fini(&findings);
    assert_non_null(conf);
    return conf;
}

/* ---- traffic ---- */

/* So many requests of a kind, in all and in a day, and the single one they look like: as many of
 * them as the sample has; its fields may be changed until the next call. */
static struct sample_request *see(const char *host, const char *path, uint64_t requests,
                                  size_t single_count)
{
    struct sample_request *first = &singles[seen.single_count];

    assert_true(seen.single_count + single_count <= MOST);
    kinds[seen.kind_count++] = (struct sample_kind){.listener = "web",
                                                    .host = host,
                                                    .path = path,
                                                    .method = "GET",
                                                    .requests = requests,
                                                    .requests_day = requests};
    seen.requests += requests;
    for (size_t i = 0; i < single_count; i++)
        singles[seen.single_count++] = (struct sample_request){
            .listener = "web",
            .host = host,
            .path = path,
            .method = "GET",
            .route = "r",
            .pool = "p",
            .weight = 1,
            .client_hash = hash_mix(i + 1),
        };
    return first;
}

/* ---- asking ---- */

static void forecast(const char *before, const char *after)
{
    struct error why = {0};

    config_free(&base);
    config_free(&target);
    impact_free(&impact);
    base = load(before);
    target = load(after);
    subject.base = base;
    subject.target = target;
    impact = impact_of(&subject, &why);
    if (impact == NULL)
        fail_msg("%s", why.text);
}

static const struct impact_pool *pool(const char *name)
{
    const struct impact_pool *found = impact_find_pool(impact, name);

    assert_non_null(found);
    return found;
}

static const struct impact_server *server(const char *of, const char *name)
{
    for (size_t i = 0; i < pool(of)->server_count; i++)
        if (strcmp(pool(of)->servers[i].name, name) == 0)
            return &pool(of)->servers[i];
    fail_msg("%s/%s is not there", of, name);
    return NULL;
}

static void expect_share(const char *name, double before, double after, double within)
{
    const struct impact_pair share = server("p", name)->share;

    if (share.before < before - within || share.before > before + within ||
        share.after < after - within || share.after > after + within)
        fail_msg("%s: %.4f -> %.4f, wanted %.4f -> %.4f", name, share.before, share.after, before,
                 after);
}

/* ---- balancing ---- */

static void shares_follow_weights(void **state)
{
    (void)state;
    see("h", "/", 1000, 100);
    forecast(ONE(POOL("", ABC)), ONE(POOL("", W("a", 200) "," W("b", 50) "," SERVER("c", ""))));
    expect_share("a", 1 / 3.0, 200 / 350.0, 1e-9);
    expect_share("b", 1 / 3.0, 50 / 350.0, 1e-9);
    assert_float_equal(pool("p")->requests_per_second.before, 10, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 10, 1e-6);
    assert_float_equal(pool("p")->tvd, 200 / 350.0 - 1 / 3.0, 1e-6);
    assert_float_equal(pool("p")->n_eff.before, 3, 1e-6);
    assert_true(pool("p")->is_changed);
    assert_float_equal(server("p", "a")->requests_per_second.after, 10 * 200 / 350.0, 1e-6);
    assert_int_equal(impact->move_count, 0);
    assert_true(impact->keys_moved_percent < 0);
}

static void servers_come_and_go(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), ONE(POOL("", SERVER("a", "") "," SERVER("d", ""))));
    expect_share("a", 1 / 3.0, 0.5, 1e-9);
    expect_share("b", 1 / 3.0, -1, 1e-9);
    expect_share("d", -1, 0.5, 1e-9);
    assert_float_equal(pool("p")->tvd, 2 / 3.0, 1e-6);
}

static void what_does_not_change_is_told_as_unchanged(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), ONE(POOL(",'slow_start':'7s'", ABC)));
    assert_false(pool("p")->is_changed);
    assert_float_equal(pool("p")->tvd, 0, 1e-9);
}

static void methods_that_follow_load_keep_the_pace_they_were_seen_to_have(void **state)
{
    static const char *const methods[] = {"least_requests", "peak_ewma", "random"};
    struct sample_request *requests = see("h", "/", 9000, 9000);

    (void)state;
    /* a took twice what b took, for the same weight: it answers in half the time */
    for (size_t i = 0; i < 9000; i++)
        requests[i].server = i % 9 < 4 ? "a" : i % 9 < 6 ? "b" : "c";
    for (size_t i = 0; i < 3; i++) {
        char before[512];
        char after[512];

        (void)snprintf(before, sizeof(before), ONE(POOL(",'balance':'%s'", ABC)), methods[i]);
        (void)snprintf(after, sizeof(after),
                       ONE(POOL(",'balance':'%s'", SERVER("a", "") "," W("b", 200) ",%s")),
                       "'c':{'address':'10.0.0.1:80'},'d':{'address':'10.0.0.2:80'}", methods[i]);
        forecast(before, after);
        /* paces 4/3, 2/3 and 1, and 1 of who is new: 4 : 2 * 2 : 3 : 3 */
        expect_share("a", 4 / 9.0, 4 / 14.0, 0.01);
        expect_share("b", 2 / 9.0, 4 / 14.0, 0.01);
        expect_share("c", 3 / 9.0, 3 / 14.0, 0.01);
        expect_share("d", -1, 3 / 14.0, 0.01 + 1e-9);
    }
}

static void a_few_picks_say_little_of_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 4, 4);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        requests[i].server = "a";
    forecast(ONE(POOL(",'balance':'least_requests'", ABC)),
             ONE(POOL(",'balance':'least_requests'", ABC)));
    expect_share("a", 0.364, 0.364, 0.01);
}

static void what_chance_explains_is_no_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 900, 900);

    (void)state;
    for (size_t i = 0; i < 900; i++)
        requests[i].server = i % 90 < 31 ? "a" : i % 90 < 60 ? "b" : "c";
    forecast(ONE(POOL(",'balance':'random'", ABC)), ONE(POOL(",'balance':'random'", ABC)));
    expect_share("a", 1 / 3.0, 1 / 3.0, 1e-9);
}

static void a_round_takes_no_notice_of_pace(void **state)
{
    struct sample_request *requests = see("h", "/", 900, 900);

    (void)state;
    for (size_t i = 0; i < 900; i++)
        requests[i].server = "a";
    forecast(ONE(POOL("", ABC)), ONE(POOL("", ABC)));
    expect_share("a", 1 / 3.0, 1 / 3.0, 1e-9);
}

static void backups_take_over_where_no_other_is_ready(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", SERVER("a", "") "," SERVER("z", ",'backup':true"))),
             ONE(POOL("", SERVER("a", ",'state':'drain'") "," SERVER("z", ",'backup':true"))));
    expect_share("a", 1, 0, 1e-9);
    expect_share("z", 0, 1, 1e-9);
    assert_true(pool("p")->has_eligible_after);
}

static void orders_in_force_and_orders_that_come_count(void **state)
{
    static const struct detect_override in_force[] = {{"p", "a", "drain", -1}};
    static const struct detect_override ordered[] = {{"p", "b", NULL, 300}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.overrides = in_force;
    subject.override_count = 1;
    subject.ordered = ordered;
    subject.ordered_count = 1;
    forecast(ONE(POOL("", ABC)), ONE(POOL("", ABC)));
    expect_share("a", 0, 0, 1e-9);
    expect_share("b", 0.5, 0.75, 1e-9);
    expect_share("c", 0.5, 0.25, 1e-9);
}

static void who_is_down_gets_nothing_until_there_is_panic(void **state)
{
    static const struct impact_down down[] = {{"p", "a"}, {"p", "b"}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.down = down;
    subject.down_count = 1;
    forecast(ONE(POOL(",'panic_percent':50", ABC)),
             ONE(POOL(",'panic_percent':50",
                      "'a':{'address':'10.0.0.9:80'}," SERVER("b", "") "," SERVER("c", ""))));
    expect_share("a", 0, 1 / 3.0, 1e-9); /* another machine: nobody knows that it is down */
    subject.down_count = 2;
    forecast(ONE(POOL(",'panic_percent':50", ABC)), ONE(POOL(",'panic_percent':20", ABC)));
    expect_share("a", 1 / 3.0, 0, 1e-9);
    expect_share("c", 1 / 3.0, 1, 1e-9);
    assert_true(pool("p")->has_eligible_after);
}

static void a_ceiling_gives_what_is_over_to_the_others(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", W("a", 800) "," W("b", 100) "," W("c", 100))),
             ONE(POOL(",'max_share_percent':40", W("a", 800) "," W("b", 100) "," W("c", 100))));
    expect_share("a", 0.8, 0.4, 1e-9);
    expect_share("b", 0.1, 0.3, 1e-9);
    /* nobody is left: backups, and then nobody */
    forecast(ONE(POOL("", W("a", 100) "," SERVER("z", ",'backup':true"))),
             ONE(POOL(",'max_share_percent':40", W("a", 100) "," SERVER("z", ",'backup':true"))));
    expect_share("a", 1, 0.4, 1e-9);
    expect_share("z", 0, 0.4, 1e-9);
}

static void nobody_is_eligible_any_more(void **state)
{
    static const struct detect_override in_force[] = {{"p", "a", "drain", -1}};

    (void)state;
    see("h", "/", 1000, 10);
    subject.overrides = in_force;
    subject.override_count = 1;
    forecast(ONE(POOL("", SERVER("a", "") "," SERVER("b", ""))), ONE(POOL("", SERVER("a", ""))));
    assert_true(pool("p")->has_eligible_before);
    assert_false(pool("p")->has_eligible_after);
    assert_true(pool("p")->is_reached);
    expect_share("a", 0, 0, 1e-9);
}

/* ---- hashes and cookies ---- */

#define HASHED(...) ONE(POOL(",'balance':'maglev','hash_on':'client_ip'", __VA_ARGS__))

static struct sample_request *see_hashed(size_t count)
{
    struct sample_request *requests = see("h", "/", count, count);

    for (size_t i = 0; i < count; i++) {
        requests[i].has_hash = true;
        requests[i].hash = requests[i].client_hash;
        requests[i].reason = REASON_HASH;
    }
    return requests;
}

static void a_server_more_moves_its_part_of_the_keys(void **state)
{
    (void)state;
    see_hashed(10000);
    forecast(HASHED(ABC), HASHED(ABC "," SERVER("d", "")));
    expect_share("a", 1 / 3.0, 0.25, 0.02);
    expect_share("d", -1, 0.25, 1.26);
    assert_float_equal(server("p", "d")->share.after, 0.25, 0.02);
    assert_in_range((uint64_t)(impact->keys_moved_percent * 10), 245, 290);
}

static void keys_of_who_stays_stay(void **state)
{
    (void)state;
    see_hashed(10000);
    forecast(HASHED(ABC),
             HASHED(SERVER("a", "") "," SERVER("b", ",'state':'maint'") "," SERVER("c", "")));
    assert_float_equal(impact->keys_moved_percent, 100 * server("p", "b")->share.before, 1e-6);
    assert_float_equal(server("p", "b")->share.after, 0, 1e-9);
}

static void one_key_that_all_have_goes_to_one_server(void **state)
{
    struct sample_request *requests = see_hashed(1000);
    size_t with_all = 0;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        requests[i].hash = 4711;
    forecast(HASHED(ABC), HASHED(SERVER("a", "") "," SERVER("b", "") "," W("c", 50)));
    for (size_t i = 0; i < 3; i++)
        with_all += pool("p")->servers[i].share.before > 0.999;
    assert_int_equal(with_all, 1);
}

static void what_is_hashed_now_may_not_be_known(void **state)
{
    (void)state;
    see_hashed(1000);
    forecast(HASHED(ABC), ONE(POOL(",'balance':'maglev','hash_on':'cookie:id'", ABC)));
    assert_true(impact->keys_moved_percent < 0);
    expect_share("a", 1 / 3.0, 1 / 3.0, 0.05);
    forecast(HASHED(ABC), ONE(POOL(",'balance':'maglev','hash_on':'path'", ABC)));
    assert_true(impact->keys_moved_percent > 50); /* one path: all keys to one server */
}

static void without_hashing_keys_keep_a_server_by_chance(void **state)
{
    (void)state;
    see_hashed(3000);
    forecast(HASHED(ABC), ONE(POOL("", ABC)));
    assert_float_equal(impact->keys_moved_percent, 100 * 2 / 3.0, 1.5);
}

#define STICKY(...) ONE(POOL(",'sticky':{'cookie':'s'}", __VA_ARGS__))

static void cookies_lead_to_their_server(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 1000);

    (void)state;
    for (size_t i = 0; i < 600; i++) {
        requests[i].sticky = "a";
        requests[i].reason = REASON_STICKY;
    }
    forecast(STICKY(ABC), STICKY(SERVER("a", "") "," SERVER("b", "") "," W("c", 200)));
    expect_share("a", 0.6 + 0.4 / 3, 0.6 + 0.4 / 4, 1e-6);
    expect_share("c", 0.4 / 3, 0.4 / 2, 1e-6);
    assert_float_equal(impact->keys_moved_percent, 0, 1e-9);
    /* a drained server keeps its sessions; one that is gone does not */
    forecast(STICKY(ABC),
             STICKY(SERVER("a", ",'state':'drain'") "," SERVER("b", "") "," SERVER("c", "")));
    expect_share("a", 0.6 + 0.4 / 3, 0.6, 1e-6);
    forecast(STICKY(ABC), STICKY(SERVER("b", "") "," SERVER("c", "")));
    expect_share("b", 0.4 / 3, 0.5, 1e-6);
    assert_float_equal(impact->keys_moved_percent, 100, 1e-6);
    /* another cookie is not read */
    forecast(STICKY(ABC), ONE(POOL(",'sticky':{'cookie':'t'}", ABC)));
    expect_share("a", 0.6 + 0.4 / 3, 1 / 3.0, 1e-6);
}

static void more_tables_than_are_made_leave_keys_unknown(void **state)
{
    char *before = arena_alloc(arena, 65536);
    char *after = arena_alloc(arena, 65536);
    size_t at = (size_t)sprintf(before, "{" WEB ",'routes':{");
    size_t pools;

    (void)state;
    for (int i = 0; i < 40; i++)
        at += (size_t)sprintf(before + at, "%s'r%d':{'hosts':['h%d'],'pool':'p%d'}",
                              i > 0 ? "," : "", i, i, i);
    at += (size_t)sprintf(before + at, "},'pools':{");
    pools = at;
    memcpy(after, before, at);
    for (int i = 0; i < 40; i++) {
        at += (size_t)sprintf(before + at,
                              "%s'p%d':{'balance':'maglev','hash_on':'client_ip','servers':{%s}}",
                              i > 0 ? "," : "", i, ABC);
        pools += (size_t)sprintf(
            after + pools, "%s'p%d':{'balance':'maglev','hash_on':'client_ip','servers':{%s}}",
            i > 0 ? "," : "", i, SERVER("a", "") "," SERVER("b", ""));
    }
    (void)sprintf(before + at, "}}");
    (void)sprintf(after + pools, "}}");
    for (int i = 0; i < 40; i++) {
        struct sample_request *request = see(arena_printf(arena, "h%d", i), "/", 10, 1);

        request->has_hash = true;
        request->hash = hash_mix((uint64_t)i);
        request->pool = arena_printf(arena, "p%d", i);
        request->route = arena_printf(arena, "r%d", i);
    }
    forecast(before, after);
    assert_true(impact->keys_moved_percent < 0);
    assert_true(pool("p39")->is_changed);
}

/* ---- routes ---- */

#define TWO "'p':" POOL("", ABC) ",'q':" POOL("", SERVER("x", ""))

static void requests_go_to_another_pool(void **state)
{
    (void)state;
    see("h", "/shop/cart", 800, 100);
    see("h", "/api/v1", 200, 100);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/api','pool':'q'}"));
    assert_float_equal(pool("p")->requests_per_second.before, 10, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 8, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.before, 0, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 2, 1e-6);
    assert_int_equal(impact->move_count, 1);
    assert_string_equal(impact->moves[0].from_route, "r");
    assert_string_equal(impact->moves[0].to_route, "api");
    assert_string_equal(impact->moves[0].from_pool, "p");
    assert_string_equal(impact->moves[0].to_pool, "q");
    assert_string_equal(impact->moves[0].example, "GET h/api/v1");
    assert_float_equal(impact->moves[0].requests_per_second, 2, 1e-6);
    assert_int_equal(impact->routes_losing_count, 0);
}

static void kinds_count_for_more_than_the_requests_that_were_kept(void **state)
{
    (void)state;
    see("h", "/a", 100, 1000); /* of late nearly all that is kept */
    see("h", "/b/c", 900, 10);
    see("h", "/d", 1000, 0); /* nothing is kept of it */
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'b':{'path_prefix':'/b','pool':'q'},"
                       "'d':{'path':'/d','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 19, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.after, 1, 1e-6);
    assert_int_equal(impact->requests, 2000);
}

static void what_is_in_no_kind_counts_by_the_requests_that_were_kept(void **state)
{
    struct sample_request *requests = see("h", "/a", 100, 20);

    (void)state;
    for (size_t i = 10; i < 20; i++)
        requests[i].path = i < 15 ? "/rare" : "/other";
    seen.requests += 60;
    seen.other_requests = 60;
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'s':{'path':'/rare','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 0.3, 1e-6);
    assert_float_equal(pool("p")->requests_per_second.before, 1.6, 1e-6);
}

static void splits_divide_by_their_weights(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'split':{'p':9,'q':1}}"), CONF(TWO, "'r':{'split':{'p':6,'q':4}}"));
    assert_float_equal(pool("q")->requests_per_second.before, 1, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 4, 1e-6);
    assert_int_equal(impact->move_count, 1); /* 3 a second, and none the other way */
    assert_float_equal(impact->moves[0].requests_per_second, 3, 1e-6);
    assert_string_equal(impact->moves[0].to_pool, "q");
}

static void regular_expressions_decide_as_they_do_for_workers(void **state)
{
    (void)state;
    see("h", "/item/17", 600, 6);
    see("h", "/item/new", 400, 4);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             CONF(TWO, "'r':{'pool':'p'},'n':{'path_regex':'/item/[0-9]+','pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.after, 6, 1e-6);
}

static void a_host_that_no_route_takes_is_dropped(void **state)
{
    (void)state;
    see("a.example", "/", 500, 5);
    see("b.example", "/", 500, 5);
    forecast(
        CONF(TWO, "'r':{'pool':'p'}"),
        CONF(TWO, "'r':{'hosts':['a.example'],'pool':'p'},'s':{'hosts':['*.org'],'pool':'q'}"));
    assert_int_equal(impact->hosts_dropped_count, 1);
    assert_string_equal(impact->hosts_dropped[0], "b.example");
    assert_null(impact->moves[0].to_route);
    assert_null(impact->moves[0].to_pool);
    assert_float_equal(pool("p")->requests_per_second.after, 5, 1e-6);
}

static void a_host_that_routes_name_is_dropped_without_traffic_too(void **state)
{
    (void)state;
    subject.sample = NULL;
    forecast(CONF(TWO, "'r':{'hosts':['a.example','www.b.example'],'pool':'p'}"),
             CONF(TWO, "'r':{'hosts':['*.b.example'],'pool':'p'}"));
    assert_int_equal(impact->hosts_dropped_count, 1);
    assert_string_equal(impact->hosts_dropped[0], "a.example");
}

static void a_route_loses_its_traffic(void **state)
{
    struct sample_request *requests = see("h", "/api/v1", 500, 5);

    (void)state;
    for (size_t i = 0; i < 5; i++)
        requests[i].route = "api";
    see("h", "/", 500, 5);
    forecast(CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/api','pool':'q'},"
                       "'idle':{'path':'/idle','pool':'q'}"),
             CONF(TWO, "'r':{'pool':'p'},'api':{'path_prefix':'/apis','pool':'q'}"));
    assert_int_equal(impact->routes_losing_count, 1);
    assert_string_equal(impact->routes_losing_traffic[0], "api");
}

static void a_listener_that_goes_takes_its_requests_along(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'pool':'p'}"),
             "{'listeners':{'new':{'address':'127.0.0.1:81'}},'pools':{" TWO
             "},'routes':{'r':{'pool':'p'}}}");
    assert_float_equal(pool("p")->requests_per_second.after, 0, 1e-9);
    assert_int_equal(impact->routes_losing_count, 1);
}

static void who_was_turned_away_is_again(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 5; i++)
        requests[i].pool = NULL;
    forecast(CONF(TWO, "'r':{'pool':'p'}"), CONF(TWO, "'r':{'pool':'q'}"));
    assert_float_equal(pool("p")->requests_per_second.before, 5, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 5, 1e-6);
}

/* ---- headers ---- */

static const struct sample_header beta[] = {{.name = "x-beta", .value = "1"}};
static const struct sample_header secret[] = {{.name = "x-key", .value = NULL, .is_held = true}};

#define ON_BETA "'r':{'pool':'p'},'beta':{'headers':{'x-beta':'1'},'pool':'q'}"

static void headers_that_were_looked_for_decide(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        requests[i].headers = beta;
        requests[i].header_count = 1;
    }
    forecast(CONF(TWO, ON_BETA),
             CONF(TWO, "'r':{'pool':'p'},'beta':{'headers':{'x-beta':'2'},'pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.before, 3, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 0, 1e-6);
    assert_int_equal(impact->unknown, 0);
}

static void a_header_that_was_not_looked_for_is_not_guessed(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(CONF(TWO, "'r':{'pool':'p'}"), CONF(TWO, ON_BETA));
    assert_int_equal(impact->unknown, 1000);
    assert_true(pool("p")->requests_per_second.after < 0);
    assert_true(pool("q")->requests_per_second.after < 0);
    assert_true(server("q", "x")->requests_per_second.after < 0);
    assert_int_equal(pool("q")->n_minus_1, N_MINUS_1_UNKNOWN);
    assert_int_equal(impact->routes_losing_count, 0);
    assert_int_equal(impact->hosts_dropped_count, 0);
    assert_int_equal(impact->move_count, 0);
}

/* Eight names are looked for: who lacks the ninth may have had it. */
static void a_ninth_header_is_not_taken_for_absent(void **state)
{
#define EIGHT_AND(value)                                                                           \
    CONF(TWO, "'r':{'pool':'p'},'a':{'headers':{'h1':'1','h2':'1','h3':'1','h4':'1','h5':'1',"     \
              "'h6':'1','h7':'1','h8':'1'},'pool':'p'},'beta':{'headers':{'x-beta':'" value        \
              "'},'pool':'q'}")
    (void)state;
    see("h", "/", 1000, 10);
    forecast(EIGHT_AND("1"), EIGHT_AND("2"));
    assert_int_equal(impact->unknown, 1000);
}

static void a_value_kept_back_is_known_by_the_route_it_led_to(void **state)
{
    struct sample_request *requests = see("h", "/", 1000, 10);

    (void)state;
    for (size_t i = 0; i < 10; i++) {
        requests[i].headers = secret;
        requests[i].header_count = 1;
        requests[i].route = i < 4 ? "keyed" : "r";
        requests[i].pool = i < 4 ? "q" : "p";
    }
    forecast(CONF(TWO, "'r':{'pool':'p'},'keyed':{'headers':{'x-key':'k'},'pool':'q'}"),
             CONF("'p':" POOL("", ABC) ",'q':" POOL("", SERVER("x", "") "," SERVER("y", "")),
                  "'r':{'pool':'p'},'keyed':{'headers':{'x-key':'k'},'pool':'q'}"));
    assert_float_equal(pool("q")->requests_per_second.before, 4, 1e-6);
    assert_float_equal(pool("q")->requests_per_second.after, 4, 1e-6);
    assert_int_equal(impact->unknown, 0);
}

/* ---- capacity ---- */

#define CAP(name, rps) SERVER(name, ",'capacity_rps':" #rps)

static void load_is_told_by_capacity(void **state)
{
    (void)state;
    see("h", "/", 90000, 10);
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 1000))));
    assert_float_equal(server("p", "a")->utilisation.before, 0.6, 1e-6);
    assert_float_equal(server("p", "a")->utilisation.after, 0.9, 1e-6);
    assert_float_equal(server("p", "b")->utilisation.after, 0.45, 1e-6);
    assert_true(server("p", "c")->utilisation.after < 0);
    assert_int_equal(server("p", "c")->capacity_rps, 500);
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_SHORT);
}

static void the_peak_decides_whether_one_may_fail(void **state)
{
    static const struct impact_peak peaks[] = {{"p", 999}};
    static const struct impact_peak more[] = {{"p", 1001}};

    (void)state;
    see("h", "/", 10000, 10);
    subject.peaks = peaks;
    subject.peak_count = 1;
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))));
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_OK);
    assert_float_equal(pool("p")->peak.after, 999, 1e-6);
    subject.peaks = more;
    forecast(ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))),
             ONE(POOL("", CAP("a", 500) "," CAP("b", 500) "," CAP("c", 500))));
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_SHORT);
}

static void what_moves_brings_its_peak_along(void **state)
{
    static const struct impact_peak peaks[] = {{"p", 400}, {"q", 30}};

    (void)state;
    see("h", "/", 10000, 10);   /* 100 a second now, 400 at the peak */
    see("h", "/q/x", 1000, 10); /* 10 a second now, 30 at the peak */
    subject.peaks = peaks;
    subject.peak_count = 2;
    forecast(CONF(TWO, "'r':{'pool':'p'},'s':{'path_prefix':'/q','pool':'q'}"),
             CONF(TWO, "'r':{'split':{'p':1,'q':1}},"
                       "'s':{'path_prefix':'/q','pool':'q'}"));
    assert_float_equal(pool("p")->peak.before, 400, 1e-6);
    assert_float_equal(pool("p")->peak.after, 200, 1e-6);
    assert_float_equal(pool("q")->peak.before, 30, 1e-6);
    assert_float_equal(pool("q")->peak.after, 230, 1e-6);
}

/* ---- nothing to go by ---- */

static void without_traffic_there_are_shares_by_weight_alone(void **state)
{
    (void)state;
    subject.sample = NULL;
    forecast(CONF("'p':" POOL("", ABC), "'r':{'pool':'p'},'s':{'path':'/s','pool':'p'}"),
             ONE(POOL("", SERVER("a", "") "," SERVER("b", ""))));
    expect_share("a", 1 / 3.0, 0.5, 1e-9);
    assert_true(pool("p")->requests_per_second.before < 0);
    assert_true(pool("p")->requests_per_second.after < 0);
    assert_int_equal(pool("p")->n_minus_1, N_MINUS_1_UNKNOWN);
    assert_int_equal(impact->requests, 0);
    assert_int_equal(impact->routes_losing_count, 1); /* it is deleted; more is not known */
    assert_string_equal(impact->routes_losing_traffic[0], "s");
    assert_false(pool("p")->is_reached);
}

static void a_pool_that_is_new_takes_nothing_from_another_server(void **state)
{
    (void)state;
    see("h", "/", 1000, 10);
    forecast(ONE(POOL("", ABC)), CONF(TWO, "'r':{'pool':'q'}"));
    assert_true(pool("q")->requests_per_second.before < 0);
    assert_float_equal(pool("q")->requests_per_second.after, 10, 1e-6);
    assert_float_equal(pool("q")->tvd, 0, 1e-9);
    forecast(CONF(TWO, "'r':{'pool':'q'}"), ONE(POOL("", ABC)));
    assert_float_equal(pool("q")->tvd, 1, 1e-9);
    assert_true(pool("q")->requests_per_second.after < 0);
}

static void a_side_that_does_not_compile_says_so(void **state)
{
    struct error why = {0};

    (void)state;
    see("h", "/", 1000, 10);
    base = load(CONF(TWO, "'r':{'pool':'p'}"));
    target = load(CONF(TWO, "'r':{'pool':'p'},'x':{'path_regex':'/(','pool':'p'}"));
    subject.base = base;
    subject.target = target;
    assert_null(impact_of(&subject, &why));
    assert_non_null(strstr(why.text, "x"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(shares_follow_weights),
        TEST(servers_come_and_go),
        TEST(what_does_not_change_is_told_as_unchanged),
        TEST(methods_that_follow_load_keep_the_pace_they_were_seen_to_have),
        TEST(a_few_picks_say_little_of_pace),
        TEST(what_chance_explains_is_no_pace),
        TEST(a_round_takes_no_notice_of_pace),
        TEST(backups_take_over_where_no_other_is_ready),
        TEST(orders_in_force_and_orders_that_come_count),
        TEST(who_is_down_gets_nothing_until_there_is_panic),
        TEST(a_ceiling_gives_what_is_over_to_the_others),
        TEST(nobody_is_eligible_any_more),
        TEST(a_server_more_moves_its_part_of_the_keys),
        TEST(keys_of_who_stays_stay),
        TEST(one_key_that_all_have_goes_to_one_server),
        TEST(what_is_hashed_now_may_not_be_known),
        TEST(without_hashing_keys_keep_a_server_by_chance),
        TEST(cookies_lead_to_their_server),
        TEST(more_tables_than_are_made_leave_keys_unknown),
        TEST(requests_go_to_another_pool),
        TEST(kinds_count_for_more_than_the_requests_that_were_kept),
        TEST(what_is_in_no_kind_counts_by_the_requests_that_were_kept),
        TEST(splits_divide_by_their_weights),
        TEST(regular_expressions_decide_as_they_do_for_workers),
        TEST(a_host_that_no_route_takes_is_dropped),
        TEST(a_host_that_routes_name_is_dropped_without_traffic_too),
        TEST(a_route_loses_its_traffic),
        TEST(a_listener_that_goes_takes_its_requests_along),
        TEST(who_was_turned_away_is_again),
        TEST(headers_that_were_looked_for_decide),
        TEST(a_header_that_was_not_looked_for_is_not_guessed),
        TEST(a_ninth_header_is_not_taken_for_absent),
        TEST(a_value_kept_back_is_known_by_the_route_it_led_to),
        TEST(load_is_told_by_capacity),
        TEST(the_peak_decides_whether_one_may_fail),
        TEST(what_moves_brings_its_peak_along),
        TEST(without_traffic_there_are_shares_by_weight_alone),
        TEST(a_pool_that_is_new_takes_nothing_from_another_server),
        TEST(a_side_that_does_not_compile_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
