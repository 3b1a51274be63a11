/*
 * policy_rules_test - what a change does to the class that it has: each row of policy_rules.def, on
 * both sides of its limit.
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

#include "change/policy.h"
#include "change/policy_rules.h"
#include "tests/support/config_text.h"

static struct arena *arena;

static struct configuration *load(const char *text)
{
    struct configuration *conf = config_of_text(text, arena);

    conf->policy.mode = POLICY_ENFORCED;
    conf->policy.approvals_normal = 1;
    conf->policy.approvals_high = 2;
    return conf;
}

static json_t *json_or_null(const char *text)
{
    json_t *value = text != NULL ? json_loads(text, 0, NULL) : NULL;

    assert_true(text == NULL || value != NULL);
    return value;
}

/* ---- configurations ---- */

#define SERVER(name, more) "\"" name "\":{\"address\":\"10.0.0.1:80\"" more "}"
#define MOVED(name)        "\"" name "\":{\"address\":\"10.0.0.9:80\"}"
#define WEIGHT(name, w)    SERVER(name, ",\"weight\":" #w)
#define CAP(name, w, c)    SERVER(name, ",\"weight\":" #w ",\"capacity_rps\":" #c)
#define POOL_MORE(servers, more)                                                                   \
    "{\"pools\":{\"p\":{\"servers\":{" servers "}" more "}},\"routes\":{\"r\":{\"pool\":\"p\"}}}"
#define POOL(servers)  POOL_MORE(servers, "")
#define S1             SERVER("s1", "")
#define S2             SERVER("s2", "")
#define S3             SERVER("s3", "")
#define S4             SERVER("s4", "")
#define S5             SERVER("s5", "")
#define S6             SERVER("s6", "")
#define S7             SERVER("s7", "")
#define S8             SERVER("s8", "")
#define S9             SERVER("s9", "")
#define WITH(section)  "{" section ",\"pools\":{\"p\":{\"servers\":{" S1 "}}}}"
#define PLAIN          "{\"pools\":{\"p\":{\"servers\":{" S1 "}}}}"
#define ROUTES(routes) "{\"pools\":{\"p\":{\"servers\":{" S1 "}}},\"routes\":{" routes "}}"
#define POOLS(a, b, c, d, e)                                                                       \
    "{\"pools\":{\"a\":{" a "\"servers\":{" S1 "}},\"b\":{" b "\"servers\":{" S1 "}},\"c\":{" c    \
    "\"servers\":{" S1 "}}" d e "}}"
#define POOL_D(more) ",\"d\":{" more "\"servers\":{" S1 "}}"
#define POOL_E       ",\"e\":{\"servers\":{" S1 "}}"
#define TOUCHED      "\"slow_start\":\"7s\","
#define LISTENERS(a, b)                                                                            \
    "{\"listeners\":{\"a\":{\"address\":\"127.0.0.1:81\"" a "},\"b\":{\"address\":"                \
    "\"127.0.0.1:82\"" b "}}}"
#define NO_REUSE ",\"keepalive_requests\":1"
#define SHARE    ",\"max_share_percent\":50"
#define CAPS     CAP("s1", 100, 100) "," CAP("s2", 100, 100) "," CAP("s3", 100, 100)

struct given {
    const char *rule; /* the row in question */
    bool holds;       /* whether it is to hold */
    uint32_t class;   /* of the whole */
    const char *base;
    const char *target; /* NULL: as base */
    const char *overrides;
    const char *peaks;
    const char *in_force;
};

