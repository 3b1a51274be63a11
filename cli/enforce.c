/*
 * enforce - `twokey apply`, `confirm`, `cancel`, `rollback`: what is approved into force, for good,
 * and back.
 *
 * Owner    main()      Threads  the first
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "cli/remote.h"

static void tell_change(struct remote *remote, const json_t *change)
{
    const char *deadline = json_string_value(json_object_get(change, "deadline"));
    const char *error = json_string_value(json_object_get(change, "last_error"));
    const json_t *rev = json_object_get(change, "rev");

    (void)remote;
    printf("%s is %s", remote_text(change, "id"), remote_text(change, "state"));
    if (json_is_integer(rev))
        printf(", revision %lld", (long long)json_integer_value(rev));
    (void)putchar('\n');
    if (error != NULL)
        printf("  %s\n", error);
    if (deadline != NULL)
        printf("without a confirmation it is taken back at %s: twokey confirm %s\n", deadline,
               remote_text(change, "id"));
    else
        remote_print_next(change);
}

/* ---- apply ---- */

static int apply(struct remote *remote)
{
    return remote_do_change(remote, "/apply", NULL, tell_change);
}

int cli_apply(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey apply CHANGE [--json]\n"
                "\n"
                "Puts an approved change into force, and returns when every worker runs it. It is\n"
                "taken back by itself unless somebody confirms it in time.\n"
                "\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "j",
        .least = 1,
        .most = 1,
        .run = apply,
    };

    return remote_main(&command, argc, argv);
}

/* ---- confirm ---- */

static int confirm(struct remote *remote)
{
    struct buffer verb;
    int code;

    buffer_init(&verb);
    buffer_append_literal(&verb, "/confirm");
    remote_add_parameter(&verb, "wait", remote->options.wait);
    code = remote_do_change(remote, buffer_text(&verb), NULL, tell_change);
    buffer_fini(&verb);
    return code;
}

int cli_confirm(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey confirm CHANGE [--wait TIME] [--json]\n"
                "\n"
                "What was applied stays.\n"
                "\n"
                "  --wait TIME      waits so long for the moment from which it may be: 2m\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jw",
        .least = 1,
        .most = 1,
        .run = confirm,
    };

    return remote_main(&command, argc, argv);
}

/* ---- cancel ---- */

static int cancel(struct remote *remote)
{
    json_t *body = json_object();

    remote_set(body, "reason", remote->options.reason);
    return remote_do_change(remote, "/cancel", body, tell_change);
}

int cli_cancel(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey cancel CHANGE [--reason TEXT] [--json]\n"
                "\n"
                "Takes back a change that waits for its confirmation: what ran before runs again.\n"
                "\n"
                "  --reason TEXT    why\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jr",
        .least = 1,
        .most = 1,
        .run = cancel,
    };

    return remote_main(&command, argc, argv);
}

/* ---- rollback ---- */

static void tell_rollback(struct remote *remote, const json_t *answer)
{
    (void)remote;
    printf("revision %lld runs\n", (long long)json_integer_value(json_object_get(answer, "rev")));
    remote_print_next(answer);
}

static int rollback(struct remote *remote)
{
    const char *to = remote->argument_count > 0 ? remote->arguments[0] : "previous";
    bool is_number = to[0] != '\0' && to[strspn(to, "0123456789")] == '\0' && strlen(to) < 17;
    json_t *body = json_object();

    if (is_number)
        json_object_set_new(body, "to", json_integer(strtoll(to, NULL, 10)));
    else
        remote_set(body, "to", to);
    remote_set(body, "reason", remote->options.reason);
    return remote_do(remote, "POST", "/v1/rollback", body, tell_rollback);
}

int cli_rollback(int argc, char **argv)
{
    static const struct remote_command command = {
        .help = "usage: twokey rollback [previous | lkg | REVISION] [--reason TEXT] [--json]\n"
                "\n"
                "An older configuration runs again, at once and without approvals: the one before\n"
                "(default), or the last one known to be good. Its people and policy do not.\n"
                "\n"
                "  --reason TEXT    why\n"
                "  --json           the answer as it came\n" REMOTE_HELP EXIT_HELP,
        .options = "jr",
        .most = 1,
        .run = rollback,
    };

    return remote_main(&command, argc, argv);
}
