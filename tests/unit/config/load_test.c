/*
 * load_test - documents to a configuration: defaults, references, and every kind of problem.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/slice.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"

struct loaded {
    struct arena *arena;
    struct findings findings;
    struct configuration *conf;
};

static void load_two(struct loaded *loaded, const char *first, const char *second)
{
    const char *names[] = {"conf.d/10-a.json", "conf.d/20-b.json"};
    struct slice bytes[] = {slice_from(first), slice_from(second)};

    loaded->arena = arena_new(4096);
    findings_init(&loaded->findings, loaded->arena);
    loaded->conf = config_load_documents(names, bytes, second != NULL ? 2 : 1, &loaded->findings);
}

static void unload(struct loaded *loaded)
{
    config_free(&loaded->conf);
    findings_fini(&loaded->findings);
    arena_free(&loaded->arena);
}

static bool says(const struct loaded *loaded, enum finding_severity severity, const char *text)
{
    char line[2048];

    for (size_t i = 0; i < loaded->findings.count; i++) {
        finding_text(&loaded->findings.items[i], line, sizeof(line));
        if (loaded->findings.items[i].severity == severity && strstr(line, text) != NULL)
            return true;
    }
    return false;
}

static void show(const struct loaded *loaded)
{
    char line[2048];

    for (size_t i = 0; i < loaded->findings.count; i++) {
        finding_text(&loaded->findings.items[i], line, sizeof(line));
        print_message("    %s\n", line);
    }
}

/* A configuration around one thing. */
#define SERVER(body) "{\"pools\":{\"p\":{\"servers\":{\"s\":{" body "}}}}}"
#define POOL(body)                                                                                 \
    "{\"pools\":{\"p\":{\"servers\":{\"s\":{\"address\":\"10.0.0.1:80\"}}," body "}}}"
#define LISTENER(body) "{\"listeners\":{\"l\":{\"address\":\"0.0.0.0:8080\"," body "}}}"
#define ADMIN_TLS      "\"tls\":{\"cert_file\":\"/a.pem\",\"key_file\":\"/a.key\"}"
#define ROUTE(body)    "{\"routes\":{\"r\":{\"respond\":{\"status\":200}," body "}}}"

struct bad {
    const char *document;
    const char *expected;
};

#define HASH "sha256:abababababababababababababababababababababababababababababababab"

