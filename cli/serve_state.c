/*
 * serve_state - see serve_state.h.
 *
 * Owner    main thread (control)      Threads  control only
 */
#include "cli/serve_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "change/ledger.h"
#include "change/runner.h"
#include "cli/detectors.h"
#include "cli/run_configuration.h"
#include "cli/serve.h"
#include "config/finding.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/sticky.h"
#include "tls/tickets.h"

enum { ARENA_BLOCK = 16 * 1024, FINDING_TEXT = 2048 };

/* ---- the state directory ---- */

#define OTHER_PLACE " (a directory that this user may write to: --state DIR)"

static bool make_state_directory(const char *path, struct error *why)
{
    char copy[4096];

    if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy)) {
        error_set(why, ERROR_INVALID, "the state directory's name is too long");
        return false;
    }
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, 0755); /* the last mkdir tells */
        *slash = '/';
    }
    if (mkdir(copy, 0700) == 0 || errno == EEXIST)
        return true;
    error_set(why, ERROR_SYSTEM, "state directory %s: cannot be made: %s" OTHER_PLACE, path,
              strerror(errno));
    return false;
}

/* Keeps a second process out; held until the process ends. */
static bool lock_state_directory(const char *path, struct error *why)
{
    char name[4096];
    int file;

    snprintf(name, sizeof(name), "%s/lock", path);
    file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 && (errno == EROFS || errno == EACCES)) /* what is there can be served still */
        file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        error_set(why, ERROR_SYSTEM, "%s: cannot be opened: %s" OTHER_PLACE, name, strerror(errno));
        return false;
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        error_set(why, ERROR_CONFLICT,
                  "state directory %s: another twokey runs on it (give each its own --state)",
                  path);
        (void)close(file);
        return false;
    }
    return true;
}

bool serve_has_history(const struct server_process *process)
{
    char path[4096];
    struct stat status;

    (void)snprintf(path, sizeof(path), "%s/twokey.db", process->state_directory);
    return stat(path, &status) == 0;
}

/* ---- the ledger ---- */

static void on_audit_record(void *context, uint64_t seq, const char *line)
{
    struct server_process *process = context;

    (void)seq;
    (void)line;
    if (process->admin != NULL)
        admin_take_event(process->admin);
}

static bool open_ledger(struct server_process *process, struct error *why)
{
    struct ledger_options options = {
        .state_directory = process->state_directory,
        .config_directory = process->configuration_directory,
        .runner = &process->runner,
        .on_event = on_audit_record,
        .context = process,
    };

    process->runner = run_configuration_runner(process);
    process->ledger = ledger_open(&options, why);
    return process->ledger != NULL;
}

/* Without a file sessions do not outlive a restart: no reason not to serve. */
static void open_tickets(struct server_process *process)
{
    struct error why = {0};

    process->tickets = tls_tickets_open(process->state_directory, clock_wall_ms(), &why);
    if (process->tickets != NULL)
        return;
    log_event(EV_TICKETS_FAILED, LOG_TEXT("why", why.text));
    process->tickets = tls_tickets_new(clock_wall_ms());
}

bool serve_open_state(struct server_process *process, struct error *why)
{
    if (!make_state_directory(process->state_directory, why) ||
        !lock_state_directory(process->state_directory, why))
        return false;
    process->sticky_key = sticky_key_open(process->state_directory, why);
    open_tickets(process);
    return process->sticky_key != NULL && open_ledger(process, why);
}

/* ---- what the start runs ---- */

void serve_print_findings(const struct findings *findings)
{
    char text[FINDING_TEXT];

    for (size_t i = 0; i < findings->count; i++) {
        finding_text(&findings->items[i], text, sizeof(text));
        (void)fprintf(stderr, "%s: %s\n", finding_severity_word(findings->items[i].severity), text);
    }
}

/* The stored configuration; what it says to it that this program's rules have changed goes to
 * standard error. */
static struct configuration *parse_stored(struct slice bytes)
{
    static const char *const name = "the stored configuration";
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct configuration *conf;
    struct findings findings;

    findings_init(&findings, arena);
    conf = config_load_documents(&name, &bytes, 1, &findings);
    serve_print_findings(&findings);
    findings_fini(&findings);
    arena_free(&arena);
    return conf;
}

/* Nobody reviews it, so it must be something that could be submitted but for that. */
static bool is_sound(const struct server_process *process, const struct configuration *disk,
                     struct error *why)
{
    struct arena *arena = arena_new(ARENA_BLOCK);
    struct findings findings;
    size_t blocks;

    findings_init(&findings, arena);
    detectors_look(disk, &findings);
    blocks = findings_count_at_least(&findings, FINDING_BLOCK);
    if (blocks > 0)
        error_set(why, ERROR_INVALID,
                  "%s has %zu findings of severity block, so it is not taken over unreviewed "
                  "(`twokey check --config %s` says which)",
                  process->configuration_directory, blocks, process->configuration_directory);
    findings_fini(&findings);
    arena_free(&arena);
    return blocks == 0;
}

/* The first start: nobody has reviewed anything yet. */
static bool may_start_first(const struct server_process *process, const struct configuration *disk,
                            struct error *why)
{
    if (disk->policy.mode != POLICY_ENFORCED)
        return true;
    if (process->is_first_start)
        return is_sound(process, disk, why);
    error_set(why, ERROR_CONFLICT,
              "state directory %s holds no revision: `twokey serve --first-start` takes %s over "
              "once, unreviewed (if there was one: restore the state directory from a backup)",
              process->state_directory, process->configuration_directory);
    return false;
}

struct configuration *serve_choose(struct server_process *process, struct configuration **disk,
                                   struct error *why)
{
    struct ledger_boot boot;
    struct configuration *stored;

    if (!ledger_choose_boot(process->ledger, &boot, why))
        return NULL;
    if (boot.note != NULL)
        log_event(EV_STATE_NOTE, LOG_TEXT("note", boot.note));
    if (boot.is_first)
        return *disk != NULL && may_start_first(process, *disk, why) ? TAKE_POINTER(disk) : NULL;
    stored = parse_stored(boot.bytes);
    if (stored != NULL && *disk != NULL && (*disk)->policy.mode > stored->policy.mode) {
        log_event(EV_MODE_KEPT, LOG_TEXT("directory", process->configuration_directory));
        ledger_note_weaker_mode(process->ledger);
    }
    if (stored != NULL && stored->policy.mode != POLICY_ENFORCED) {
        config_free(&stored);
        return TAKE_POINTER(disk);
    }
    if (stored != NULL && !ledger_fill_files(process->ledger, boot.rev, stored, why))
        config_free(&stored);
    process->boot_rev = boot.rev;
    return stored;
}
