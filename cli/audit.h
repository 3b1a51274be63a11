/*
 * audit - what the files of `twokey audit` share: problems are told as they are found, and the
 * chain is followed over files.
 *
 * Owner    cli_audit().      Threads  the first
 */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/slice.h"
#include "change/audit.h"

enum { REMEMBERED = 256 };

struct audit_report {
    unsigned problems;
    bool is_unreadable;
};
/* "PLACE: …"; after many, they are only counted. */
void audit_problem(struct audit_report *report, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct chain {
    struct audit_report *report;
    struct audit_verifier verifier;
    uint64_t count;
    uint64_t first;
    struct audit_head seen[REMEMBERED]; /* the last ones: a next file may repeat them */
    struct audit_head wanted;           /* --head */
    bool has_wanted_seq;
    bool has_wanted_hash;
    bool has_met_wanted;
};
/* False: the record is not as it should be, and this was told. */
bool chain_take(struct chain *chain, const char *place, struct slice line);
/* One that an earlier file has too, at the beginning of a next one. */
bool chain_has_seen(const struct chain *chain, struct slice line);
/* Whether the head that was asked for was met. */
void chain_end(struct chain *chain, const char *place);

/* Lines of a file, each without its newline; `line_out` lives until the next call.  A last line
 * without one is told as `is_torn_out`. */
struct line_reader {
    FILE *file;
    char *line;
    size_t room;
    unsigned long number;
};
bool line_next(struct line_reader *reader, struct slice *line_out, bool *is_torn_out);

/* A state directory: the database's chain, the mirror against it, revisions and blobs. */
void audit_verify_state(const char *directory, struct chain *chain, struct audit_report *report);

#endif