static const struct given table[] = {
    /* a change is of class 2, at least */
    {"configuration", true, 2, POOL(S1), POOL_MORE(S1, ",\"slow_start\":\"7s\""), 0, 0, 0},
    {"configuration", false, 2, POOL(S1), NULL, 0, 0, 0},
    {"server-added", true, 2, POOL(S1), POOL(S1 "," S2), 0, 0, 0},
    {"server-added", true, 2, POOL(S1 "," S2), POOL(S1 "," S2 "," S3), 0, 0, 0},
    {"server-added", false, 2, POOL(S1), POOL(WEIGHT("s1", 50)), 0, 0, 0},
    /* a plain weight change */
    {"away-from-capacity", false, 2, POOL(S1 "," S2 "," S3), POOL(WEIGHT("s1", 50) "," S2 "," S3),
     0, 0, 0},
    {"away-from-capacity", false, 2, POOL(S1 "," S2), POOL(S1 "," WEIGHT("s2", 50)), 0, 0, 0},

    /* servers that go: one, with half the pool and two servers left */
    {"server-removed", true, 2, POOL(S1 "," S2 "," S3), POOL(S1 "," S2), 0, 0, 0},
    {"scarce-server-removed", false, 2, POOL(S1 "," S2 "," S3), POOL(S1 "," S2), 0, 0, 0},
    {"scarce-server-removed", true, 3, POOL(S1 "," S2), POOL(S1), 0, 0, 0},
    /* put out of service is as good as removed */
    {"scarce-server-removed", true, 3, POOL(S1 "," S2),
     POOL(S1 "," SERVER("s2", ",\"state\":\"drain\"")), 0, 0, 0},
    {"server-removed", true, 2, POOL(S1 "," S2 "," S3),
     POOL(S1 "," S2 "," SERVER("s3", ",\"state\":\"maint\"")), 0, 0, 0},
    {"last-server-removed", true, 3, POOL(S1), POOL(WEIGHT("s1", 0)), 0, 0, 0},
    /* what was out of service already may go */
    {"server-removed", false, 2, POOL(S1 "," SERVER("s2", ",\"state\":\"drain\"")), POOL(S1), 0, 0,
     0},
    /* what is drained at run time does not stay */
    {"scarce-server-removed", true, 3, POOL(S1 "," S2 "," S3), POOL(S1 "," S2), 0, 0,
     "[{\"pool\":\"p\",\"server\":\"s1\",\"state\":\"drain\",\"weight\":null}]"},
    {"scarce-server-removed", false, 2, POOL(S1 "," S2 "," S3), POOL(S1 "," S2), 0, 0,
     "[{\"pool\":\"q\",\"server\":\"s1\",\"state\":\"drain\",\"weight\":null}]"},
    /* with every capacity declared, by numbers: C001 at 100, C002 at 80 % */
    {"scarce-server-removed", false, 2, POOL(CAPS),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 100)), 0, "{\"p\":100}", 0},
    {"scarce-server-removed", true, 3, POOL(CAPS),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 100)), 0, "{\"p\":101}", 0},
    {"scarce-server-removed", false, 2,
     POOL(CAP("s0", 1, 500) "," CAP("s1", 80, 100) "," CAP("s2", 20, 900)),
     POOL(CAP("s1", 80, 100) "," CAP("s2", 20, 900)), 0, "{\"p\":100}", 0}, /* 80 of 100 */
    {"scarce-server-removed", true, 3,
     POOL(CAP("s0", 1, 500) "," CAP("s1", 1, 100) "," CAP("s2", 9, 100)),
     POOL(CAP("s1", 9, 100) "," CAP("s2", 1, 100)), 0, "{\"p\":90}", 0}, /* 81 of 100 */
    /* numbers that are needed and not known: the worst */
    {"scarce-server-removed", true, 3, POOL(CAPS),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 100)), 0, NULL, 0},
    /* more than one, and a fifth of the pool */
    {"many-servers-removed", true, 3, POOL(S1 "," S2 "," S3 "," S4), POOL(S1 "," S2), 0, 0, 0},
    {"many-servers-removed", true, 3,
     POOL(S1 "," S2 "," S3 "," S4 "," S5 "," S6 "," S7 "," S8 "," S9 "," SERVER("s10", "")),
     POOL(S1 "," S2 "," S3 "," S4 "," S5 "," S6 "," S7 "," S8), 0, 0, 0},
    {"many-servers-removed", false, 2,
     POOL(S1 "," S2 "," S3 "," S4 "," S5 "," S6 "," S7 "," S8 "," S9
             "," SERVER("s10", "") "," SERVER("s11", "")),
     POOL(S1 "," S2 "," S3 "," S4 "," S5 "," S6 "," S7 "," S8 "," S9), 0, 0, 0},
    {"many-servers-removed", false, 2, POOL(S1 "," S2 "," S3), POOL(S1 "," S2), 0, 0, 0},
    {"last-server-removed", true, 3, POOL(S1), "{\"pools\":{},\"routes\":{}}", 0, 0, 0},
    /* at another address it is another server */
    {"many-servers-removed", true, 3, POOL(S1 "," S2 "," S3),
     POOL(MOVED("s1") "," MOVED("s2") "," S3), 0, 0, 0},
    {"many-servers-removed", false, 2, POOL(S1 "," S2 "," S3), POOL(MOVED("s1") "," S2 "," S3), 0,
     0, 0},
    {"last-server-removed", false, 3, POOL(S1 "," S2), POOL(S1), 0, 0, 0},

    /* runtime overrides count like what is written */
    {"overrides", true, 2, POOL(S1 "," S2 "," S3), NULL,
     "[{\"pool\":\"p\",\"server\":\"s1\",\"state\":\"drain\"}]", 0, 0},
    {"overrides", false, 2, POOL(S1 "," S2 "," S3), NULL, "[]", 0, 0},
    {"scarce-server-removed", true, 3, POOL(S1 "," S2), NULL,
     "[{\"pool\":\"p\",\"server\":\"s1\",\"state\":\"maint\"}]", 0, 0},
    {"last-server-removed", true, 3, POOL(S1), NULL,
     "[{\"pool\":\"p\",\"server\":\"s1\",\"state\":\"drain\"}]", 0, 0},
    {"away-from-capacity", true, 3, POOL(S1 "," S2), NULL,
     "[{\"pool\":\"p\",\"server\":\"s1\",\"weight\":20}]", 0, 0},

    /* max_share_percent */
    {"max-share", false, 2, POOL_MORE(S1 "," S2, SHARE), POOL_MORE(S1 "," S2 "," S3, SHARE), 0, 0,
     0},
    {"max-share", true, 3, POOL_MORE(S1 "," S2, SHARE), POOL_MORE(S1 "," WEIGHT("s2", 99), SHARE),
     0, 0, 0},
    {"max-share", true, 3, POOL(S1 "," WEIGHT("s2", 90)), POOL_MORE(S1 "," WEIGHT("s2", 90), SHARE),
     0, 0, 0},
    {"max-share", false, 2, POOL_MORE(S1 "," WEIGHT("s2", 90), SHARE),
     POOL_MORE(S1 "," WEIGHT("s2", 90), SHARE ",\"slow_start\":\"7s\""), 0, 0, 0}, /* as before */
    {"max-share", true, 3, POOL_MORE(S1 "," WEIGHT("s2", 90), SHARE),
     POOL_MORE(S1 "," WEIGHT("s2", 90), ",\"max_share_percent\":49"), 0, 0, 0},

    /* capacity_rps, where the peak is known */
    {"over-capacity", false, 2, POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 100)),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 50)), 0, "{\"p\":100}", 0},
    {"over-capacity", true, 3, POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 100)),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 100, 50)), 0, "{\"p\":101}", 0},

    /* away from the shares by capacity: half and half, to 300 of 1000 and to less */
    {"away-from-capacity", false, 2, POOL(WEIGHT("s1", 500) "," WEIGHT("s2", 500)),
     POOL(WEIGHT("s1", 300) "," WEIGHT("s2", 700)), 0, 0, 0},
    {"away-from-capacity", true, 3, POOL(WEIGHT("s1", 500) "," WEIGHT("s2", 500)),
     POOL(WEIGHT("s1", 299) "," WEIGHT("s2", 701)), 0, 0, 0},
    {"away-from-capacity", false, 2, POOL(WEIGHT("s1", 100) "," WEIGHT("s2", 900)),
     POOL(WEIGHT("s1", 500) "," WEIGHT("s2", 500)), 0, 0, 0}, /* towards them */
    {"away-from-capacity", false, 2, POOL(CAP("s1", 500, 100) "," CAP("s2", 500, 900)),
     POOL(CAP("s1", 100, 100) "," CAP("s2", 900, 900)), 0, 0, 0},
    {"away-from-capacity", true, 3, POOL(CAP("s1", 100, 100) "," CAP("s2", 900, 900)),
     POOL(CAP("s1", 500, 100) "," CAP("s2", 500, 900)), 0, 0, 0},
    /* a new server at weight 0 moves nothing; a new pool has to be even */
    {"away-from-capacity", false, 2, POOL(S1), POOL(S1 "," WEIGHT("s2", 0)), 0, 0, 0},
    {"away-from-capacity", true, 3, "{}", POOL(WEIGHT("s1", 1000) "," WEIGHT("s2", 1)), 0, 0, 0},
    {"away-from-capacity", false, 2, "{}", POOL(S1 "," S2), 0, 0, 0},

    /* routes and hosts, which may have traffic */
    {"route-deleted", true, 3,
     ROUTES("\"a\":{\"pool\":\"p\"},\"b\":{\"path\":\"/b\",\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"pool\":\"p\"}"), 0, 0, 0},
    {"route-deleted", false, 2, ROUTES("\"a\":{\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"pool\":\"p\"},\"b\":{\"path\":\"/b\",\"pool\":\"p\"}"), 0, 0, 0},
    {"host-deleted", true, 3,
     ROUTES("\"a\":{\"hosts\":[\"a.example\",\"b.example\"],\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},
    {"host-deleted", false, 2, ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"hosts\":[\"a.example\",\"b.example\"],\"pool\":\"p\"}"), 0, 0, 0},
    {"host-deleted", false, 3,
     ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"},\"b\":{\"hosts\":[\"a.example\"],"
            "\"path\":\"/b\",\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0,
     0}, /* the route alone goes */
    {"host-deleted", true, 3, ROUTES("\"a\":{\"pool\":\"p\"}"),
     ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},

    /* how many pools: half of four, more than half; three are too few to count */
    {"most-pools", false, 2, POOLS("", "", "", POOL_D(""), ""),
     POOLS(TOUCHED, TOUCHED, "", POOL_D(""), ""), 0, 0, 0},
    {"most-pools", true, 3, POOLS("", "", "", POOL_D(""), ""),
     POOLS(TOUCHED, TOUCHED, TOUCHED, POOL_D(""), ""), 0, 0, 0},
    {"most-pools", false, 2, POOLS("", "", "", "", ""), POOLS(TOUCHED, TOUCHED, TOUCHED, "", ""), 0,
     0, 0},
    {"most-pools", false, 2, POOLS("", "", "", POOL_D(""), ""),
     POOLS(TOUCHED, TOUCHED, "", POOL_D(""), POOL_E), 0, 0, 0},
    {"all-listeners", true, 3, LISTENERS("", ""), LISTENERS(NO_REUSE, NO_REUSE), 0, 0, 0},
    {"all-listeners", false, 2, LISTENERS("", ""), LISTENERS(NO_REUSE, ""), 0, 0, 0},
    {"all-listeners", false, 2, "{}", LISTENERS("", ""), 0, 0, 0},

    /* sections */
    {"admin", true, 3, PLAIN, WITH("\"admin\":{\"metrics_public\":true}"), 0, 0, 0},
    {"admin", false, 2, PLAIN, WITH("\"process\":{\"workers\":2}"), 0, 0, 0},
    {"observe", true, 3, PLAIN, WITH("\"observe\":{\"access_log\":{\"path\":\"off\"}}"), 0, 0, 0},
    {"policy", true, 3, WITH("\"policy\":{\"mode\":\"off\"}"), WITH("\"policy\":{}"), 0, 0, 0},
};

