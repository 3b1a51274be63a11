/*
 * audit - `twokey audit verify`: has anybody changed, removed or added a record of what was done?
 *
 * Owner    main()      Threads  the first
 */
#include "cli/audit.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/cli.h"

enum { TOLD_MAX = 50, PLACE_TEXT = 4200, HASH_TEXT = 2 * DIGEST_BYTES };

static const char help[] =
    "usage: twokey audit verify FILE... [--head HEAD]\n"
    "       twokey audit verify DIR [--head HEAD]\n"
    "\n"
    "Follows the chain of audit records and says which one is damaged, missing or inserted.\n"
    "FILE is an audit.jsonl; several (rotated ones first) are read as one chain.  DIR is a state\n"
    "directory: the records in its database are followed, audit.jsonl is compared with them, and\n"
    "every revision is held against its digest and against what was approved.  It may be in use,\n"
    "and nothing is changed in it.\n"
    "\n"
    "  --head HEAD  NUMBER:HASH of a record, or HASH alone, kept elsewhere (GET /v1/audit/head):\n"
    "               a chain whose end was cut off is still a chain, only this tells\n"
    "\n"
    "exit code: 0 all is as it was written, 1 something is not, 2 it cannot be read\n";

/* ---- problems ---- */

void audit_problem(struct audit_report *report, const char *place, const char *format, ...)
{
    va_list arguments;

    report->problems++;
    if (report->problems > TOLD_MAX)
        return;
    printf("%s: ", place);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
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
    chain->seen[(chain->verifier.next_seq - 1) % REMEMBERED] =
        (struct audit_head){chain->verifier.next_seq - 1, chain->verifier.hash};
    note_wanted(chain, place);
    return true;
}

bool chain_has_seen(const struct chain *chain, struct slice line)
{
    struct audit_verifier alone = {0};
    const struct audit_head *seen;

    if (chain->count == 0 || !audit_verify_line(&alone, line, NULL))
        return false;
    seen = &chain->seen[(alone.next_seq - 1) % REMEMBERED];
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

static void verify_file(const char *path, struct chain *chain, bool is_first)
{
    struct line_reader reader = {.file = fopen(path, "re")};
    bool may_repeat = !is_first;
    char place[PLACE_TEXT];
    struct slice line;
    bool is_torn;

    if (reader.file == NULL) {
        (void)fprintf(stderr, "twokey audit: %s: %s\n", path, strerror(errno));
        chain->report->is_unreadable = true;
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
        (void)fprintf(stderr, "twokey audit: %s: %s\n", path, strerror(errno));
        chain->report->is_unreadable = true;
    }
    (void)fclose(reader.file);
    xfree(reader.line);
}

static void print_summary(const struct chain *chain, const char *what)
{
    char text[DIGEST_TEXT];

    if (chain->report->problems > TOLD_MAX)
        printf("… and %u more\n", chain->report->problems - TOLD_MAX);
    if (chain->report->problems > 0)
        printf("%s: %u wrong, %llu records in order\n", what, chain->report->problems,
               (unsigned long long)chain->count);
    else if (chain->count > 0)
        printf("%s: good; records %llu to %llu; head %llu:%s\n", what,
               (unsigned long long)chain->first, (unsigned long long)chain->verifier.next_seq - 1,
               (unsigned long long)chain->verifier.next_seq - 1,
               digest_text(&chain->verifier.hash, text) + strlen("sha256:"));
    else
        printf("%s: no records\n", what);
}

/* ---- the command ---- */

static bool parse_head(const char *text, struct chain *chain)
{
    const char *colon = strrchr(text, ':');
    const char *hash = colon != NULL ? colon + 1 : text;
    struct slice number = slice_of(text, colon != NULL ? (size_t)(colon - text) : 0);

    if (!digest_parse_hex(slice_from(hash), &chain->wanted.hash))
        return false;
    chain->has_wanted_hash = true;
    if (number.len == 0 || slice_equal(number, SLICE("sha256")))
        return true;
    chain->has_wanted_seq = slice_to_u64(number, &chain->wanted.seq);
    return chain->has_wanted_seq;
}

static int verify(char **paths, int count, struct chain *chain)
{
    struct audit_report *report = chain->report;
    struct stat status;

    for (int i = 0; i < count; i++) {
        if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            if (count > 1) {
                (void)fprintf(stderr, "twokey audit: %s: a directory is verified by itself\n",
                              paths[i]);
                return EXIT_TROUBLE;
            }
            audit_verify_state(paths[i], chain, report);
        } else {
            verify_file(paths[i], chain, i == 0);
        }
    }
    if (report->is_unreadable)
        return EXIT_TROUBLE;
    if (chain->count == 0 && report->problems == 0)
        audit_problem(report, paths[0], "there is no record in it: every chain has a record 0");
    chain_end(chain, paths[count - 1]);
    print_summary(chain, count == 1 ? paths[0] : "all files");
    return report->problems > 0 ? EXIT_FINDINGS : EXIT_DONE;
}

int cli_audit(int argc, char **argv)
{
    static const struct option options[] = {
        {"head", required_argument, NULL, 'H'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct audit_report report = {0};
    struct chain *chain = xcalloc(1, sizeof(*chain));
    int code = EXIT_TROUBLE;
    bool is_asked = true;
    int option;

    chain->report = &report;
    while (is_asked && (option = getopt_long(argc, argv, "H:h", options, NULL)) != -1) {
        if (option == 'H' && parse_head(optarg, chain))
            continue;
        is_asked = false;
        if (option == 'h')
            code = EXIT_DONE;
        if (option == 'H')
            (void)fprintf(stderr, "twokey audit: --head: %s is no NUMBER:HASH\n", optarg);
        else
            (void)fputs(help, option == 'h' ? stdout : stderr);
    }
    if (is_asked && (argc - optind < 2 || strcmp(argv[optind], "verify") != 0))
        (void)fputs(help, stderr);
    else if (is_asked)
        code = verify(argv + optind + 1, argc - optind - 1, chain);
    xfree(chain);
    return code;
}