static const struct bad bad_documents[] = {
    /* the file */
    {"", "conf.d/10-a.json:1:0: is not JSON"},
    {"[]", "conf.d/10-a.json: is not an object of sections"},
    {"{\"pools\": {},}", "is not JSON"},
    {"{\"pools\": {}, \"pools\": {}}", "the key \"pools\" stands twice in one object"},
    {"{\"pols\": {}}", "/pols: is not a section; did you mean \"pools\"?"},
    {"{\"pools\": []}", "/pools: is not an object"},
    {"{\"pools\": {\"p\": 5}}", "/pools/p: 5 is not an object"},
    {"{\"a\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}", "is nested too deeply"},
    {"{\"process\": {\"workers\": 1.5}}", "1.5 is not a number of workers (1 to 64"},
    {"{\"process\": {\"workers\": 99999999999999999999}}", "is not JSON"},
    {"{\"process\": {\"workers\": null}}", "/process/workers: is null"},
    {"{\"process\": {\"workers\": 0}}", "0 is not a number of workers (1 to 64, or \"auto\")"},
    {"{\"process\": {\"max_connections\": \"many\"}}", "\"many\" is not a number of connections"},
    /* names and keys */
    {"{\"pools\":{\"A\":{\"servers\":{\"s\":{\"address\":\"1.2.3.4:1\"}}}}}", "is not a name"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"weigth\":1"),
     "/pools/p/servers/s/weigth: is not a key of pools.X.servers.Y; did you mean \"weight\"?"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"weight\":70000"),
     "conf.d/10-a.json: /pools/p/servers/s/weight: 70000 is not a weight (0 to 1000)"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"weight\":-1"), "-1 is not a weight"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"weight\":\"5\""), "\"5\" is not a weight"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"backup\":1"), "1 is not true or false"},
    {SERVER("\"address\":\"10.0.0.1:80\",\"state\":\"drian\""), "did you mean \"drain\"?"},
    /* durations and sizes */
    {POOL("\"health_check\":{\"type\":\"grpc\"}"), "type \"grpc\" needs \"protocol\": \"h2\""},
    {POOL("\"slow_start\":30"), "/pools/p/slow_start: 30 has no unit"},
    {POOL("\"slow_start\":\"30\""), "\"30\" has no unit"},
    {POOL("\"slow_start\":\"30 s\""), "is not a duration"},
    {POOL("\"slow_start\":true"), "true is not a duration"},
    {POOL("\"timeouts\":{\"connect\":\"0s\"}"), "\"0s\" is not allowed here (1ms to 1h)"},
    {LISTENER("\"limits\":{\"header_bytes\":65536}"), "65536 has no unit"},
    {LISTENER("\"limits\":{\"body\":\"64kb\"}"), "is not a size"},
    /* addresses */
    {SERVER(""), "/pools/p/servers/s: has no \"address\""},
    {SERVER("\"address\":\"10.0.0.1\""), "has no port"},
    {SERVER("\"address\":\"10.0.0.1:0\""), "has a port that is not 1 to 65535"},
    {SERVER("\"address\":\"10.0.0.1:99999\""), "has a port that is not 1 to 65535"},
    {SERVER("\"address\":\"10.0.0.256:80\""), "is not an address"},
    {SERVER("\"address\":\"http://10.0.0.1:80\""), "is a URL"},
    {SERVER("\"address\":\"2001:db8::1:80\""), "put an IPv6 address in brackets"},
    {SERVER("\"address\":\"[2001:db8::1]\""), "has no port"},
    {SERVER("\"address\":\"unix:app.sock\""), "is not an absolute path"},
    {SERVER("\"address\":\"a b:80\""), "is not an address"},
    {"{\"listeners\":{\"l\":{\"address\":\"web:80\"}}}", "is a name"},
    {"{\"listeners\":{\"l\":{\"address\":\":80\"}}}", "names no address"},
    {LISTENER("\"trusted_proxies\":[\"10.0.0.1/8\"]"),
     "/trusted_proxies/0: \"10.0.0.1/8\" has bits"},
    {LISTENER("\"trusted_proxies\":[\"10.0.0.0/33\"]"), "has a prefix that is not /0 to /32"},
    {LISTENER("\"trusted_proxies\":\"10.0.0.0/8\""), "is not a list"},
    {LISTENER("\"trusted_proxies\":[8]"), "8 is not allowed here"},
    {LISTENER("\"proxy_protocol\":\"accept\""), "accepts PROXY headers from nobody"},
    /* routes */
    {"{\"routes\":{\"r\":{}}}", "has none of \"pool\""},
    {ROUTE("\"pool\":\"p\""), "has more than one of \"pool\""},
    {ROUTE("\"path\":\"/a\",\"path_prefix\":\"/b\""), "more than one of \"path\""},
    {ROUTE("\"path\":\"a\""), "does not begin with \"/\""},
    {ROUTE("\"path\":\"/a?b\""), "has a query"},
    {ROUTE("\"path\":\"/a#b\""), "has a \"#\""},
    {ROUTE("\"path_prefix\":\"/a/../b\""), "has a \".\" or \"..\" segment"},
    {ROUTE("\"path_prefix\":\"/a/%2E%2e\""), "has a \".\" or \"..\" segment"},
    {ROUTE("\"path\":\"/a b\""), "has a byte that a path cannot hold"},
    {ROUTE("\"path\":\"/a%zz\""), "without two hex digits"},
    {ROUTE("\"path_regex\":\"\""), "is empty"},
    {ROUTE("\"hosts\":[\"a.*.com\"]"), "has a \"*\" elsewhere"},
    {ROUTE("\"hosts\":[\"*\"]"), "matches any host"},
    {ROUTE("\"hosts\":[\"a.com:80\"]"), "has a port"},
    {ROUTE("\"hosts\":[\"b\xc3\xbc.de\"]"), "is not ASCII"},
    {ROUTE("\"hosts\":[\"http://a\"]"), "no scheme, no path"},
    {ROUTE("\"methods\":[\"get\"]"), "has small letters"},
    {ROUTE("\"headers\":{\"a b\":\"1\"}"), "is not the name of a field"},
    {ROUTE("\"headers\":{\"X\":\"1\",\"x\":\"2\"}"), "the same field"},
    {ROUTE("\"headers\":{\"x\":\"1\\r\\n\"}"), "has bytes that a field value cannot hold"},
    {ROUTE("\"request_headers\":{\"set\":{\"Host\":\"x\"}}"),
     "\"Host\" is changed by rewrite.host"},
    {ROUTE("\"request_headers\":{\"remove\":[\"Content-Length\"]}"), "framing of the message"},
    {ROUTE("\"response_headers\":{\"set\":{\"connection\":\"x\"}}"), "written by twokey itself"},
    {ROUTE("\"rewrite\":{\"path_prefix\":\"/\"}"), "this route has none"},
    {ROUTE("\"priority\":2000000"), "is not a priority (-1000000 to 1000000)"},
    {ROUTE("\"rate_limit\":{\"burst\":5}"), "has no \"requests_per_second\""},
    {ROUTE("\"rate_limit\":{\"requests_per_second\":5,\"key\":\"cookie:x\"}"), "is not one of"},
    {ROUTE("\"allow\":[\"all\"]"), "is not a network"},
    {ROUTE("\"listeners\":[\"web\"]"), "there is no listener \"web\""},
    {"{\"routes\":{\"r\":{\"redirect\":{\"location\":\"/x\",\"status\":300}}}}",
     "300 is not a redirect's status (\"301\", \"302\""},
    {"{\"routes\":{\"r\":{\"redirect\":{\"location\":\"x\"}}}}", "does not begin with \"/\""},
    {"{\"routes\":{\"r\":{\"redirect\":{\"location\":\"/{pth}\"}}}}", "a placeholder that is not"},
    {"{\"routes\":{\"r\":{\"respond\":{\"status\":100}}}}", "100 is not a final status"},
    {"{\"routes\":{\"r\":{\"respond\":{\"status\":204,\"body\":\"x\"}}}}", "has no body"},
    {"{\"routes\":{\"r\":{\"pool\":\"shpo\"}},\"pools\":{\"shop\":{\"servers\":{\"s\":{\"address\":"
     "\"10.0.0.1:80\"}}}}}",
     "/routes/r/pool: there is no pool \"shpo\"; did you mean \"shop\"?"},
    {"{\"routes\":{\"r\":{\"split\":{\"a\":1}}}}", "/routes/r/split/a: there is no pool \"a\""},
    {"{\"routes\":{\"r\":{\"split\":{}}}}", "sends no request anywhere"},
    /* pools */
    {"{\"pools\":{\"p\":{\"servers\":{}}}}", "/pools/p: has no servers"},
    {"{\"pools\":{\"p\":{}}}", "/pools/p: has no \"servers\""},
    {POOL("\"hash_on\":\"header:\",\"balance\":\"maglev\""), "does not name a field"},
    {POOL("\"hash_on\":\"ip\",\"balance\":\"maglev\""), "is not one of"},
    {POOL("\"sticky\":{\"cookie\":\"a b\"}"), "is not a token"},
    {POOL("\"health_check\":{\"expect_status\":\"400-200\"}"), "ends before it begins"},
    {POOL("\"health_check\":{\"expect_status\":\"2xx\"}"), "is not a list of statuses"},
    {POOL("\"health_check\":{\"path\":\"healthz\"}"), "does not begin with \"/\""},
    {POOL("\"ejection\":{\"base_time\":\"10m\",\"max_time\":\"5m\"}"), "is longer than"},
    /* what this version does not do */
    {POOL("\"tls\":{\"sni\":\"two words\"}"),
     "/pools/p/tls/sni: \"two words\" is neither a host nor an address"},
    {POOL("\"tls\":{\"client_certificate\":\"edge\"}"),
     "/pools/p/tls/client_certificate: there is no certificate \"edge\""},
    {LISTENER("\"tls\":{}"), "/listeners/l/tls: has no \"certificates\""},
    {LISTENER("\"tls\":{\"certificates\":[]}"), "/listeners/l/tls/certificates: there is none"},
    {LISTENER("\"tls\":{\"certificates\":[\"shop\"]}"), "there is no certificate \"shop\""},
    {LISTENER("\"tls\":{\"certificates\":[\"shop\"],\"client_auth\":{\"mode\":\"require\"}}"),
     "/listeners/l/tls/client_auth: has no \"ca_file\""},
    {"{\"certificates\":{\"a\":{\"cert_file\":\"/a\"}}}", "/certificates/a: has no \"key_file\""},
    {"{\"admin\":{\"listen\":\"0.0.0.0:9901\"}}", "tokens would cross the network in the clear"},
    {"{\"admin\":{\"listen\":\"0.0.0.0:9901\",\"tls\":{\"cert_file\":\"/a\",\"key_file\":\"/b\"}}}",
     "nobody is configured"},
    {"{\"admin\":{\"tls\":{\"cert_file\":\"/a\"}}}", "/admin/tls: has no \"key_file\""},
    {"{\"people\":{\"ann\":{\"tokens\":[\"sha256:12\"]}}}", "is not the hash of a token"},
    {"{\"people\":{\"ann\":{\"uids\":[1000,-1]}}}", "/people/ann/uids/1: -1 is not a user"},
    {"{\"people\":{\"ann\":{\"tokens\":[{\"id\":\"a b\",\"hash\":\"" HASH "\"}]}}}",
     "/people/ann/tokens/0: its \"id\" is not a name"},
    {"{\"people\":{\"ann\":{\"tokens\":[{\"hsh\":\"" HASH "\"}]}}}",
     "\"hsh\" is not a key of a token"},
    {"{\"people\":{\"ann\":{\"tokens\":[\"" HASH "\"]},\"bob\":{\"tokens\":[\"" HASH "\"]}}}",
     "/people/bob/tokens/0: is ann's token too"},
    {"{\"people\":{\"ann\":{\"tokens\":[\"" HASH "\",\"" HASH "\"]}}}",
     "/people/ann/tokens/1: is ann's token too"},
    {"{\"people\":{\"ann\":{\"certificate_names\":[\"x\"]},\"bob\":{\"certificate_names\":[\"y\","
     "\"x\"]}}}",
     "/people/bob/certificate_names/1: is ann's certificate name too"},
    {"{\"people\":{\"ann\":{\"certificate_names\":[\"Ann@x\"]},\"bob\":{\"certificate_names\":["
     "\"ann@X\"]}}}",
     "/people/bob/certificate_names/0: is ann's certificate name too"},
    {"{\"people\":{\"ann\":{\"uids\":[7]},\"bob\":{\"uids\":[7]}}}",
     "/people/bob/uids/0: is ann's user too"},
    {"{\"people\":{\"ci\":{\"kind\":\"service\"}}}",
     "/people/ci: is a service and has no \"owner\""},
    {"{\"people\":{\"ci\":{\"kind\":\"service\",\"owner\":\"ann\"}}}",
     "/people/ci/owner: there is no person \"ann\""},
    {"{\"people\":{\"a\":{\"kind\":\"service\",\"owner\":\"b\"},\"b\":{\"kind\":\"service\","
     "\"owner\":\"a\"}}}",
     "/people/a/owner: b is a service"},
    {"{\"people\":{\"system\":{}}}", "/people/system: \"system\" is what the audit calls"},
    {"{\"people\":{\"ann\":{\"roles\":[\"root\"]}}}",
     "/people/ann/roles/0: \"root\" is not one of"},
    {"{\"people\":{\"ann\":{\"signing_key\":\"x\"}}}",
     "/people/ann/signing_key: is not a public key"},
    {"{\"people\":{\"ann\":{\"revoked_since\":\"2026-02-30T00:00:00Z\"}}}", "is not a time (write"},
    {"{\"policy\":{\"factors\":[{\"group\":\"net\"},{\"group\":\"net\"}]}}",
     "/policy/factors/1: names group net a second time"},
    {"{\"policy\":{\"factors\":[{\"approvals\":1}]}}", "/policy/factors/0: has no \"group\""},
    {"{\"policy\":{\"factors\":[7]}}", "/policy/factors/0: 7 is not an object"},
    {"{\"policy\":{\"windows\":[{\"days\":[\"mon\",\"tuesday\"],\"from\":\"09:00\",\"to\":\"17:"
     "00\"}]}}",
     "/policy/windows/0/days/1: \"tuesday\" is not one of"},
    {"{\"policy\":{\"windows\":[{\"from\":\"22:00\",\"to\":\"02:00\"}]}}",
     "/policy/windows/0: ends before it begins"},
    {"{\"policy\":{\"windows\":[{\"from\":\"9:00\",\"to\":\"25:00\"}]}}",
     "is not a time of the day"},
    {"{\"policy\":{\"freeze\":[{\"from\":\"2026-12-24T00:00:00Z\",\"to\":\"2026-12-23T00:00:00Z\","
     "\"reason\":\"x\"}]}}",
     "/policy/freeze/0: ends before it begins"},
    {"{\"policy\":{\"confirm\":{\"deadline\":\"10s\",\"min_bake\":\"20s\"}}}",
     "nobody could confirm in time"},
    /* across the configuration */
    {"{\"listeners\":{\"a\":{\"address\":\"0.0.0.0:80\"},\"b\":{\"address\":\"127.0.0.1:80\"}}}",
     "/listeners/b/address: 127.0.0.1:80 is taken by listener a (0.0.0.0:80)"},
    {"{\"listeners\":{\"a\":{\"address\":\"0.0.0.0:9901\"}}}", "is taken by admin.listen"},
    {"{\"listeners\":{\"a\":{\"address\":\"0.0.0.0:80\"}},\"pools\":{\"p\":{\"servers\":{\"s\":{"
     "\"address\":\"localhost:80\"}}}}}",
     "/pools/p/servers/s/address: localhost:80 is twokey's own listener a"},
    {SERVER("\"address\":\"127.0.0.1:9901\""), "is twokey's own admin listener"},
};

