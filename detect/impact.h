/*
 * impact - what a candidate would do to traffic: recent requests go once more through the routes
 * and the balancing of what runs, and through those of the candidate.
 *
 * The same code that workers run decides: route_match(), balance_pick() (trial.h).  Where nothing
 * was seen, shares come from weights alone, and what needs traffic is not known (negative).  So it
 * is where a route asks for a header that was not looked at: such requests are counted as unknown.
 *
 * Owner    the caller, until impact_free()      Threads  any; no sockets, no clock
 */
#ifndef DETECT_IMPACT_H
#define DETECT_IMPACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct configuration;
struct detect_override;
struct error;
struct sample;

/* A server that is not in service now, whatever is configured: health or ejection. */
struct impact_down {
    const char *pool;
    const char *server;
};

/* The most requests a second that a pool had, of late. */
struct impact_peak {
    const char *pool;
    double requests_per_second;
};

/* All but base and target may be left out; everything is borrowed. */
struct impact_subject {
    const struct configuration *base; /* what runs */
    const struct configuration *target;
    const struct sample *sample;             /* NULL: nothing was seen */
    const struct detect_override *overrides; /* in force, before and after */
    size_t override_count;
    const struct detect_override *ordered; /* that come with the change: after only */
    size_t ordered_count;
    const struct impact_down *down;
    size_t down_count;
    const struct impact_peak *peaks; /* sorted by pool */
    size_t peak_count;
};

/* Negative: not known, or not there. */
struct impact_pair {
    double before;
    double after;
};

struct impact_server {
    const char *name;
    struct impact_pair share; /* 0 to 1, of its pool */
    struct impact_pair requests_per_second;
    uint32_t capacity_rps;          /* after, or before where it goes; 0: unknown */
    struct impact_pair utilisation; /* 0 to 1 and more */
};

enum impact_n_minus_1 { N_MINUS_1_UNKNOWN, N_MINUS_1_OK, N_MINUS_1_SHORT };

struct impact_pool {
    const char *name;
    struct impact_pair requests_per_second;
    struct impact_pair peak; /* the same at the peak; negative where that is not known */
    double tvd;              /* the part of its requests that goes to another server */
    struct impact_pair n_eff;
    double away;                     /* as share_moved_away(), with these shares */
    enum impact_n_minus_1 n_minus_1; /* after, at the peak; where not known, at the observed rate */
    bool has_eligible_before;        /* whatever their health: somebody may serve */
    bool has_eligible_after;
    bool is_reached;               /* after: requests of the last day come to it, or may */
    bool is_changed;               /* shares, servers or rate are not as before */
    struct impact_server *servers; /* by name, those that go too */
    size_t server_count;
};

/* Traffic that goes elsewhere. */
struct impact_move {
    const char *from_route, *to_route; /* NULL: none, 404 */
    const char *from_pool, *to_pool;   /* NULL: none */
    double requests_per_second;
    const char *example; /* "GET shop.example.com/cart" */
};

enum { IMPACT_MOVES = 20 };

struct impact {
    struct arena *arena; /* names in it are the subject's */
    uint64_t requests;   /* looked at; 0: none */
    uint64_t unknown;    /* of them: where they would go is not known */
    uint32_t seconds;
    struct impact_pool *pools; /* all of both sides, by name */
    size_t pool_count;
    struct impact_move *moves; /* the largest first, at most IMPACT_MOVES */
    size_t move_count;
    const char **routes_losing_traffic; /* had requests, and would have none */
    size_t routes_losing_count;
    const char **hosts_dropped; /* had requests, or are named by routes, and no route takes them */
    size_t hosts_dropped_count;
    double keys_moved_percent; /* of hashed and sticky requests, to another server; negative: none
                                  was seen, or what is hashed now is not known */
};

/* NULL and `why`: a regular expression of one of them does not compile. */
struct impact *impact_of(const struct impact_subject *subject, struct error *why);
void impact_free(struct impact **impact);
/* NULL: neither side has it. */
const struct impact_pool *impact_find_pool(const struct impact *impact, const char *name);

struct share_pool;
/* The forecast shares of the pool instead of those by weight, on both sides: hashes, cookies and
 * who is slow make others.  They stay by weight where nobody serves as things are now, which says
 * nothing of the change. */
void impact_take_shares(const struct impact *impact, const char *pool, struct share_pool *before,
                        struct share_pool *after);

#endif
