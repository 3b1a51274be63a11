/*
 * spread - see spread.h.
 *
 * A request that a hash or a cookie directs is picked for once more on both sides; of the others
 * each server gets its share.  Where nothing of a pool changes, what was seen stands.
 *
 * Owner    the caller      Threads  any
 */
#include "detect/spread.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/model.h"
#include "detect/detect.h"
#include "detect/impact.h"
#include "detect/trial.h"
#include "observe/sample.h"
#include "proxy/balance/balance.h"

/* Tables of hashes take some milliseconds each: beyond these, hashes count as not known.
 *
 * A pool's pace is taken of its last picks, each one PACE_HALF before another counting half;
 * PACE_WEIGHTS of them are believed half. */
enum { TABLES = 24, PACE_HALF = 2048, PACE_WEIGHTS = 40 };

enum { FREE = -1, UNKNOWN = -2, REFUSED = -3 };

struct spreading {
    const struct flows *flows;
    const struct flow_pool *pool;
    const struct impact_subject *subject;
    struct spread *spread;
    struct spread_totals *totals;
    int *picks[FLOW_SIDES]; /* of the pool's links: a server, or one of the above */
    bool is_same;           /* the pool is the same on both sides */
    bool makes_tables;
};

/* ---- the pool on each side ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_server(const struct conf_server *a, const struct conf_server *b)
{
    return strcmp(a->name, b->name) == 0 && same_text(a->address.text, b->address.text) &&
           a->weight == b->weight && a->is_backup == b->is_backup && a->state == b->state;
}

/* By what decides who gets a request. */
static bool same_pool(const struct conf_pool *a, const struct conf_pool *b)
{
    if (a->server_count != b->server_count || a->balance != b->balance ||
        a->hash_on != b->hash_on || !same_text(a->hash_name, b->hash_name) ||
        !same_text(a->sticky.cookie, b->sticky.cookie) || a->panic_percent != b->panic_percent ||
        a->panic_mode != b->panic_mode || a->max_share_percent != b->max_share_percent)
        return false;
    for (size_t i = 0; i < a->server_count; i++)
        if (!same_server(&a->servers[i], &b->servers[i]))
            return false;
    return true;
}

static void give_orders(struct trial *trial, const char *pool, const struct detect_override *orders,
                        size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(orders[i].pool, pool) == 0)
            trial_order(trial, orders[i].server, orders[i].state, orders[i].weight);
}

static bool has_order(const struct spreading *s)
{
    for (size_t i = 0; i < s->subject->ordered_count; i++)
        if (strcmp(s->subject->ordered[i].pool, s->pool->name) == 0)
            return true;
    return false;
}

/* What is at another address now is another server: it is taken as healthy. */
static bool is_still_there(const struct spreading *s, enum flow_side side, const char *server)
{
    const struct conf_pool *before = s->pool->conf[FLOW_BEFORE];
    const struct conf_pool *conf = s->pool->conf[side];
    int was = before != NULL ? config_find_server(before, server) : TRIAL_NOBODY;
    int is = config_find_server(conf, server);

    return was >= 0 && is >= 0 &&
           same_text(before->servers[was].address.text, conf->servers[is].address.text);
}

static struct trial *open_side(const struct spreading *s, enum flow_side side, bool with_health)
{
    const struct impact_subject *subject = s->subject;
    struct trial *trial = trial_new(s->pool->conf[side]);

    give_orders(trial, s->pool->name, subject->overrides, subject->override_count);
    if (side == FLOW_AFTER)
        give_orders(trial, s->pool->name, subject->ordered, subject->ordered_count);
    for (size_t i = 0; with_health && i < subject->down_count; i++)
        if (strcmp(subject->down[i].pool, s->pool->name) == 0 &&
            is_still_there(s, side, subject->down[i].server))
            trial_down(trial, subject->down[i].server);
    return trial;
}

static bool has_weight(struct trial *trial, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (trial_weight(trial, i) > 0)
            return true;
    return false;
}

static bool is_any_down(const struct spreading *s)
{
    for (size_t i = 0; i < s->subject->down_count; i++)
        if (strcmp(s->subject->down[i].pool, s->pool->name) == 0)
            return true;
    return false;
}

static bool is_eligible(const struct spreading *s, enum flow_side side)
{
    size_t count = s->pool->conf[side]->server_count;
    struct trial *trial;
    bool is_some;

    if (!is_any_down(s))
        return has_weight(s->spread->trials[side], count);
    trial = open_side(s, side, false);
    is_some = has_weight(trial, count);
    trial_free(&trial);
    return is_some;
}

