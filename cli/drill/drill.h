/*
 * drill - an outage to practise on, as data: what stands there, what breaks, what the person is
 * told, and how it is seen that he has looked at the right thing, and that it is well again.
 *
 * Each plays on the demonstration's names (pool demo, servers s1 to s4, ann, bob and cat), so that
 * the runbooks' commands work as they are written.  JSON is written with ' for ".
 *
 * Owner    nobody: constants      Threads  any
 */
#ifndef CLI_DRILL_DRILL_H
#define CLI_DRILL_DRILL_H

#include "cli/drill/site.h"

enum { DRILL_STEPS = 4, DRILL_LINES = 12 };

enum drill_act {
    DRILL_NO_MORE,
    DRILL_CHANGE,   /* ann's change: approved, applied, confirmed */
    DRILL_WAITING,  /* approved and applied: it waits for its confirmation */
    DRILL_APPROVED, /* approved, not applied */
    DRILL_FORCED,   /* by break-glass, ann alone: applied, confirmed */
    DRILL_SERVER,   /* a server's mood */
};

struct drill_step {
    enum drill_act act;
    const char *change; /* the body of POST /v1/changes */
    unsigned server;    /* 0 for s1 */
    enum site_mood mood;
};

/* What must be true of the last seconds, for it to be well. */
struct drill_goal {
    unsigned failed_percent; /* of the requests: at most */
    unsigned share_percent;  /* of the requests that were served, by one server: at most; 0: any */
    unsigned servers;        /* that served: at least */
    const char *applied;     /* title of a change that must be applied, or NULL */
};

struct drill {
    const char *name;
    const char *title;
    const char *page;   /* what the person is told */
    const char *pool;   /* members that the pool has besides its servers */
    const char *fields; /* header lines of every request, or NULL */
    unsigned rate, capacity, latency_ms;
    unsigned certificate_s; /* clients speak TLS, and the certificate is good for so long; 0: not */
    struct drill_step steps[DRILL_STEPS];
    const char *looks[DRILL_LINES]; /* patterns of paths: GETs that show what is wrong */
    const char *right[DRILL_LINES]; /* patterns of "METHOD path": calls that mend it, or may */
    struct drill_goal goal;
    const char *hints[DRILL_LINES];
    const char *lesson;
    const char *runbook;               /* the file in runbooks/ that the commands are from */
    const char *commands[DRILL_LINES]; /* those that mend it, as they stand there */
};

extern const struct drill drills[];
extern const unsigned drill_count;

#endif