static void a_bad_document_is_refused_with_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_documents) / sizeof(bad_documents[0]); i++) {
        const struct bad *bad = &bad_documents[i];
        struct loaded loaded;

        load_two(&loaded, bad->document, NULL);
        if (loaded.conf != NULL || !says(&loaded, FINDING_BLOCK, bad->expected)) {
            print_message("%s\n  should say: %s\n", bad->document, bad->expected);
            show(&loaded);
            fail();
        }
        unload(&loaded);
    }
}

static void every_problem_is_reported_not_only_the_first(void **state)
{
    struct loaded loaded;

    (void)state;
    load_two(&loaded, "{\"pools\":{\"p\":{\"servers\":{\"s\":{\"address\":\"x\",\"weight\":-1}}}}}",
             "{\"routes\":{\"r\":{\"pool\":\"q\"}}, \"process\":{\"workers\":-1}}");
    assert_true(says(&loaded, FINDING_BLOCK, "10-a.json: /pools/p/servers/s/address"));
    assert_true(says(&loaded, FINDING_BLOCK, "10-a.json: /pools/p/servers/s/weight"));
    assert_true(says(&loaded, FINDING_BLOCK, "20-b.json: /routes/r/pool"));
    assert_true(says(&loaded, FINDING_BLOCK, "20-b.json: /process/workers"));
    assert_null(loaded.conf);
    unload(&loaded);
}