static void open_sides(struct spreading *s)
{
    struct spread *spread = s->spread;

    s->is_same = s->pool->conf[FLOW_BEFORE] != NULL && s->pool->conf[FLOW_AFTER] != NULL &&
                 !has_order(s) && same_pool(s->pool->conf[FLOW_BEFORE], s->pool->conf[FLOW_AFTER]);
    for (size_t side = 0; side < FLOW_SIDES; side++) {
        if (s->pool->conf[side] == NULL)
            continue;
        if (side == FLOW_AFTER && s->is_same)
            spread->trials[side] = spread->trials[FLOW_BEFORE];
        else
            spread->trials[side] = open_side(s, (enum flow_side)side, true);
        spread->has_eligible[side] = is_eligible(s, (enum flow_side)side);
        spread->shares[side] = xcalloc(s->pool->conf[side]->server_count + 1, sizeof(double));
    }
}

/* ---- pace ---- */

static const struct sample_request *single_of(const struct spreading *s, enum flow_side side,
                                              size_t link)
{
    const struct flow_link *of = &s->flows->links[side][s->pool->links[side][link]];

    return s->flows->traces.items[of->trace].single;
}

/* What the balancer alone picked; links have the newest first. */
static double count_picks(const struct spreading *s, double *picks)
{
    const struct conf_pool *conf = s->pool->conf[FLOW_BEFORE];
    double decay = pow(0.5, 1.0 / PACE_HALF);
    double counts = 1;
    double sum = 0;

    for (size_t i = 0; i < s->pool->link_count[FLOW_BEFORE]; i++) {
        const struct sample_request *single = single_of(s, FLOW_BEFORE, i);
        int server;

        if (single == NULL || single->server == NULL || single->reason != REASON_BALANCER ||
            !same_text(single->pool, s->pool->name))
            continue;
        server = config_find_server(conf, single->server);
        if (server < 0 || trial_weight(s->spread->trials[FLOW_BEFORE], (size_t)server) <= 0)
            continue;
        picks[server] += counts;
        sum += counts;
        counts *= decay;
    }
    return sum;
}

/* How much of the way from weights to what was picked is believed: what chance does not explain
 * (the positive part of James and Stein's estimate; picks come in bunches, so chance counts twice),
 * and of few picks little. */
static double belief(const double *picks, double sum, struct trial *trial, size_t count)
{
    double total = 0;
    double off = 0;
    double chance = 0;

    for (size_t i = 0; i < count; i++)
        total += trial_weight(trial, i);
    for (size_t i = 0; i < count; i++) {
        double part = trial_weight(trial, i) / total;

        off += (picks[i] / sum - part) * (picks[i] / sum - part);
        chance += 2 * part * (1 - part) / sum;
    }
    return off > chance ? (1 - chance / off) * sum / (sum + PACE_WEIGHTS) : 0;
}

/* What each server was seen to take for its weight; one that is new is taken as the others are. */
static void set_paces(struct spreading *s)
{
    const struct conf_pool *conf = s->pool->conf[FLOW_BEFORE];
    struct trial *before = s->spread->trials[FLOW_BEFORE];
    struct trial *after = s->spread->trials[FLOW_AFTER];
    double *picks;
    double total = 0;
    double sum;
    double believed;

    if (before == NULL || after == NULL || !trial_follows_load(before))
        return;
    picks = xcalloc(conf->server_count + 1, sizeof(*picks));
    sum = count_picks(s, picks);
    believed = sum > 0 ? belief(picks, sum, before, conf->server_count) : 0;
    for (size_t i = 0; i < conf->server_count; i++)
        total += trial_weight(before, i);
    for (size_t i = 0; believed > 0 && i < conf->server_count; i++) {
        double part = trial_weight(before, i) / total;
        int at = config_find_server(s->pool->conf[FLOW_AFTER], conf->servers[i].name);
        double pace;

        if (part <= 0)
            continue;
        pace = 1 + believed * (picks[i] / sum / part - 1);
        trial_pace(before, i, pace);
        if (after != before && at >= 0)
            trial_pace(after, (size_t)at, pace);
    }
    xfree(picks);
}

/* ---- picks ---- */

enum hash_known { HASH_NONE, HASH_KNOWN, HASH_NOT_KNOWN };

