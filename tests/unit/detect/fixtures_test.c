/*
 * fixtures_test - configurations that haproxy 2.6 -c and nginx 1.22 -t call valid, written as
 * twokey's: what it says of each.
 *
 * Threads  the first
 */
#include "base/memory.h"
#include "tests/unit/detect/cases.h"

struct fixture {
    const char *name;
    const char *document;
    const char *rules[20]; /* all that must be found; others may be */
};

static const struct fixture fixtures[] = {
    {"A.cfg",
     "{'process':{'max_connections':100},"
     "'listeners':{'f1':{'address':'127.0.0.1:18081'},'f2':{'address':'127.0.0.1:18081'}},"
     "'pools':{"
     "'b1':{'servers':{'s1':{'address':'10.0.0.1:80','weight':256},"
     "'s2':{'address':'10.0.0.2:80','weight':0},'s3':{'address':'10.0.0.3:80','weight':0}}},"
     "'dup':{'health_check':{},'servers':{'s1':{'address':'10.0.0.1:80'},'s2':{'address':'10.0.0.1:"
     "80'}}},"
     "'nosrv':{'servers':{}},"
     "'allbackup':{'servers':{'s1':{'address':'10.0.0.1:80','backup':true},'s2':{'address':'10.0.0."
     "2:80','backup':true}}},"
     "'allzero':{'servers':{'s1':{'address':'10.0.0.1:80','weight':0},'s2':{'address':'10.0.0.2:80'"
     ",'weight':0}}},"
     "'selfloop':{'servers':{'me':{'address':'127.0.0.1:18081'}}}},"
     "'routes':{'f1':{'listeners':['f1'],'pool':'b1'},'f2':{'listeners':['f2'],'pool':'nosrv'}}}",
     {"R008", "D004", "D001", "H001", "D007", "R005", "D005", "D003", "R007"}},
    {"C.cfg",
     "{'process':{'max_connections':20000},"
     "'listeners':{'f1':{'address':'127.0.0.1:18081','timeouts':{'body_idle':'5s','write_idle':'5s'"
     "}}},"
     "'pools':{"
     "'b1':{'balance':'maglev','hash_on':'client_ip','retry':{'attempts':10},"
     "'timeouts':{'connect':'30s','response':'300s'},'queue':{'timeout':'1h'},"
     "'health_check':{'interval':'100ms','timeout':'100ms'},"
     "'servers':{'s1':{'address':'10.0.0.1:80','max_connections':1},"
     "'s2':{'address':'10.0.0.2:80','max_connections':100000}}},"
     "'b2':{'servers':{'s1':{'address':'10.0.0.3:80','state':'maint'}}},"
     "'b3':{'health_check':{'interval':'1d','fall':100},'servers':{'s1':{'address':'10.0.0.4:80'}}}"
     "},"
     "'routes':{'first':{'path_prefix':'/','priority':1,'pool':'b1'},"
     "'second':{'path_prefix':'/api','pool':'b2'}}}",
     {"M002", "C009", "R001", "D010", "M004", "H003", "C007", "H002", "D006"}},
    {"F.cfg",
     "{'listeners':{'f1':{'address':'127.0.0.1:18081'}},"
     "'pools':{'b1':{'health_check':{'interval':'100ms','timeout':'100ms','fall':1,'rise':1},"
     "'servers':{'s1':{'address':'10.0.0.1:80'},'s2':{'address':'10.0.0.1:80','backup':true},"
     "'s3':{'address':'127.0.0.1:18081'}}}},"
     "'routes':{'always':{'priority':1,'pool':'b1'},'never':{'path':'/x','pool':'b1'}}}",
     {"R001", "H003", "H004", "D007", "R007"}},
    {"nginx",
     "{'listeners':{'l':{'address':'127.0.0.1:18090'}},"
     "'pools':{"
     "'one':{'servers':{'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.2:80','state':'maint'}"
     ",'c':{'address':'10.0.0.3:80','state':'maint'}}},"
     "'alldown':{'servers':{'a':{'address':'10.0.0.1:80','state':'maint'}}},"
     "'dup':{'servers':{'a':{'address':'10.0.0.1:80'},'b':{'address':'10.0.0.1:80'}}},"
     "'skew':{'servers':{'a':{'address':'10.0.0.1:80','weight':1000},'b':{'address':'10.0.0.2:80','"
     "weight':1}}},"
     "'loop':{'servers':{'a':{'address':'127.0.0.1:18090'}}}},"
     "'routes':{'a':{'hosts':['a'],'pool':'one'},'b':{'hosts':['a'],'pool':'loop'}}}",
     {"D001", "D006", "D007", "D008", "R003", "R007"}},
};

static bool has_rule(const struct findings *findings, const char *rule)
{
    for (size_t i = 0; i < findings->count; i++)
        if (strcmp(findings->items[i].rule, rule) == 0)
            return true;
    return false;
}