static void the_same_name_in_two_files_is_an_error_that_names_both(void **state)
{
    struct loaded loaded;

    (void)state;
    load_two(&loaded, POOL("\"slow_start\":\"1s\""), POOL("\"slow_start\":\"1s\""));
    assert_true(
        says(&loaded, FINDING_BLOCK, "conf.d/20-b.json: /pools/p: stands in conf.d/10-a.json too"));
    unload(&loaded);
}

static void a_section_may_be_spread_over_files(void **state)
{
    struct loaded loaded;

    (void)state;
    load_two(&loaded, "{\"process\":{\"workers\":3},\"pools\":{}}",
             "{\"process\":{\"max_connections\":7}}");
    assert_non_null(loaded.conf);
    assert_int_equal(loaded.conf->process.workers, 3);
    assert_int_equal(loaded.conf->process.max_connections, 7);
    unload(&loaded);
}

static void who_is_told_of_alerts(void **state)
{
    struct loaded loaded;

    (void)state;
    load_two(&loaded,
             "{\"observe\":{\"alerts\":{\"alertmanager\":[\"http://a:9093\",\"https://[::1]/am/\"],"
             "\"webhook\":[\"https://hooks.internal/x?key=1\"]}}}",
             NULL);
    assert_non_null(loaded.conf);
    assert_int_equal(loaded.conf->observe.alertmanagers.count, 2);
    assert_string_equal(loaded.conf->observe.alertmanagers.items[1], "https://[::1]/am/");
    assert_int_equal(loaded.conf->observe.webhooks.count, 1);
    assert_string_equal(loaded.conf->observe.runbooks, "runbooks/");
    unload(&loaded);
    load_two(&loaded, "{\"observe\":{\"alerts\":{\"alertmanager\":[\"http://a:9093/?x\"]}}}", NULL);
    assert_null(loaded.conf);
    assert_true(says(&loaded, FINDING_BLOCK, "/observe/alerts/alertmanager/0"));
    assert_true(says(&loaded, FINDING_BLOCK, "has a query"));
    unload(&loaded);
    load_two(&loaded, "{\"observe\":{\"alerts\":{\"webhook\":[\"http://ann:secret@a/\"]}}}", NULL);
    assert_null(loaded.conf);
    assert_true(says(&loaded, FINDING_BLOCK, "has a user or password in it"));
    unload(&loaded);
}

