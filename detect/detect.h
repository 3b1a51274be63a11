/*
 * detect - what is wrong with a configuration, or with a change of it, before it runs.
 *
 * Each rule is a row of rules.def and one small function; detect_run() asks them all.  Rules of a
 * change (X…) are asked where there is a base.  What needs recent traffic and does not have it is
 * reported as unknown (severity info), not passed over.
 *
 * Owner    nobody; findings are the caller's      Threads  any; no sockets, no clock
 */
#ifndef DETECT_DETECT_H
#define DETECT_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/finding.h"

struct configuration;
struct impact;

/* What was seen of one pool in the last seven days. */
struct detect_pool_traffic {
    const char *pool;
    double peak_rps;
    uint64_t distinct_keys; /* of what `hash_on` names; 0: not known */
};

struct detect_hits {
    const char *name; /* of a route, or a host */
    uint64_t hits;
};

/* What is not listed had no request. */
struct detect_traffic {
    const struct detect_pool_traffic *pools;
    size_t pool_count;
    const struct detect_hits *routes;
    size_t route_count;
    const struct detect_hits *hosts;
    size_t host_count;
};

/* An order in force at run time. */
struct detect_override {
    const char *pool;
    const char *server;
    const char *state; /* "drain", "maint", "ready", or NULL: as configured */
    int64_t weight;    /* -1: as configured */
};

/* How the caller of the admin API is connected. */
enum detect_via { DETECT_VIA_UNKNOWN, DETECT_VIA_TCP, DETECT_VIA_SOCKET };

/* All but `target` may be left out; everything is borrowed. */
struct detect_subject {
    const struct configuration *target;
    const struct configuration *base;     /* what runs; NULL: the rules of a change are not asked */
    int64_t now_ms;                       /* wall clock; 0: not known */
    const struct detect_traffic *traffic; /* NULL: not known */
    uint64_t descriptor_limit;            /* of the process that will run it; 0: not known */
    const char *const *deletes;           /* pointers that the change says it removes */
    size_t delete_count;
    bool has_deletes; /* what `deletes` does not list may not go */
    const struct detect_override *overrides;
    size_t override_count;
    const char *freeze_reason; /* of a freeze set by a call; NULL: none */
    enum detect_via via;
    const struct impact *impact; /* what the change would do to traffic; NULL: not forecast */
};

struct detect_run;
typedef void detect_rule_fn(struct detect_run *run);

enum detect_scope {
    DETECT_OF_CONFIGURATION, /* looks at `target` alone */
    DETECT_OF_CHANGE,        /* compares it with `base` */
    DETECT_ELSEWHERE,        /* another part of the program reports it under this id */
    DETECT_NOT_APPLICABLE,   /* there is nothing here that it could be about */
};

struct detect_rule {
    const char *id; /* "D001" */
    enum detect_scope scope;
    enum finding_severity severity; /* as a rule; it may report some cases as less */
    /* What it is about is an effect, which one may want in an emergency: a break-glass session may
     * name it.  Rules of meaning are never overridden. */
    bool is_overridable;
    const char *title;
    const char *why;       /* where, for DETECT_ELSEWHERE; why not, for DETECT_NOT_APPLICABLE */
    const char *fix;       /* or NULL */
    detect_rule_fn *check; /* or NULL */
};

extern const struct detect_rule detect_rules[];
extern const size_t detect_rule_count;

/* NULL when there is no such rule. */
const struct detect_rule *detect_rule_find(const char *id);
/* False too for what is no rule of the table, such as the parser's "config". */
bool detect_is_overridable(const char *id);

/* Adds what every rule finds; findings that `policy.suppressions` of the target name are given as
 * info, those of severity block excepted. */
void detect_run(const struct detect_subject *subject, struct findings *out);

/* What to do, for findings of the table's rules that other parts of the program report;
 * detect_run() does it too, for all that is in `out`. */
void detect_add_fixes(struct findings *findings);

/* Whether one rule finds nothing of severity error or block, suppressions left aside.
 * *is_known_out (may be NULL): false when what it needs, capacities or traffic, is not known; the
 * answer is then true. */
bool detect_passes(const char *id, const struct detect_subject *subject, bool *is_known_out);

#endif
