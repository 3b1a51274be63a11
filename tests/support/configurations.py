"""
Configurations as careful people write them, and what goes wrong with them: sane(seed) is a document; MISTAKES are single
mistakes, as outages were made of, with the rule that is to find each. Both are the same each time for a seed.
"""
import copy
import functools
import random

BALANCES = ["round_robin", "least_requests", "random", "peak_ewma", "maglev"]
HASHES = ["client_ip", "header:x-user", "cookie:session", "path", "uri"]
WORDS = ["shop", "blog", "search", "mail", "media", "pay", "auth", "docs", "feed", "chat"]


def seconds(value):
    return f"{value}s"


# ---- what careful people write

def sane_servers(rng, pool, number):
    """2 to 8 primaries whose weights fit their capacities; perhaps as many backups; perhaps one of many drained."""
    count = rng.choice([1, 2, 2, 3, 3, 4, 5, 6, 8])
    sizes = [rng.choice([100, 200, 300]) if rng.random() < 0.3 else 100 for _ in range(count)]
    is_rated = rng.random() < 0.5 or len(set(sizes)) > 1
    servers = {}
    for i, size in enumerate(sizes):
        server = {"address": f"10.{number // 200}.{number % 200}.{i + 1}:{rng.choice([80, 8080, 9000])}"}
        if rng.random() < 0.7 or size != 100:
            server["weight"] = max(1, round(size * rng.uniform(0.9, 1.1)))
        if is_rated:
            server["capacity_rps"] = size * 5
        if rng.random() < 0.3:
            server["max_connections"] = rng.randint(50, 900)
        servers[f"s{i + 1}"] = server
    if count >= 2 and rng.random() < 0.2:
        for i, size in enumerate(sizes):
            servers[f"standby{i + 1}"] = {"address": f"10.{100 + number // 200}.{number % 200}.{i + 1}:80", "backup": True,
                                          **({"capacity_rps": size * 5} if is_rated else {})}
    if count >= 5 and len(set(sizes)) == 1 and rng.random() < 0.3:
        servers["s1"]["state"] = rng.choice(["drain", "maint"])
    return servers


def active_and_standby(rng, number):
    return {"intent": "active_standby", "servers": {
        "active": {"address": f"10.{number // 200}.{number % 200}.1:80", "weight": 100},
        "standby": {"address": f"10.{number // 200}.{number % 200}.2:80", "weight": 0}}}


def sane_check(rng):
    if rng.random() < 0.2:
        return {"type": "tcp", "interval": seconds(rng.randint(2, 10))}
    return {"path": rng.choice(["/", "/healthz", "/ready?deep=1"]), "interval": seconds(rng.randint(2, 15)),
            "timeout": seconds(rng.randint(1, 2)), "fall": rng.randint(2, 4), "rise": rng.randint(2, 3),
            "expect_status": rng.choice(["200", "200-299", "200-399", "200,204"])}


def sane_pool(rng, name, number):
    pool = active_and_standby(rng, number) if rng.random() < 0.08 else {"servers": sane_servers(rng, name, number)}
    if "intent" not in pool:
        pool["balance"] = rng.choice(BALANCES)
    if pool.get("balance") == "maglev":
        pool["hash_on"] = rng.choice(HASHES)
    elif rng.random() < 0.2:
        pool["sticky"] = {"cookie": f"{name}_server", "ttl": rng.choice(["30m", "1h", "12h"])}
    if rng.random() < 0.9:
        pool["health_check"] = sane_check(rng)
    if rng.random() < 0.4:
        pool["ejection"] = {"consecutive_failures": rng.randint(3, 10), "max_percent": rng.choice([10, 20, 34, 50]),
                            "base_time": seconds(rng.randint(10, 60))}
    if rng.random() < 0.5:
        pool["slow_start"] = seconds(rng.randint(5, 120))
    if rng.random() < 0.3:
        pool["panic_percent"] = rng.choice([30, 50, 60])
    if rng.random() < 0.5:
        pool["retry"] = {"attempts": rng.randint(0, 2), "budget_percent": rng.randint(10, 30)}
    if rng.random() < 0.5:
        pool["timeouts"] = {"connect": rng.choice(["500ms", "1s", "3s"]), "response": seconds(rng.randint(5, 120))}
    if rng.random() < 0.3:
        pool["keepalive"] = {"idle_timeout": seconds(rng.randint(10, 60)), "idle_per_worker": rng.randint(8, 256)}
    if any("max_connections" in server for server in pool["servers"].values()) and rng.random() < 0.5:
        pool["queue"] = {"length": rng.randint(10, 5000), "timeout": seconds(rng.randint(1, 20))}
    return pool