static enum hash_known hash_of_header(const struct spreading *s,
                                      const struct sample_request *single, const char *name,
                                      uint64_t *hash_out)
{
    const char *value;
    bool is_unknown = false;

    if (trace_header(s->flows->traces.headers, single, name, &value, &is_unknown)) {
        *hash_out = hash_slice(&HASH_STABLE, slice_from(value));
        return HASH_KNOWN;
    }
    return is_unknown ? HASH_NOT_KNOWN : HASH_NONE;
}

/* What was hashed is kept as a hash alone: of something else there may be none. */
static enum hash_known hash_of(const struct spreading *s, const struct conf_pool *conf,
                               const struct sample_request *single, uint64_t *hash_out)
{
    int from = single->pool != NULL ? config_find_pool(s->subject->base, single->pool) : -1;
    const struct conf_pool *base = from >= 0 ? &s->subject->base->pools[from] : NULL;

    if (base != NULL && base->balance == BALANCE_MAGLEV && base->hash_on == conf->hash_on &&
        same_text(base->hash_name, conf->hash_name)) {
        *hash_out = single->hash;
        return single->has_hash ? HASH_KNOWN : HASH_NONE;
    }
    switch (conf->hash_on) {
    case HASH_ON_CLIENT_IP: *hash_out = single->client_hash; return HASH_KNOWN;
    case HASH_ON_PATH:
        *hash_out = hash_slice(&HASH_STABLE, slice_from(single->path));
        return single->is_path_cut ? HASH_NOT_KNOWN : HASH_KNOWN;
    case HASH_ON_HEADER: return hash_of_header(s, single, conf->hash_name, hash_out);
    default: return HASH_NOT_KNOWN;
    }
}

/* The server that the request's cookie leads to here, or FREE. */
static int pick_sticky(struct spreading *s, enum flow_side side,
                       const struct sample_request *single)
{
    const struct conf_pool *conf = s->pool->conf[side];
    const struct conf_pool *before = s->pool->conf[FLOW_BEFORE];
    int server;

    if (conf->sticky.cookie == NULL || single->sticky == NULL || before == NULL ||
        !same_text(single->pool, s->pool->name) ||
        !same_text(conf->sticky.cookie, before->sticky.cookie))
        return FREE;
    server = config_find_server(conf, single->sticky);
    if (server < 0)
        return FREE;
    server = trial_pick_sticky(s->spread->trials[side], (size_t)server);
    return server >= 0 ? server : FREE;
}

static int pick_hash(struct spreading *s, enum flow_side side, const struct sample_request *single)
{
    uint64_t hash = 0;
    int server;

    switch (hash_of(s, s->pool->conf[side], single, &hash)) {
    case HASH_NONE: return FREE;
    case HASH_NOT_KNOWN: return UNKNOWN;
    default: break;
    }
    if (!s->makes_tables)
        return UNKNOWN;
    server = trial_pick_hash(s->spread->trials[side], hash);
    return server >= 0 ? server : REFUSED;
}

/* Nothing of the pool or of what comes to it is different: what was picked is picked. */
static int seen_pick(const struct spreading *s, const struct sample_request *single)
{
    int server = single->server != NULL && same_text(single->pool, s->pool->name) &&
                         (single->reason == REASON_HASH || single->reason == REASON_STICKY)
                     ? config_find_server(s->pool->conf[FLOW_BEFORE], single->server)
                     : TRIAL_NOBODY;

    return server >= 0 && trial_weight(s->spread->trials[FLOW_BEFORE], (size_t)server) > 0 ? server
                                                                                           : FREE;
}

static int pick(struct spreading *s, enum flow_side side, const struct sample_request *single)
{
    int server;

    if (single == NULL)
        return FREE;
    if (s->is_same && !s->pool->is_shifted)
        return seen_pick(s, single);
    server = pick_sticky(s, side, single);
    if (server != FREE || s->pool->conf[side]->balance != BALANCE_MAGLEV)
        return server;
    return pick_hash(s, side, single);
}