static void judge(const char *document, struct findings *findings)
{
    const char *name = "conf.d/a.json";
    char *text = arena_strdup(findings->arena, document);
    struct slice bytes;
    struct configuration *conf;

    for (char *c = text; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    bytes = slice_from(text);
    conf = config_load_documents_to_judge(&name, &bytes, 1, findings);
    assert_non_null(conf);
    detect_run(&(struct detect_subject){.target = conf}, findings);
    config_free(&conf);
}

static void what_others_call_valid_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
        struct arena *arena = arena_new(4096);
        struct findings findings;
        char line[2048];

        findings_init(&findings, arena);
        judge(fixtures[i].document, &findings);
        for (size_t j = 0; fixtures[i].rules[j] != NULL; j++) {
            if (has_rule(&findings, fixtures[i].rules[j]))
                continue;
            for (size_t k = 0; k < findings.count; k++) {
                finding_text(&findings.items[k], line, sizeof(line));
                print_message("    %s %s\n", findings.items[k].rule, line);
            }
            fail_msg("%s: %s is not found", fixtures[i].name, fixtures[i].rules[j]);
        }
        findings_fini(&findings);
        arena_free(&arena);
    }
}

/* ---- two hundred configurations as people write them ---- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static size_t write_pool(char *out, size_t room, size_t number, uint32_t *seed)
{
    static const char *const balances[] = {"round_robin", "least_requests", "random", "peak_ewma",
                                           "maglev"};
    uint32_t servers = 2 + next_random(seed) % 6;
    bool is_rated = next_random(seed) % 2 == 0;
    size_t used = (size_t)snprintf(
        out, room,
        "%s'p%zu':{'balance':'%s','slow_start':'%us','retry':{'attempts':%u},'timeouts':{'connect':"
        "'%us','response':'%us'},'health_check':{'path':'/healthz','interval':'%us','fall':%u},"
        "'servers':{",
        number > 0 ? "," : "", number, balances[next_random(seed) % 5], next_random(seed) % 60 + 5,
        next_random(seed) % 3, next_random(seed) % 5 + 1, next_random(seed) % 50 + 10,
        next_random(seed) % 10 + 2, next_random(seed) % 3 + 2);

    for (uint32_t i = 0; i < servers; i++) {
        uint32_t weight = 80 + next_random(seed) % 60;

        used += (size_t)snprintf(out + used, room - used, "%s's%u':{'address':'10.0.%zu.%u:80',",
                                 i > 0 ? "," : "", i, number, i + 1);
        used += (size_t)snprintf(out + used, room - used, "'weight':%u", weight);
        if (is_rated)
            used += (size_t)snprintf(out + used, room - used, ",'capacity_rps':%u", weight * 5);
        used += (size_t)snprintf(out + used, room - used, "}");
    }
    return used + (size_t)snprintf(out + used, room - used, "}}");
}

static char *sane(uint32_t seed, char *out, size_t room)
{
    size_t pools = 1 + next_random(&seed) % 8;
    size_t routes = next_random(&seed) % 20;
    size_t used = (size_t)snprintf(
        out, room,
        "{'listeners':{'web':{'address':'0.0.0.0:8080','limits':{'connections_per_client':500}}},"
        "'pools':{");

    for (size_t i = 0; i < pools; i++)
        used += write_pool(out + used, room - used, i, &seed);
    used += (size_t)snprintf(out + used, room - used, "},'routes':{'default':{'pool':'p0'}");
    for (size_t i = 0; i < routes; i++) {
        used += (size_t)snprintf(
            out + used, room - used,
            ",'r%zu':{'hosts':['h%u.example.com'],'path_prefix':'/a%zu','methods':['GET'],", i,
            next_random(&seed) % 5, i);
        if (next_random(&seed) % 4 == 0)
            used += (size_t)snprintf(out + used, room - used, "'redirect':{'location':'/x{uri}'}}");
        else
            used += (size_t)snprintf(out + used, room - used, "'pool':'p%zu'}",
                                     next_random(&seed) % pools);
    }
    (void)snprintf(out + used, room - used, "}}");
    return out;
}

static void two_hundred_sane_configurations_have_no_finding_of_error_or_block(void **state)
{
    static char text[65536];

    (void)state;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct arena *arena = arena_new(4096);
        struct findings findings;
        char line[2048];

        findings_init(&findings, arena);
        judge(sane(seed, text, sizeof(text)), &findings);
        for (size_t i = 0; i < findings.count; i++) {
            if (findings.items[i].severity < FINDING_ERROR)
                continue;
            finding_text(&findings.items[i], line, sizeof(line));
            fail_msg("configuration %u: %s %s", seed, findings.items[i].rule, line);
        }
        findings_fini(&findings);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_others_call_valid_is_not),
        cmocka_unit_test(two_hundred_sane_configurations_have_no_finding_of_error_or_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