def sane_action(rng, pools):
    """Where a route leads; a split's parts are never all 0."""
    kind = rng.random()
    if kind < 0.1 and len(pools) > 1:
        one, two = rng.sample(pools, 2)
        first = rng.randint(0, 99)
        return {"split": {one: 100 - first, two: first}}
    if kind < 0.2:
        return {"redirect": {"location": "https://{host}{uri}", "status": rng.choice([301, 308])}}
    if kind < 0.25:
        return {"respond": {"status": rng.choice([200, 404, 410]), "body": "so it is\n"}}
    action = {"pool": rng.choice(pools)}
    if rng.random() < 0.2:
        action["request_headers"] = {"set": {"x-from": "twokey"}, "remove": ["x-debug"]}
    if rng.random() < 0.1:
        action["rate_limit"] = {"requests_per_second": rng.randint(10, 1000), "burst": rng.randint(10, 2000)}
    if rng.random() < 0.1:
        action["allow"] = ["10.0.0.0/8", "192.0.2.0/24"]
    return action


def sane_routes(rng, pools):
    routes = {"everything": {"pool": rng.choice(pools)}}
    for i, pool in enumerate(pools):
        routes[f"site-{pool}"] = {"hosts": [f"{pool}.example.com"] + (["*." + pool + ".example.org"] if rng.random() < 0.2 else []),
                                  "pool": pool}
    for i in range(rng.randint(0, 2 * len(pools) + 3)):
        host = f"{rng.choice(pools)}.example.com"
        condition = rng.choice([{"path_prefix": f"/part{i}"}, {"path": f"/page{i}.html"},
                                {"path_regex": f"/(v[0-9]+)/item{i}/[^/]+"}, {"path_prefix": f"/part{i}", "methods": ["GET", "HEAD"]},
                                {"path_prefix": f"/part{i}", "headers": {"x-canary": "1"}}])
        route = {"hosts": [host], **condition, **sane_action(rng, pools)}
        if "path_prefix" in condition and "pool" in route and rng.random() < 0.3:
            route["rewrite"] = {"path_prefix": "/"}
        routes[f"r{i}"] = route
    return routes


def sane_listeners(rng):
    listeners = {"web": {"address": "0.0.0.0:8080", "limits": {"connections_per_client": rng.randint(100, 2000), "body": "1GiB"}}}
    if rng.random() < 0.4:
        listeners["inside"] = {"address": "127.0.0.1:8081", "trusted_proxies": ["127.0.0.0/8", "10.0.0.0/8"]}
    if rng.random() < 0.2:
        listeners["local"] = {"address": "unix:/run/twokey/http.sock"}
    if rng.random() < 0.3:
        listeners["web"]["timeouts"] = {"body_idle": seconds(rng.randint(20, 60)), "write_idle": seconds(rng.randint(20, 60))}
    return listeners


def sane_people(rng):
    def person(number, *roles):
        return {"roles": list(roles), "tokens": [{"id": "laptop", "hash": "sha256:%064x" % (rng.getrandbits(200) * 64 + number)}]}

    people = {"ann": person(1, "author", "operator", "approver"), "bob": person(2, "author", "approver"),
              "cat": person(3, "approver", "viewer"), "dan": person(4, "approver", "admin", "auditor", "breakglass"),
              "eve": person(5, "author", "approver")}
    people["ci"] = {**person(6, "author"), "kind": "service", "owner": "ann"}
    return people