/* `used`: routes and hosts that had requests in seven days; NULL: that is not known. */
static uint32_t judge_knowing(const struct given *given, const char *override, const char *used,
                              struct policy_verdict *verdict)
{
    struct configuration *base = load(given->base);
    struct configuration *target = load(given->target != NULL ? given->target : given->base);
    struct policy_subject subject = {
        .base = base,
        .target = target,
        .base_json = json_loadb(base->canonical, base->canonical_bytes, 0, NULL),
        .target_json = json_loadb(target->canonical, target->canonical_bytes, 0, NULL),
        .overrides = json_or_null(given->overrides),
        .override = json_or_null(override),
        .peaks = json_or_null(given->peaks),
        .in_force = json_or_null(given->in_force),
        .used_routes = json_or_null(used),
        .used_hosts = json_or_null(used),
    };

    policy_judge(&subject, verdict);
    json_decref((json_t *)(uintptr_t)subject.used_routes);
    json_decref((json_t *)(uintptr_t)subject.used_hosts);
    json_decref((json_t *)(uintptr_t)subject.base_json);
    json_decref((json_t *)(uintptr_t)subject.target_json);
    json_decref((json_t *)(uintptr_t)subject.overrides);
    json_decref((json_t *)(uintptr_t)subject.override);
    json_decref((json_t *)(uintptr_t)subject.peaks);
    json_decref((json_t *)(uintptr_t)subject.in_force);
    config_free(&base);
    config_free(&target);
    return verdict->class;
}

