/*
 * audit_check - is all as it was written?  Chains in files, and a state directory held against
 * itself: what the database's chain says, against audit.jsonl, changes, decisions and revisions.
 *
 * Nothing is changed, and a twokey may run on what is looked at.
 *
 * Owner    the caller.      Threads  any one
 */
#ifndef CHANGE_AUDIT_CHECK_H
#define CHANGE_AUDIT_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"
#include "change/audit.h"

struct store;

enum { CHAIN_REMEMBERED = 256 };

/* `place`: "audit.jsonl:7", "twokey.db rev/00…2". */
typedef void audit_problem_fn(void *context, const char *place, const char *text);

struct audit_report {
    audit_problem_fn *on_problem;
    void *context;
    unsigned problems;
    struct error *unreadable; /* filled when something cannot be read at all */
};
void audit_problem(struct audit_report *report, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct chain {
    struct audit_report *report;
    struct audit_verifier verifier;
    uint64_t count; /* of good records */
    uint64_t first;
    struct audit_head seen[CHAIN_REMEMBERED]; /* the last ones: a next file may repeat them */
    struct audit_head wanted;                 /* a head that was kept elsewhere */
    bool has_wanted_seq;
    bool has_wanted_hash;
    bool has_met_wanted;
};
/* False: the record is not as it should be, and this was told. */
bool chain_take(struct chain *chain, const char *place, struct slice line);
/* Whether the head that was asked for was met; else this is told. */
void chain_end(struct chain *chain, const char *place);

/* The lines of a file, each without its newline; `line_out` lives until the next call.  A last one
 * without a newline is torn. */
struct line_reader {
    FILE *file;
    char *line;
    size_t room;
    unsigned long number;
};
bool line_next(struct line_reader *reader, struct slice *line_out, bool *is_torn_out);

/* A file of lines; one that is not the chain's first may begin with records that it has already. */
void audit_check_file(const char *path, struct chain *chain);
/* audit.jsonl against the records of the database, which end before `next`. */
struct audit_mirror_check {
    struct audit_report *report;
    const char *directory; /* of the state */
    const char *path;
    struct store *store;
    uint64_t next;
};
void audit_check_mirror(const struct audit_mirror_check *mirror);
/* `chain` follows the database's records. */
void audit_check_state(const char *directory, struct chain *chain);

#endif