static void the_admin_url_can_be_called_from_this_machine(void **state)
{
    static const struct {
        const char *admin;
        const char *url;
    } cases[] = {
        {"{}", "http://127.0.0.1:9901"},
        {"{\"listen\":\"127.0.0.1:7000\"}", "http://127.0.0.1:7000"},
        {"{\"listen\":\"[::1]:7000\"}", "http://[::1]:7000"},
        {"{\"listen\":\"0.0.0.0:7000\"," ADMIN_TLS "}", "https://127.0.0.1:7000"},
        {"{\"listen\":\"[::]:7000\"," ADMIN_TLS "}", "https://[::1]:7000"},
        {"{\"listen\":\"10.0.0.1:7000\"," ADMIN_TLS "}", "https://10.0.0.1:7000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct loaded loaded;
        char document[512], url[CONFIG_URL_TEXT];

        (void)snprintf(document, sizeof(document),
                       "{\"people\":{\"ann\":{\"roles\":[\"admin\"]}},\"admin\":%s}",
                       cases[i].admin);
        load_two(&loaded, POOL("\"health_check\":{}"), document);
        assert_non_null(loaded.conf);
        assert_string_equal(config_admin_url(loaded.conf, url), cases[i].url);
        unload(&loaded);
    }
}

static void what_is_left_out_has_its_default(void **state)
{
    struct loaded loaded;
    const struct conf_pool *pool;
    const struct conf_listener *listener;

    (void)state;
    load_two(&loaded, POOL("\"health_check\":{}"),
             "{\"listeners\":{\"l\":{\"address\":\"[::]:80\"}}}");
    assert_non_null(loaded.conf);
    pool = &loaded.conf->pools[0];
    listener = &loaded.conf->listeners[0];
    assert_int_equal(loaded.conf->process.workers, 0);
    assert_int_equal(loaded.conf->process.max_connections, 20000);
    assert_int_equal(loaded.conf->process.shutdown_timeout_ms, 30000);
    assert_string_equal(loaded.conf->admin.listen.text, "127.0.0.1:9901");
    assert_string_equal(loaded.conf->observe.access_log_path, "stdout");
    assert_int_equal(loaded.conf->observe.access_log_percent, 100);
    assert_int_equal(listener->limits.header_bytes, 65536);
    assert_int_equal(listener->limits.header_count, 100);
    assert_int_equal(listener->limits.request_line, 8192);
    assert_int_equal(listener->limits.body, 0);
    assert_int_equal(listener->timeouts.headers_ms, 10000);
    assert_int_equal(listener->timeouts.keepalive_ms, 75000);
    assert_int_equal(listener->timeouts.tunnel_idle_ms, 3600000);
    assert_int_equal(listener->keepalive_requests, 1000);
    assert_int_equal(listener->connection_age_ms, 3600000);
    assert_int_equal(pool->servers[0].weight, 100);
    assert_int_equal(pool->servers[0].max_connections, 0);
    assert_int_equal(pool->slow_start_ms, 30000);
    assert_int_equal(pool->panic_percent, 50);
    assert_int_equal(pool->retry.attempts, 1);
    assert_int_equal(pool->retry.budget_percent, 20);
    assert_int_equal(pool->queue.length, 1024);
    assert_int_equal(pool->queue.timeout_ms, 5000);
    assert_int_equal(pool->keepalive.idle_per_worker, 64);
    assert_int_equal(pool->keepalive.idle_timeout_ms, 55000);
    assert_int_equal(pool->timeouts.connect_ms, 5000);
    assert_int_equal(pool->timeouts.response_ms, 60000);
    assert_int_equal(pool->ejection.consecutive_failures, 5);
    assert_int_equal(pool->ejection.max_time_ms, 300000);
    assert_int_equal(pool->discovery.min_endpoints, 1);
    assert_null(pool->sticky.cookie);
    assert_true(pool->health_check.is_on);
    assert_string_equal(pool->health_check.path, "/");
    assert_int_equal(pool->health_check.interval_ms, 5000);
    assert_int_equal(pool->health_check.fast_interval_ms, 1000);
    assert_int_equal(pool->health_check.fall, 3);
    assert_int_equal(pool->health_check.expect_status_count, 1);
    assert_int_equal(pool->health_check.expect_status[0].to, 399);
    unload(&loaded);
}

static void a_route_is_read_whole(void **state)
{
    struct loaded loaded;
    const struct conf_route *route;

    (void)state;
    load_two(&loaded,
             "{\"routes\":{\"b\":{\"split\":{\"p\":95,\"q\":5}},"
             "\"a\":{\"hosts\":[\"Shop.Example.COM.\",\"*.x.org\"],\"path_prefix\":\"/api\","
             "\"methods\":[\"GET\"],\"headers\":{\"X-Beta\":\"1\"},\"pool\":\"q\",\"priority\":-3,"
             "\"rewrite\":{\"path_prefix\":\"/\",\"host\":\"inner:81\"},\"scheme\":\"http\","
             "\"request_headers\":{\"set\":{\"X-Edge\":\"1\"},\"remove\":[\"X-Internal\"]},"
             "\"rate_limit\":{\"requests_per_second\":50,\"key\":\"header:X-Key\"},"
             "\"allow\":[\"10.0.0.0/8\",\"::1\"],\"timeouts\":{\"response\":\"10s\"},"
             "\"limits\":{\"body\":\"1MiB\"}}}}",
             "{\"pools\":{\"q\":{\"servers\":{\"s\":{\"address\":\"App.internal:80\"}}},"
             "\"p\":{\"servers\":{\"s\":{\"address\":\"unix:/run/a.sock\"}}}}}");
    assert_non_null(loaded.conf);
    route = &loaded.conf->routes[0];
    assert_string_equal(route->name, "a");
    assert_string_equal(route->hosts.items[0], "shop.example.com");
    assert_string_equal(route->headers[0].name, "x-beta");
    assert_int_equal(route->priority, -3);
    assert_int_equal(route->scheme, SCHEME_HTTP);
    assert_string_equal(loaded.conf->pools[route->pool].name, "q");
    assert_string_equal(route->rewrite.host, "inner:81");
    assert_string_equal(route->request_headers.remove[0], "x-internal");
    assert_int_equal(route->rate_limit.burst, 50);
    assert_int_equal(route->rate_limit.key, RATE_KEY_HEADER);
    assert_string_equal(route->rate_limit.header, "x-key");
    assert_true(route->has_allow);
    assert_false(route->has_deny);
    assert_int_equal(route->allow.items[0].prefix_bits, 96 + 8);
    assert_int_equal(route->allow.items[1].prefix_bits, 128);
    assert_int_equal(route->response_timeout_ms, 10000);
    assert_int_equal(route->body_limit, 1 << 20);
    route = &loaded.conf->routes[1];
    assert_int_equal(route->action, ACTION_SPLIT);
    assert_int_equal(route->split_count, 2);
    assert_int_equal(route->split[0].pool, 0);
    assert_true(route->body_limit == UINT64_MAX);
    assert_int_equal(loaded.conf->pools[0].servers[0].address.kind, ADDRESS_UNIX);
    assert_string_equal(loaded.conf->pools[1].servers[0].address.host, "app.internal");
    unload(&loaded);
}

static void people_and_policy_are_read(void **state)
{
    struct loaded loaded;
    const struct conf_person *person;
    const struct conf_policy *policy;

    (void)state;
    load_two(&loaded,
             "{\"people\":{\"bob\":{\"roles\":[\"viewer\",\"approver\"],\"groups\":[\"net\"],"
             "\"uids\":[1000],\"disabled\":true,\"revoked_since\":\"2026-11-22T11:00:00.5+01:00\"},"
             "\"ci\":{\"kind\":\"service\",\"owner\":\"bob\",\"tokens\":[{\"id\":\"job\",\"hash\":"
             "\"" HASH "\"}]}}}",
             "{\"policy\":{\"approvals\":{\"high\":3},\"confirm\":{\"mode\":\"auto\"},"
             "\"factors\":[{\"group\":\"net\"}],"
             "\"windows\":[{\"days\":[\"mon\",\"sun\"],\"from\":\"09:30\",\"to\":\"24:00\"},"
             "{\"from\":\"00:00\",\"to\":\"01:00\"}],"
             "\"freeze\":[{\"from\":\"2026-12-24T00:00:00Z\",\"to\":\"2026-12-27T00:00:00Z\","
             "\"reason\":\"holidays\"}]}}");
    assert_non_null(loaded.conf);
    assert_int_equal(loaded.conf->person_count, 2);
    person = &loaded.conf->people[0];
    assert_int_equal(person->roles, ROLE_VIEWER | ROLE_APPROVER);
    assert_string_equal(person->groups.items[0], "net");
    assert_int_equal(person->uids[0], 1000);
    assert_true(person->is_disabled);
    assert_true(person->revoked_since_ms == INT64_C(1795341600500));
    person = &loaded.conf->people[1];
    assert_int_equal(person->kind, PERSON_SERVICE);
    assert_string_equal(person->owner, "bob");
    assert_string_equal(person->tokens[0].id, "job");
    assert_int_equal(person->tokens[0].hash[31], 0xab);
    policy = &loaded.conf->policy;
    assert_int_equal(policy->mode, POLICY_ENFORCED);
    assert_int_equal(policy->approvals_normal, 1);
    assert_int_equal(policy->approvals_high, 3);
    assert_int_equal(policy->confirm_mode, CONFIRM_AUTO);
    assert_int_equal(policy->confirm_deadline_ms, 600000);
    assert_int_equal(policy->factors[0].approvals, 1);
    assert_int_equal(policy->windows[0].days, 1 | 64);
    assert_int_equal(policy->windows[0].from, 9 * 60 + 30);
    assert_int_equal(policy->windows[0].to, 24 * 60);
    assert_int_equal(policy->windows[1].days, 127);
    assert_string_equal(policy->freezes[0].reason, "holidays");
    assert_true(policy->freezes[0].to_ms - policy->freezes[0].from_ms == 3 * 86400000);
    unload(&loaded);
}

static void comments_and_order_do_not_change_the_digest(void **state)
{
    struct loaded one;
    struct loaded two;

    (void)state;
    load_two(&one, "{\"$schema\":\"x\",\"// a\":\"b\",\"process\":{\"workers\":3,\"// why\":1}}",
             "{\"admin\":{\"metrics_public\":true}}");
    load_two(&two, "{\"admin\":{\"metrics_public\":true},\"process\":{\"workers\":3}}", NULL);
    assert_non_null(one.conf);
    assert_non_null(two.conf);
    assert_string_equal(one.conf->digest, two.conf->digest);
    assert_string_equal(one.conf->canonical,
                        "{\"admin\":{\"metrics_public\":true},\"process\":{\"workers\":3}}");
    assert_memory_equal(one.conf->digest, "sha256:", 7);
    unload(&one);
    unload(&two);
}

static const struct bad warned_documents[] = {
    {POOL("\"hash_on\":\"path\""), "\"hash_on\" does nothing"},
    {POOL("\"max_share_percent\":60"), "does not add up to 100 %"},
    {POOL("\"health_check\":{\"timeout\":\"9s\"}"), "a check may take longer"},
    {"{\"policy\":{\"approvals\":{\"normal\":0}}}", "one person alone can change what runs"},
    {"{\"policy\":{\"approvals\":{\"normal\":3}}}", "\"high\" asks for fewer than \"normal\""},
    {"{\"people\":{\"ann\":{\"owner\":\"ann\"}}}", "/people/ann: \"owner\" does nothing"},
    {"{\"people\":{\"ann\":{},\"ci\":{\"kind\":\"service\",\"owner\":\"ann\",\"roles\":["
     "\"approver\"]}}}",
     "/people/ci: is a service"},
    {"{}", "there is no listener"},
};

static void what_does_nothing_is_a_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(warned_documents) / sizeof(warned_documents[0]); i++) {
        const struct bad *bad = &warned_documents[i];
        struct loaded loaded;

        load_two(&loaded, bad->document, NULL);
        if (loaded.conf == NULL || !says(&loaded, FINDING_WARNING, bad->expected)) {
            print_message("%s\n  should say: %s\n", bad->document, bad->expected);
            show(&loaded);
            fail();
        }
        unload(&loaded);
    }
}

