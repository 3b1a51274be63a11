/*
 * scenarios - the drills: what docs/drills.md says of each, as data.
 *
 * Load, capacity and pool are such that what broke shows at once and that well is well: four
 * servers, 60 requests a second, each server able to serve a third more than its part of them.
 *
 * Owner    nobody: constants      Threads  any
 */
#include "cli/drill/drill.h"

#define CHECKS                                                                                     \
    "'health_check':{'path':'/healthz','interval':'1s','fast_interval':'500ms','timeout':'500ms'," \
    "'fall':2,'rise':2},'slow_start':'3s'"
/* Each drill shows one thing: what twokey would do about it by itself is left out where it must. */
#define NO_EJECTION "'ejection':{'consecutive_failures':0},'retry':{'attempts':0}"

#define POOL_LOOKS   "/v1/pools", "/v1/pools?*", "/v1/pools/demo*", "/metrics", "/v1/alerts*"
#define CHANGE_LOOKS "/v1/status*", "/v1/changes*", "/v1/revisions*", "/v1/audit*"
#define CHANGE_CALLS "POST /v1/rollback*", "POST /v1/changes*"
#define STATE_CALL   "PUT /v1/pools/demo/servers/"

#define LOOK_AT_POOL "curl -s -H \"$ANN\" -H 'Accept: text/plain' $A/pools/demo"