static uint32_t judge(const struct given *given, const char *override,
                      struct policy_verdict *verdict)
{
    return judge_knowing(given, override, NULL, verdict);
}

static const json_t *reason(const struct policy_verdict *verdict, const char *rule)
{
    for (size_t i = 0; i < json_array_size(verdict->reasons); i++) {
        const json_t *one = json_array_get(verdict->reasons, i);

        if (strcmp(json_string_value(json_object_get(one, "rule")), rule) == 0)
            return one;
    }
    return NULL;
}

static void each_rule_holds_where_its_words_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct policy_verdict verdict;
        uint32_t class = judge(&table[i], NULL, &verdict);
        bool holds = reason(&verdict, table[i].rule) != NULL;

        if (holds != table[i].holds || class != table[i].class) {
            char *text = json_dumps(verdict.reasons, 0);

            print_message("row %zu (%s): class %u, %s\n", i, table[i].rule, class, text);
            free(text);
        }
        assert_int_equal(holds, table[i].holds);
        assert_int_equal(class, table[i].class);
        policy_verdict_clear(&verdict);
    }
}

static void every_rule_is_tried_on_both_sides(void **state)
{
    /* by tests of their own, below */
    static const char *const elsewhere[] = {"error-accepted", "trust", "people"};

    (void)state;
    for (size_t i = 0; i < policy_rule_count; i++) {
        bool is_tried[2] = {false, false};

        for (size_t n = 0; n < sizeof(table) / sizeof(table[0]); n++)
            if (strcmp(table[n].rule, policy_rules[i].id) == 0)
                is_tried[table[n].holds] = true;
        for (size_t n = 0; n < sizeof(elsewhere) / sizeof(elsewhere[0]); n++)
            if (strcmp(elsewhere[n], policy_rules[i].id) == 0)
                is_tried[0] = is_tried[1] = true;
        if (strcmp(policy_rules[i].id, "policy") == 0 || strcmp(policy_rules[i].id, "observe") == 0)
            is_tried[0] = true; /* all the other rows */
        if (!is_tried[0] || !is_tried[1])
            print_message("%s\n", policy_rules[i].id);
        assert_true(is_tried[0] && is_tried[1]);
    }
}