static void pick_all(struct spreading *s)
{
    size_t needed = 0;

    for (size_t side = 0; side < FLOW_SIDES; side++)
        needed += s->pool->conf[side] != NULL && s->pool->conf[side]->balance == BALANCE_MAGLEV &&
                  s->pool->link_count[side] > 0 && !(s->is_same && !s->pool->is_shifted);
    s->makes_tables = s->totals->tables + needed <= TABLES;
    s->totals->tables += s->makes_tables ? needed : 0;
    for (size_t side = 0; side < FLOW_SIDES; side++) {
        s->picks[side] = xcalloc(s->pool->link_count[side] + 1, sizeof(int));
        for (size_t i = 0; s->pool->conf[side] != NULL && i < s->pool->link_count[side]; i++)
            s->picks[side][i] =
                pick(s, (enum flow_side)side, single_of(s, (enum flow_side)side, i));
    }
}

/* ---- shares ---- */

static double requests_of(const struct spreading *s, enum flow_side side, size_t link)
{
    return s->flows->links[side][s->pool->links[side][link]].requests;
}

static void add_up(struct spreading *s, enum flow_side side)
{
    size_t count = s->pool->conf[side]->server_count;
    const double *free_shares = trial_shares(s->spread->trials[side]);
    double *shares = s->spread->shares[side];
    double undirected = 0;
    double total = 0;

    for (size_t i = 0; i < s->pool->link_count[side]; i++) {
        double requests = requests_of(s, side, i);
        int server = s->picks[side][i];

        total += requests;
        if (server >= 0)
            shares[server] += requests;
        else if (server != REFUSED)
            undirected += requests;
    }
    for (size_t i = 0; i < count; i++)
        shares[i] = total > 0 ? (shares[i] + undirected * free_shares[i]) / total : free_shares[i];
}

/* ---- keys ---- */

/* The part of what stays in the pool that gets another server. */
static double part_moved(const struct spreading *s, int before, int after)
{
    const char *name = s->pool->conf[FLOW_BEFORE]->servers[before].name;
    int same = config_find_server(s->pool->conf[FLOW_AFTER], name);

    if (after >= 0)
        return after == same ? 0 : 1;
    if (after == FREE && same >= 0)
        return 1 - trial_shares(s->spread->trials[FLOW_AFTER])[same];
    return 1;
}

static void count_key(struct spreading *s, size_t link, size_t *after)
{
    struct spread_totals *totals = s->totals;
    const struct flow_link *was = &s->flows->links[FLOW_BEFORE][s->pool->links[FLOW_BEFORE][link]];
    const struct flow_link *is = NULL;
    int before = s->picks[FLOW_BEFORE][link];
    double stays = 0;

    for (; *after < s->pool->link_count[FLOW_AFTER]; ++*after) {
        is = &s->flows->links[FLOW_AFTER][s->pool->links[FLOW_AFTER][*after]];
        if (is->trace >= was->trace)
            break;
    }
    if (before == FREE)
        return;
    if (is != NULL && is->trace == was->trace)
        stays = fmin(was->requests, is->requests);
    totals->keys += was->requests;
    totals->keys_moved += was->requests - stays;
    if (before == UNKNOWN || (stays > 0 && s->picks[FLOW_AFTER][*after] == UNKNOWN) ||
        s->flows->traces.items[was->trace].after == TRACE_UNKNOWN)
        totals->is_key_unknown = true;
    else if (stays > 0 && before >= 0)
        totals->keys_moved += stays * part_moved(s, before, s->picks[FLOW_AFTER][*after]);
}

static void count_keys(struct spreading *s)
{
    size_t after = 0;

    for (size_t i = 0; i < s->pool->link_count[FLOW_BEFORE]; i++)
        count_key(s, i, &after);
}

void spread_init(struct spread *spread, const struct flows *flows, const struct flow_pool *pool,
                 const struct impact_subject *subject, struct spread_totals *totals)
{
    struct spreading s = {
        .flows = flows, .pool = pool, .subject = subject, .spread = spread, .totals = totals};

    *spread = (struct spread){.trials = {NULL, NULL}};
    open_sides(&s);
    set_paces(&s);
    pick_all(&s);
    for (size_t side = 0; side < FLOW_SIDES; side++)
        if (pool->conf[side] != NULL)
            add_up(&s, (enum flow_side)side);
    count_keys(&s);
    for (size_t side = 0; side < FLOW_SIDES; side++)
        xfree(s.picks[side]);
}

void spread_fini(struct spread *spread)
{
    if (spread->trials[FLOW_AFTER] == spread->trials[FLOW_BEFORE])
        spread->trials[FLOW_AFTER] = NULL;
    for (size_t side = 0; side < FLOW_SIDES; side++) {
        trial_free(&spread->trials[side]);
        xfree(spread->shares[side]);
        spread->shares[side] = NULL;
    }
}