const struct drill drills[] = {
    {
        .name = "july-morning",
        .title = "all traffic goes to one server",
        .page = "most customers get 503 from the shop, since a few minutes; nobody knows why",
        .pool = "{'balance':'round_robin'," CHECKS "," NO_EJECTION "}",
        .rate = 60,
        .capacity = 20,
        .latency_ms = 20,
        .steps = {{.act = DRILL_FORCED,
                   .change = "{'title':'use the new server','reason':'it is fast',"
                             "'override':['D001','X003'],'patch':{'pools':{'demo':{'servers':{"
                             "'s1':{'weight':1000},'s2':{'weight':1},'s3':{'weight':1},"
                             "'s4':{'weight':1}}}}}}"}},
        .looks = {POOL_LOOKS},
        .right = {CHANGE_CALLS},
        .goal = {.failed_percent = 1, .share_percent = 50, .servers = 4},
        .hints = {"each server says of itself that it is well: see what each of them gets",
                  "GET $A/pools/demo shows the share of each server, and what its weight gives it",
                  "POST $A/rollback {\"to\":\"previous\",\"reason\":\"...\"} goes back"},
        .lesson =
            "On the morning itself ninety minutes went by before anybody looked at the load\n"
            "balancer. Shares first, servers second; and the way back is one call of one person.",
        .runbook = "all-traffic-goes-to-one-server.md",
        .commands = {LOOK_AT_POOL,
                     "curl -s -H \"$ANN\" $A/rollback -d '{\"to\":\"previous\",\"reason\":\"all "
                     "traffic goes to s1\"}' | jq -c '[.rev, .to]'"},
    },
    {
        .name = "sinkhole",
        .title = "a server that fails at once looks idle, and gets the traffic",
        .page = "most customers are told that there is no such page; the servers have little to do",
        .pool = "{'balance':'least_requests'," CHECKS "}",
        .rate = 60,
        .capacity = 40,
        .latency_ms = 150,
        .steps = {{.act = DRILL_SERVER, .server = 1, .mood = SITE_EMPTY}},
        .looks = {POOL_LOOKS},
        .right = {STATE_CALL "s2/state*", "POST /v1/changes*"},
        .goal = {.failed_percent = 1, .servers = 3},
        .hints = {"its check passes: the check does not ask for what customers ask for",
                  "GET $A/pools/demo: which server gets most, and has a p95 far below the others'?",
                  "PUT $A/pools/demo/servers/s2/state {\"state\":\"drain\",\"reason\":\"...\"}"},
        .lesson =
            "Least requests sends more to whoever answers sooner, and nothing answers sooner\n"
            "than a 404 (errors are held against a server; a 404 may be right). The check should "
            "ask for what customers ask for; until it does,\n"
            "take the server out.",
        .runbook = "a-server-fails-fast.md",
        .commands = {LOOK_AT_POOL,
                     "curl -s -H \"$ANN\" -X PUT $A/pools/demo/servers/s2/state -d "
                     "'{\"state\":\"drain\",\"reason\":\"it answers 404 to everything\"}' | jq -c "
                     "'[.server, .admin.state]'"},
    },
    {
        .name = "half-the-pool-down",
        .title = "two of four servers are down, and the others cannot bear it",
        .page = "a third of the requests fail, since the power went off in one of the two rooms",
        .pool = "{'balance':'round_robin'," CHECKS "," NO_EJECTION "}",
        .rate = 60,
        .capacity = 20,
        .latency_ms = 20,
        .steps = {{.act = DRILL_SERVER, .server = 0, .mood = SITE_DOWN},
                  {.act = DRILL_SERVER, .server = 1, .mood = SITE_DOWN}},
        .looks = {POOL_LOOKS},
        .right = {STATE_CALL "s1/state*", STATE_CALL "s2/state*", "POST /v1/changes*"},
        .goal = {.failed_percent = 1, .servers = 4},
        .hints = {"GET $A/pools/demo: who is down, and why?",
                  "ask each of them what its check asks: curl -i the server's /healthz",
                  "what a server says of itself there tells how it is started again"},
        .lesson =
            "What is left bears only what it can: here two servers get half as much again as\n"
            "they can serve. The load balancer had done its part; the servers were the place\n"
            "to mend. Capacity for the loss of half the servers is bought, not configured.",
        .runbook = "a-pool-is-half-down.md",
        .commands = {LOOK_AT_POOL,
                     "for n in 9001 9002; do curl -s -X POST http://127.0.0.1:$n/recover; done"},
    },
    {
        .name = "drained-too-much",
        .title = "more was drained than the rest can bear",
        .page = "errors rise since the maintenance of this night began",
        .pool = "{'balance':'round_robin'," CHECKS "," NO_EJECTION "}",
        .rate = 60,
        .capacity = 20,
        .latency_ms = 20,
        .steps = {{.act = DRILL_CHANGE,
                   .change = "{'title':'kernel of s1 and s3','reason':'both in one go',"
                             "'overrides':[{'pool':'demo','server':'s1','state':'drain'},"
                             "{'pool':'demo','server':'s3','state':'drain'}]}"}},
        .looks = {POOL_LOOKS},
        .right = {STATE_CALL "s1/state*", STATE_CALL "s3/state*", CHANGE_CALLS},
        .goal = {.failed_percent = 1, .servers = 4},
        .hints = {"GET $A/pools/demo: how many servers of the pool are eligible?",
                  "a rollback leaves orders to servers in force: they are taken back one by one",
                  "PUT $A/pools/demo/servers/s1/state {\"state\":\"ready\"}, and s3"},
        .lesson =
            "Nobody could have drained both at once: the guard refuses the second. Two people\n"
            "agreed to it, and nobody counted. Orders outlive rollbacks: `admin` says who\n"
            "ordered what, and `ready` takes it back.",
        .runbook = "drain-a-server.md",
        .commands = {LOOK_AT_POOL,
                     "for s in s1 s3; do curl -s -H \"$ANN\" -X PUT $A/pools/demo/servers/$s/state "
                     "-d '{\"state\":\"ready\"}' | jq -c '[.server, .admin.state]'; done"},
    },
    {
        .name = "bad-health-check",
        .title = "the health check asks for a page that is not there",
        .page = "everything answers 503, and every server says that it is well",
        .pool = "{'balance':'round_robin','panic_mode':'fail'," CHECKS "," NO_EJECTION "}",
        .rate = 60,
        .capacity = 40,
        .latency_ms = 20,
        .steps = {{.act = DRILL_CHANGE,
                   .change = "{'title':'one health page for all','reason':'a standard',"
                             "'patch':{'pools':{'demo':{'health_check':{'path':'/health'}}}}}"}},
        .looks = {POOL_LOOKS, CHANGE_LOOKS},
        .right = {CHANGE_CALLS},
        .goal = {.failed_percent = 1, .servers = 4},
        .hints =
            {"who says 503, the servers or twokey? curl -i tells",
             "GET $A/pools/demo/servers/s1 shows what the last check got; ask for that yourself",
             "POST $A/rollback {\"to\":\"previous\",\"reason\":\"...\"} goes back"},
        .lesson = "Was there a change when it began? Then go back first and look afterwards. All\n"
                  "servers down at the same moment is rarely the servers.",
        .runbook = "everything-answers-503.md",
        .commands = {"curl -s -H \"$ANN\" -H 'Accept: text/plain' $A/status",
                     "curl -s -H \"$ANN\" $A/rollback -d "
                     "'{\"to\":\"previous\",\"reason\":\"everything answers 503\"}' | jq -c "
                     "'[.rev, .to]'"},
    },
    {
        .name = "hash-on-a-constant",
        .title = "requests are spread by a header that is the same for all",
        .page = "the shop is slow and often answers 503; one server is hot, three are idle",
        .pool = "{'balance':'round_robin'," CHECKS "," NO_EJECTION "}",
        .fields = "X-Tenant: main\r\n",
        .rate = 60,
        .capacity = 20,
        .latency_ms = 20,
        .steps = {{.act = DRILL_CHANGE,
                   .change = "{'title':'keep tenants together','reason':'warm "
                             "caches','override':['D010','X015'],"
                             "'patch':{'pools':{'demo':{'balance':'maglev',"
                             "'hash_on':'header:x-tenant'}}}}"}},
        .looks = {POOL_LOOKS},
        .right = {CHANGE_CALLS},
        .goal = {.failed_percent = 1, .share_percent = 50, .servers = 4},
        .hints = {"GET $A/pools/demo: compare `share` with `expected`",
                  "`expected` is even and `share` is not: which method, on what?",
                  "POST $A/rollback {\"to\":\"previous\",\"reason\":\"...\"} goes back"},
        .lesson = "Weights were equal and nothing was down: only the shares told. What is hashed\n"
                  "must differ between clients; look at what requests carry before choosing it.",
        .runbook = "all-traffic-goes-to-one-server.md",
        .commands = {LOOK_AT_POOL,
                     "curl -s -H \"$ANN\" -H 'Accept: text/plain' $A/pools/demo/distribution",
                     "curl -s -H \"$ANN\" $A/rollback -d '{\"to\":\"previous\",\"reason\":\"all "
                     "traffic goes to s1\"}' | jq -c '[.rev, .to]'"},
    },
    {
        .name = "expired-certificate",
        .title = "the certificate that clients are shown has expired",
        .page = "nobody reaches the shop; browsers warn of it, and the servers have nothing to do",
        .pool = "{'balance':'round_robin'," CHECKS "}",
        .rate = 60,
        .capacity = 40,
        .latency_ms = 20,
        .certificate_s = 20,
        .looks = {"/v1/alerts*", "/metrics"},
        .right = {CHANGE_CALLS},
        .goal = {.failed_percent = 1, .servers = 4},
        .hints = {"ask as a client does: openssl s_client -connect the address, and read the dates",
                  "GET $A/alerts: what does CertificateExpiring say?",
                  "the runbook makes a new one, and a change that names its files"},
        .lesson =
            "The servers are well, and every share is right: clients turn away before they\n"
            "ask for anything. CertificateExpiring comes 14 days ahead, and pages 2 days ahead:\n"
            "who gets it, and who renews?",
        .runbook = "renew-a-certificate.md",
        .commands =
            {"curl -s -H \"$ANN\" $A/alerts | jq -r '.alerts[] | select(.name == "
             "\"CertificateExpiring\") | .summary'",
             "openssl s_client -connect 127.0.0.1:8443 -servername shop.example </dev/null "
             "2>/dev/null | openssl x509 -noout -subject -enddate",
             "FILES=$PWD/build/demo/conf.d",
             "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "
             "/CN=shop.example -addext subjectAltName=DNS:shop.example -keyout $FILES/shop-2.key "
             "-out $FILES/shop-2.csr 2>/dev/null",
             "openssl x509 -req -days 90 -CA build/demo/ca.pem -CAkey build/demo/ca.key "
             "-copy_extensions copy -in $FILES/shop-2.csr -out $FILES/shop-2.pem 2>/dev/null",
             "ID=$(curl -s -H \"$ANN\" \"$A/changes?submit=true\" -d '{\"title\":\"a new "
             "certificate "
             "for the shop\",\"reason\":\"the old one "
             "ends\",\"patch\":{\"certificates\":{\"shop\":{"
             "\"cert_file\":\"'$FILES'/shop-2.pem\",\"key_file\":\"'$FILES'/shop-2.key\"}}}}' | jq "
             "-r "
             ".id)",
             "D=$(curl -s -H \"$BOB\" $A/changes/$ID | jq -r .digest)",
             "curl -s -H \"$BOB\" $A/changes/$ID/approvals -d "
             "\"{\\\"digest\\\":\\\"$D\\\",\\\"decision\\\":\\\"approve\\\"}\" | jq -r .state",
             "curl -s -H \"$ANN\" -X POST $A/changes/$ID/apply | jq -r .state",
             "curl -s -H \"$ANN\" -X POST \"$A/changes/$ID/confirm?wait=2m\" | jq -r .state"},
    },
    {
        .name = "stuck-confirmation",
        .title = "a change waits for its confirmation, and stands before the one that is needed",
        .page =
            "a quarter of the requests fail; the change that takes s3 out is approved, but cannot "
            "be applied",
        .pool = "{'balance':'round_robin'," CHECKS "}",
        .rate = 60,
        .capacity = 40,
        .latency_ms = 20,
        .steps = {{.act = DRILL_APPROVED,
                   .change = "{'title':'s3 out','reason':'it answers 500','override':['X003'],"
                             "'patch':{'pools':{'demo':{'servers':{'s3':{'weight':0}}}}}}"},
                  {.act = DRILL_WAITING,
                   .change = "{'title':'a header','reason':'the shop wants it','patch':{'routes':{"
                             "'everything':{'request_headers':{'set':{'x-shop':'7'}}}}}}"},
                  {.act = DRILL_SERVER, .server = 2, .mood = SITE_BROKEN}},
        .looks = {CHANGE_LOOKS},
        .right = {CHANGE_CALLS, STATE_CALL "s3/state*"},
        .goal = {.failed_percent = 1, .servers = 3, .applied = "s3 out"},
        .hints = {"GET $A/status: pending_confirm names what waits, and until when",
                  "POST $A/changes/{id}/cancel takes it back at once; a change that was confirmed "
                  "would make the approved one stale",
                  "then apply and confirm the approved one: GET $A/changes?state=approved"},
        .lesson =
            "One change at a time waits, so that it is known what did what. Nobody was there\n"
            "to say that it does well, so it goes back; then there is room for the next. A\n"
            "drain would have helped at once, whatever waits.",
        .runbook = "a-change-waits-for-its-confirmation.md",
        .commands =
            {"curl -s -H \"$ANN\" $A/status | jq -c '.pending_confirm | [.change, .deadline]'",
             "ID=$(curl -s -H \"$ANN\" $A/status | jq -r .pending_confirm.change)",
             ("curl -s -H \"$ANN\" $A/changes/$ID/cancel -d '{\"reason\":\"nobody is here to "
              "confirm "
              "it\"}' | jq -c '[.state, .ended_why]'"),
             "ID=$(curl -s -H \"$BOB\" \"$A/changes?state=approved\" | jq -r '.changes[0].id')",
             "curl -s -H \"$BOB\" -X POST $A/changes/$ID/apply | jq -r .state",
             "curl -s -H \"$BOB\" -X POST \"$A/changes/$ID/confirm?wait=2m\" | jq -r .state"},
    },
};

const unsigned drill_count = sizeof(drills) / sizeof(drills[0]);