static void a_row_tells_what_makes_it_hold(void **state)
{
    static const struct given given = {.base = POOL(WEIGHT("s1", 500) "," WEIGHT("s2", 500)),
                                       .target = POOL(WEIGHT("s1", 100) "," WEIGHT("s2", 900))};
    struct policy_verdict verdict;
    const json_t *one;

    (void)state;
    judge(&given, NULL, &verdict);
    one = reason(&verdict, "away-from-capacity");
    assert_non_null(one);
    assert_string_equal(json_string_value(json_object_get(one, "message")),
                        "moves more than 20 % of a pool's requests away from the shares by "
                        "capacity: p: 0 % away before, 40 % after");
    policy_verdict_clear(&verdict);
}

static void accepting_an_error_is_of_class_3(void **state)
{
    static const struct given given = {.base = POOL(S1), .target = POOL(S1 "," S2)};
    struct policy_verdict verdict;

    (void)state;
    assert_int_equal(judge(&given, "[\"C003\"]", &verdict), 3);
    assert_non_null(reason(&verdict, "error-accepted"));
    policy_verdict_clear(&verdict);
    assert_int_equal(judge(&given, "[]", &verdict), 2);
    assert_null(reason(&verdict, "error-accepted"));
    policy_verdict_clear(&verdict);
}

/* What this version does not parse yet is judged by what is written. */
static uint32_t judge_json(const char *base_text, const char *target_text,
                           struct policy_verdict *verdict)
{
    struct configuration *conf = load("{}");
    json_t *base = json_or_null(base_text);
    json_t *target = json_or_null(target_text);
    struct policy_subject subject = {
        .base = conf, .target = conf, .base_json = base, .target_json = target};

    policy_judge(&subject, verdict);
    json_decref(base);
    json_decref(target);
    config_free(&conf);
    return verdict->class;
}

