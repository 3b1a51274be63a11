/*
 * audit_chain - a chain that is followed over lines and files; see audit_check.h.
 *
 * Owner    the caller's chain.      Threads  any one
 */
#include "change/audit_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { PLACE_TEXT = 4200, PROBLEM_TEXT = 1000 };

void audit_problem(struct audit_report *report, const char *place, const char *format, ...)
{
    char text[PROBLEM_TEXT];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    report->problems++;
    report->on_problem(report->context, place, text);
}

/* ---- the chain ---- */

static void note_wanted(struct chain *chain, const char *place)
{
    uint64_t seq = chain->verifier.next_seq - 1;
    bool is_same = digest_equal(chain->verifier.hash.bytes, chain->wanted.hash.bytes, DIGEST_BYTES);

    if (!chain->has_wanted_seq) {
        chain->has_met_wanted |= chain->has_wanted_hash && is_same;
    } else if (seq == chain->wanted.seq) {
        chain->has_met_wanted = true;
        if (!is_same)
            audit_problem(chain->report, place,
                          "record %llu has not the hash of the head: the chain was written anew",
                          (unsigned long long)seq);
    }
}

bool chain_take(struct chain *chain, const char *place, struct slice line)
{
    struct error why = {0};

    if (!audit_verify_line(&chain->verifier, line, &why)) {
        audit_problem(chain->report, place, "%s", why.text);
        audit_verifier_resume(&chain->verifier, line);
        return false;
    }
    if (chain->count == 0)
        chain->first = chain->verifier.next_seq - 1;
    chain->count++;
    chain->seen[(chain->verifier.next_seq - 1) % CHAIN_REMEMBERED] =
        (struct audit_head){chain->verifier.next_seq - 1, chain->verifier.hash};
    note_wanted(chain, place);
    return true;
}

/* One that an earlier file has too, at the beginning of a next one. */
static bool chain_has_seen(const struct chain *chain, struct slice line)
{
    struct audit_verifier alone = {0};
    const struct audit_head *seen;

    if (chain->count == 0 || !audit_verify_line(&alone, line, NULL))
        return false;
    seen = &chain->seen[(alone.next_seq - 1) % CHAIN_REMEMBERED];
    return seen->seq == alone.next_seq - 1 &&
           digest_equal(seen->hash.bytes, alone.hash.bytes, DIGEST_BYTES);
}

void chain_end(struct chain *chain, const char *place)
{
    if (chain->has_met_wanted || !(chain->has_wanted_seq || chain->has_wanted_hash))
        return;
    if (!chain->has_wanted_seq)
        audit_problem(chain->report, place,
                      "no record has the hash of the head: the end was cut off, or the chain was "
                      "written anew");
    else if (chain->count > 0 && chain->wanted.seq < chain->first)
        audit_problem(
            chain->report, place,
            "the chain begins at record %llu, behind the head's: give the files before it",
            (unsigned long long)chain->first);
    else
        audit_problem(chain->report, place,
                      "the chain ends at record %lld, and the head is record %llu: the end was cut "
                      "off",
                      (long long)chain->verifier.next_seq - 1,
                      (unsigned long long)chain->wanted.seq);
}

/* ---- files ---- */

bool line_next(struct line_reader *reader, struct slice *line_out, bool *is_torn_out)
{
    ssize_t bytes = getline(&reader->line, &reader->room, reader->file);

    if (bytes <= 0)
        return false;
    *is_torn_out = reader->line[bytes - 1] != '\n';
    *line_out = slice_of(reader->line, (size_t)bytes - (*is_torn_out ? 0 : 1));
    reader->number++;
    return true;
}

void audit_check_file(const char *path, struct chain *chain)
{
    struct line_reader reader = {.file = fopen(path, "re")};
    bool may_repeat = chain->count > 0;
    char place[PLACE_TEXT];
    struct slice line;
    bool is_torn;

    if (reader.file == NULL) {
        error_set(chain->report->unreadable, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
        return;
    }
    while (line_next(&reader, &line, &is_torn)) {
        (void)snprintf(place, sizeof(place), "%s:%lu", path, reader.number);
        if (may_repeat && chain_has_seen(chain, line))
            continue;
        may_repeat = false;
        if (chain_take(chain, place, line) && is_torn)
            audit_problem(chain->report, place, "the newline behind the last record is missing");
    }
    if (ferror(reader.file)) {
        error_set(chain->report->unreadable, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    }
    (void)fclose(reader.file);
    xfree(reader.line);
}