static void findings_never_carry_control_characters_to_a_terminal(void **state)
{
    struct loaded loaded;
    char line[2048];

    (void)state;
    load_two(&loaded, "{\"pools\":{\"\\u001b[2J\":{}}}", NULL);
    assert_null(loaded.conf);
    for (size_t i = 0; i < loaded.findings.count; i++) {
        finding_text(&loaded.findings.items[i], line, sizeof(line));
        assert_null(strchr(line, 0x1b));
    }
    unload(&loaded);
}

static void many_listeners_at_one_address_give_one_finding_each(void **state)
{
    struct loaded loaded;
    char text[16384] = "{\"listeners\":{";
    size_t used = strlen(text);

    (void)state;
    for (int i = 0; i < 200; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "%s\"l%d\":{\"address\":\"0.0.0.0:80\"}", i > 0 ? "," : "", i);
    (void)snprintf(text + used, sizeof(text) - used, "}}");
    load_two(&loaded, text, NULL);
    assert_int_equal(loaded.findings.count, 199);
    unload(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_document_is_refused_with_a_reason),
        cmocka_unit_test(every_problem_is_reported_not_only_the_first),
        cmocka_unit_test(the_same_name_in_two_files_is_an_error_that_names_both),
        cmocka_unit_test(a_section_may_be_spread_over_files),
        cmocka_unit_test(the_admin_url_can_be_called_from_this_machine),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(a_route_is_read_whole),
        cmocka_unit_test(people_and_policy_are_read),
        cmocka_unit_test(who_is_told_of_alerts),
        cmocka_unit_test(comments_and_order_do_not_change_the_digest),
        cmocka_unit_test(what_does_nothing_is_a_warning),
        cmocka_unit_test(many_listeners_at_one_address_give_one_finding_each),
        cmocka_unit_test(findings_never_carry_control_characters_to_a_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