static void whose_certificates_are_trusted_is_of_class_3(void **state)
{
    static const struct {
        const char *base;
        const char *target;
        bool holds;
    } cases[] = {
        {"{\"listeners\":{\"w\":{\"tls\":{}}}}",
         "{\"listeners\":{\"w\":{\"tls\":{\"client_auth\":{\"mode\":\"off\"}}}}}", true},
        {"{\"listeners\":{\"w\":{\"tls\":{\"client_auth\":{}}}}}", "{\"listeners\":{}}", true},
        {"{\"pools\":{\"p\":{\"tls\":{}}}}", "{\"pools\":{\"p\":{\"tls\":{\"ca_file\":\"x\"}}}}",
         true},
        {"{\"pools\":{\"p\":{}}}", "{\"pools\":{\"p\":{\"tls\":{\"verify\":false}}}}", true},
        {"{}", "{\"pools\":{\"p\":{\"tls\":{\"verify\":false}}}}", true},
        {"{\"pools\":{\"p\":{\"tls\":{\"ca_file\":\"x\"}}}}",
         "{\"pools\":{\"p\":{\"tls\":{\"ca_file\":\"x\",\"sni\":\"y\"}}}}", false},
        {"{\"listeners\":{\"w\":{\"tls\":{}}}}",
         "{\"listeners\":{\"w\":{\"tls\":{\"certificates\":[\"x\"]}}}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct policy_verdict verdict;

        assert_int_equal(judge_json(cases[i].base, cases[i].target, &verdict),
                         cases[i].holds ? 3 : 2);
        assert_int_equal(reason(&verdict, "trust") != NULL, cases[i].holds);
        policy_verdict_clear(&verdict);
    }
}

static void who_may_do_what_is_of_class_3(void **state)
{
    struct policy_verdict verdict;

    (void)state;
    assert_int_equal(judge_json("{\"people\":{\"ann\":{}}}",
                                "{\"people\":{\"ann\":{\"disabled\":true}}}", &verdict),
                     3);
    assert_non_null(reason(&verdict, "people"));
    policy_verdict_clear(&verdict);
    assert_int_equal(judge_json("{\"people\":{\"ann\":{}}}",
                                "{\"people\":{\"ann\":{}},\"process\":{}}", &verdict),
                     2);
    assert_null(reason(&verdict, "people"));
    policy_verdict_clear(&verdict);
    assert_int_equal(
        judge_json("{\"policy\":{}}", "{\"policy\":{\"suppressions\":[{}]}}", &verdict), 3);
    policy_verdict_clear(&verdict);
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

static const struct {
    struct given given;
    const char *used;
} idle[] = {
    {{"route-deleted", true, 3,
      ROUTES("\"a\":{\"pool\":\"p\"},\"b\":{\"path\":\"/b\",\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"pool\":\"p\"}"), 0, 0, 0},
     "{\"a\":9,\"b\":1}"},
    {{"route-deleted", false, 2,
      ROUTES("\"a\":{\"pool\":\"p\"},\"b\":{\"path\":\"/b\",\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"pool\":\"p\"}"), 0, 0, 0},
     "{\"a\":9}"},
    {{"host-deleted", false, 2,
      ROUTES("\"a\":{\"hosts\":[\"a.example\",\"b.example\"],\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},
     "{\"a.example\":1}"},
    {{"host-deleted", true, 3,
      ROUTES("\"a\":{\"hosts\":[\"a.example\",\"b.example\"],\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},
     "{\"b.example\":1}"},
    {{"host-deleted", true, 3,
      ROUTES("\"a\":{\"hosts\":[\"a.example\",\"*.b.example\"],\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},
     "{\"x.y.b.example\":1}"},
    {{"host-deleted", false, 2,
      ROUTES("\"a\":{\"hosts\":[\"a.example\",\"*.b.example\"],\"pool\":\"p\"}"),
      ROUTES("\"a\":{\"hosts\":[\"a.example\"],\"pool\":\"p\"}"), 0, 0, 0},
     "{\"b.example\":1}"},
};

static void what_nobody_asked_for_is_deleted_with_less_ado(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(idle) / sizeof(idle[0]); i++) {
        struct policy_verdict verdict;
        uint32_t class = judge_knowing(&idle[i].given, NULL, idle[i].used, &verdict);

        assert_int_equal(reason(&verdict, idle[i].given.rule) != NULL, idle[i].given.holds);
        assert_int_equal(class, idle[i].given.class);
        policy_verdict_clear(&verdict);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_holds_where_its_words_say),
        cmocka_unit_test(what_nobody_asked_for_is_deleted_with_less_ado),
        cmocka_unit_test(every_rule_is_tried_on_both_sides),
        cmocka_unit_test(a_row_tells_what_makes_it_hold),
        cmocka_unit_test(accepting_an_error_is_of_class_3),
        cmocka_unit_test(whose_certificates_are_trusted_is_of_class_3),
        cmocka_unit_test(who_may_do_what_is_of_class_3),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