def sane_policy(rng):
    if rng.random() < 0.2:
        return {"mode": rng.choice(["off", "advisory"])}
    policy = {"mode": "enforced", "approvals": {"normal": 1, "high": rng.choice([2, 2, 3])}}
    if rng.random() < 0.3:
        policy["confirm"] = {"deadline": "5m", "min_bake": "1m"}
    if rng.random() < 0.2:
        policy["windows"] = [{"days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "16:00"}]
    return policy


def sane(seed):
    """A whole document: 1 to 50 pools, and what leads to them."""
    rng = random.Random(seed)
    count = rng.choice([1, 1, 2, 3, 4, 5, 8, 12, 20, 50])
    pools = [WORDS[i % len(WORDS)] + ("" if i < len(WORDS) else str(i // len(WORDS))) for i in range(count)]
    return {
        "process": {"max_connections": rng.choice([1000, 10000, 20000])},
        "listeners": sane_listeners(rng),
        "pools": {name: sane_pool(rng, name, number) for number, name in enumerate(pools)},
        "routes": sane_routes(rng, pools),
        "people": sane_people(rng),
        "policy": sane_policy(rng),
    }


# ---- what goes wrong

MISTAKES = []  # (rule, function): the function changes the document, or gives None where it has nothing to spoil


def with_pool(function, servers):
    """function(rng, document, pool) with a pool of at least that many servers in service; False: there is none."""
    def call(rng, document):
        pool = any_pool(rng, document, servers)
        return False if pool is None else function(rng, document, pool)

    return functools.wraps(function)(call) if servers else function


def mistake(rule, servers=None):
    def add(function):
        MISTAKES.append((rule, with_pool(function, servers)))
        return function
    return add


def spoil(seed, number):
    """The document before, after, and the rule that finds what was done to it; None where that mistake cannot be made."""
    rule, function = MISTAKES[number]
    before = sane(seed)
    after = copy.deepcopy(before)
    if function(random.Random(seed), after) is False:
        return None
    return before, after, rule


def any_pool(rng, document, servers=1):
    """A pool with that many servers that serve, so that it can be spoilt."""
    fitting = [name for name, pool in sorted(document["pools"].items())
               if "intent" not in pool and len(primaries(pool)) >= servers]
    return document["pools"][rng.choice(fitting)] if fitting else None


def primaries(pool):
    return [server for _, server in sorted(pool["servers"].items()) if not server.get("backup") and "state" not in server]


@mistake("D001", servers=3)
def all_traffic_goes_to_one_server(rng, document, pool):
    for i, server in enumerate(primaries(pool)):
        server["weight"] = 256 if i == 0 else 0


@mistake("D001", servers=2)
def one_server_gets_ninety_percent(rng, document, pool):
    for i, server in enumerate(primaries(pool)):
        server.pop("capacity_rps", None)
        server["weight"] = 1000 if i == 0 else 100 // (len(primaries(pool)) - 1)


@mistake("D001", servers=3)
def only_one_of_many_is_left_ready(rng, document, pool):
    for server in primaries(pool)[1:]:
        server["state"] = "drain"


@mistake("D002", servers=4)
def one_weight_has_a_digit_too_many(rng, document, pool):
    for server in primaries(pool):
        server.pop("capacity_rps", None)
        server["weight"] = 100
    primaries(pool)[0]["weight"] = 999


@mistake("D003", servers=1)
def all_weights_become_zero(rng, document, pool):
    for server in pool["servers"].values():
        server["weight"] = 0


@mistake("D004", servers=1)
def a_pool_loses_all_servers(rng, document, pool):
    pool["servers"] = {}


@mistake("D005", servers=1)
def all_servers_become_backups(rng, document, pool):
    for server in pool["servers"].values():
        server["backup"] = True


@mistake("D006", servers=1)
def all_servers_are_drained(rng, document, pool):
    for server in pool["servers"].values():
        server["state"] = rng.choice(["drain", "maint"])


@mistake("D007", servers=1)
def a_server_is_copied_and_keeps_its_address(rng, document, pool):
    pool["servers"]["copy"] = dict(primaries(pool)[0])


@mistake("D008", servers=2)
def a_new_server_begins_with_weight_one(rng, document, pool):
    primaries(pool)[0]["weight"] = 1
    primaries(pool)[1]["weight"] = 100


@mistake("D010", servers=2)
def the_hash_is_of_nothing_that_differs(rng, document, pool):
    name = next(name for name, other in document["pools"].items() if other is pool)
    pool.pop("sticky", None)
    pool.update(balance="maglev", hash_on="header:host")
    document["routes"] = {"everything": {"respond": {"status": 404}}, "only": {"hosts": ["one.example.com"], "pool": name}}


@mistake("D013", servers=3)
def there_is_one_small_backup(rng, document, pool):
    for name in [name for name, server in pool["servers"].items() if server.get("backup")]:
        del pool["servers"][name]
    for server in pool["servers"].values():
        server["capacity_rps"] = 500
    pool["servers"]["spare"] = {"address": "10.200.0.1:80", "backup": True, "capacity_rps": 500}


@mistake("C004", servers=2)
def the_panic_threshold_is_switched_off(rng, document, pool):
    pool["panic_percent"] = 0


@mistake("C005", servers=3)
def all_servers_may_be_ejected(rng, document, pool):
    pool["ejection"] = {"max_percent": 100}


@mistake("C007", servers=1)
def a_server_may_have_more_than_the_process(rng, document, pool):
    primaries(pool)[0]["max_connections"] = document["process"]["max_connections"] + 1


@mistake("C009", servers=1)
def the_queue_outlasts_its_clients(rng, document, pool):
    primaries(pool)[0]["max_connections"] = 100
    pool["queue"] = {"timeout": "1h"}


@mistake("R001")
def a_route_for_everything_goes_first(rng, document):
    document["routes"]["everything"]["priority"] = 100


@mistake("R003")
def a_route_is_copied(rng, document):
    name = rng.choice(sorted(document["routes"]))
    document["routes"][name + "-copy"] = copy.deepcopy(document["routes"][name])


@mistake("R004")
def a_pool_is_renamed_and_a_route_is_not(rng, document):
    name = rng.choice(sorted(document["pools"]))
    document["pools"][name + "-new"] = document["pools"].pop(name)


@mistake("R004")
def a_route_names_a_listener_that_is_gone(rng, document):
    document["routes"]["everything"]["listeners"] = ["public"]


@mistake("R007", servers=1)
def a_server_is_our_own_listener(rng, document, pool):
    primaries(pool)[0]["address"] = "127.0.0.1:8080"


@mistake("R007", servers=1)
def a_server_is_our_own_admin_api(rng, document, pool):
    primaries(pool)[0]["address"] = "127.0.0.1:9901"


@mistake("R008")
def two_listeners_have_one_port(rng, document):
    document["listeners"]["new"] = {"address": rng.choice(["0.0.0.0:8080", "127.0.0.1:8080"])}


@mistake("R009")
def everybody_is_denied(rng, document):
    document["routes"][rng.choice(sorted(document["routes"]))]["deny"] = ["0.0.0.0/0"]


@mistake("R010")
def an_expression_takes_exponential_time(rng, document):
    document["routes"]["new"] = {"hosts": ["new.example.com"], "path_regex": "/(([a-z])+.)+", "respond": {}}


@mistake("R010")
def an_expression_does_not_compile(rng, document):
    document["routes"]["new"] = {"hosts": ["new.example.com"], "path_regex": "/(new", "respond": {}}


@mistake("R014")
def everybody_is_a_trusted_proxy(rng, document):
    document["listeners"]["web"]["trusted_proxies"] = ["0.0.0.0/0"]


@mistake("H001", servers=2)
def health_checks_are_removed(rng, document, pool):
    if "health_check" not in pool:
        return False
    del pool["health_check"]


@mistake("H002", servers=1)
def checks_are_an_hour_apart(rng, document, pool):
    pool["health_check"] = {"interval": "1h"}


@mistake("H003", servers=1)
def checks_are_milliseconds_apart(rng, document, pool):
    pool["health_check"] = {"interval": "100ms", "timeout": "100ms", "fast_interval": "100ms"}


@mistake("H006", servers=1)
def checks_take_any_answer(rng, document, pool):
    pool["health_check"] = {"expect_status": "100-599"}


@mistake("M002", servers=1)
def connecting_may_take_longer_than_answering(rng, document, pool):
    pool["timeouts"] = {"connect": "30s", "response": "5s"}


@mistake("M004", servers=1)
def everything_is_tried_six_times(rng, document, pool):
    pool["retry"] = {"attempts": 5}


@mistake("S001")
def the_admin_api_is_opened_to_everyone(rng, document):
    document["admin"] = {"listen": "0.0.0.0:9901"}


@mistake("S005")
def only_one_person_can_approve(rng, document):
    document["policy"] = {"mode": "enforced"}
    for name, person in document["people"].items():
        if name != "ann" and "approver" in person["roles"]:
            person["roles"] = ["viewer"]


@mistake("D016")
def a_split_sends_nothing_anywhere(rng, document):
    name = rng.choice(sorted(document["pools"]))
    document["routes"]["new"] = {"hosts": ["new.example.com"], "split": {name: 0}}


@mistake("X010")
def a_template_was_left_unfilled(rng, document):
    document["routes"]["new"] = {"hosts": [], "path_prefix": "/new", "respond": {}}


@mistake("T004", servers=1)
def whoever_answers_is_believed(rng, document, pool):
    pool["tls"] = {"verify": False}


# ---- what is only wrong as a change

@mistake("X001", servers=4)
def half_the_servers_are_removed(rng, document, pool):
    for name in sorted(pool["servers"])[:len(pool["servers"]) // 2]:
        del pool["servers"][name]


@mistake("X002")
def all_routes_are_removed(rng, document):
    document["routes"] = {}


@mistake("X003", servers=3)
def one_server_of_three_gets_most(rng, document, pool):
    if len({server.get("capacity_rps") for server in primaries(pool)}) > 1:
        return False
    for server in primaries(pool):
        server["weight"] = 100
    primaries(pool)[0]["weight"] = 100 * (len(primaries(pool)) + 1)


@mistake("X004")
def all_pools_are_touched_at_once(rng, document):
    if len(document["pools"]) < 4:
        return False
    for pool in document["pools"].values():
        pool["slow_start"] = "121s"


@mistake("X007")
def the_admin_address_moves(rng, document):
    document["admin"] = {"listen": "127.0.0.1:9902"}


@mistake("X008")
def a_generator_runs_twice(rng, document):
    if len(document["pools"]) < 8:
        return False
    for name in sorted(document["pools"]):
        for copies in ("a", "b"):
            document["pools"][f"{name}-{copies}"] = copy.deepcopy(document["pools"][name])
    for name in sorted(document["routes"]):
        for copies in ("a", "b"):
            document["routes"][f"{name}-{copies}"] = {**copy.deepcopy(document["routes"][name]), "hosts": [f"{name}.{copies}.example"]}


@mistake("X015")
def a_hash_key_changes(rng, document):
    for name, pool in sorted(document["pools"].items()):
        if pool.get("balance") == "maglev" and len(pool["servers"]) > 1:
            pool["hash_on"] = "header:x-other"
            return None
    return False


@mistake("R017")
def a_host_is_forgotten(rng, document):
    name = rng.choice(sorted(document["pools"]))
    for route in [route for route, body in document["routes"].items()
                  if not body.get("hosts") or any(name + ".example" in host for host in body["hosts"])]:
        del document["routes"][route]


# ---- what is changed with care

CAREFUL = []  # functions that change a document as people do every day; False: nothing to change here


def careful(servers=None):
    def add(function):
        CAREFUL.append(with_pool(function, servers))
        return function
    return add


def improve(seed, number):
    """The document before and after; None where there is nothing of the kind to change."""
    before = sane(seed)
    after = copy.deepcopy(before)
    return None if CAREFUL[number](random.Random(seed), after) is False else (before, after)


@careful(servers=2)
def a_server_is_added(rng, document, pool):
    new = dict(primaries(pool)[0])
    new["address"] = "10.201.0.1:80"
    pool["servers"]["s99"] = new
    if any(server.get("backup") for server in pool["servers"].values()):
        pool["servers"]["standby99"] = {**new, "address": "10.201.0.2:80", "backup": True}


@careful(servers=3)
def a_server_is_removed(rng, document, pool):
    if len({server.get("capacity_rps") for server in primaries(pool)}) > 1:
        return False
    del pool["servers"][next(name for name, server in sorted(pool["servers"].items()) if server is primaries(pool)[-1])]


@careful(servers=2)
def a_weight_moves_a_little(rng, document, pool):
    server = primaries(pool)[0]
    server["weight"] = round(server.get("weight", 100) * 1.1)


@careful(servers=4)
def a_server_is_drained(rng, document, pool):
    if len({server.get("capacity_rps") for server in primaries(pool)}) > 1:
        return False
    primaries(pool)[0]["state"] = "drain"


@careful()
def a_site_is_added(rng, document):
    document["pools"]["added"] = {"servers": {"s1": {"address": "10.202.0.1:80"}, "s2": {"address": "10.202.0.2:80"}},
                                  "health_check": {"path": "/healthz"}}
    document["routes"]["site-added"] = {"hosts": ["added.example.com"], "pool": "added"}


@careful()
def a_part_of_a_site_gets_its_own_pool(rng, document):
    name = rng.choice(sorted(document["pools"]))
    document["routes"]["own-part"] = {"hosts": [f"{name}.example.com"], "path_prefix": "/own", "pool": rng.choice(sorted(document["pools"]))}


@careful(servers=1)
def checks_become_stricter(rng, document, pool):
    pool["health_check"] = {"path": "/healthz", "interval": "4s", "fall": 2}


@careful(servers=1)
def a_timeout_changes(rng, document, pool):
    pool["timeouts"] = {"connect": "2s", "response": "45s"}


@careful()
def a_person_joins(rng, document):
    document["people"]["fay"] = {"roles": ["author", "approver"], "tokens": [{"id": "laptop", "hash": "sha256:" + "ab" * 32}]}


@careful()
def a_split_moves_a_tenth(rng, document):
    for name, route in sorted(document["routes"].items()):
        if "split" in route:
            one, two = sorted(route["split"])
            step = 10 if route["split"][one] >= 10 else -10
            route["split"][one] -= step
            route["split"][two] += step
            return None
    return False
