/*
 * play - see play.h.
 *
 * Owner    main()      Threads  the first; the site has its own
 */
#include "cli/drill/play.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/drill/breakage.h"
#include "cli/drill/drill.h"
#include "cli/drill/judge.h"
#include "cli/drill/world.h"

enum {
    QUIET_MS = 4 * 1000, /* load before anything breaks */
    SHOW_MS = 30 * 1000, /* until what broke must show */
    AUTO_MS = 2 * 1000,  /* from the page to the first command of the automation */
    HINT_MS = 90 * 1000, /* between two hints */
    LOAD_MS = 10 * 1000, /* between two lines about the load */
    LOOK_MS = 1000,      /* between two looks at alerts and changes */
    DEMO_ADMIN = 9901,
    DEMO_WEB = 8080,
    DEMO_TLS = 8443, /* in its place, where clients speak TLS */
    DEMO_SERVERS = 9001,
    ALARM_TEXT = 64,
    ALARMS = 16,
    LACKING = 97, /* exit code of the commands: a program is not there */
};

struct play {
    const struct drill *drill;
    const struct play_options *options;
    struct world world;
    struct site *site;
    pid_t automation; /* 0: not running */
    bool was_automated;
    bool lacks_programs; /* that the commands need */
    struct judge_window window;
    bool is_applied; /* the change that the goal names */
    unsigned notes;  /* that were judged */
    unsigned hints;
    uint64_t begun_ms, broken_ms, paged_ms, looked_ms, fixed_ms; /* clock_ms(); 0: not yet */
    uint64_t load_told_ms, asked_ms;
    struct site_counts before, told, now;
    unsigned right, wrong;
    char alarms[ALARMS][ALARM_TEXT]; /* that were told */
    unsigned alarm_count;
    uint64_t alarm_ms; /* the first that came after the page */
    const char *alarm;
};

/* ---- signals ---- */

static volatile sig_atomic_t gave_up;

static void on_signal(int number)
{
    gave_up = number;
}

static void take_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        (void)sigaction(numbers[i], &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void nap(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    if (!gave_up)
        (void)nanosleep(&time, NULL);
}

/* ---- telling ---- */

static void tell(const struct play *play, const char *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(const struct play *play, const char *word, const char *format, ...)
{
    unsigned second = (unsigned)((clock_ms() - play->begun_ms) / 1000);
    va_list arguments;

    printf("%02u:%02u  %-6s ", second / 60, second % 60, word);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

static void tell_environment(const struct play *play)
{
    unsigned port = site_desk_port(play->site);
    bool is_tls = play->drill->certificate_s > 0;

    printf("The names are those of the runbooks: pool demo, servers s1 to s4, the people ann, bob "
           "and cat.\nIn another terminal:\n\n"
           "  cd %s\n"
           "  A=http://127.0.0.1:%u/v1\n"
           "  . build/demo/tokens\n"
           "  curl -s -H \"$ANN\" -H 'Accept: text/plain' $A/status\n\n"
           "or with the commands of twokey:\n\n"
           "  export TWOKEY_ADMIN=http://127.0.0.1:%u TWOKEY_TOKEN=${ANN##* }\n"
           "  build/twokey status\n\n"
           "Clients come to %s://%s:%u; the servers are 127.0.0.1:%u, %u, %u and %u.\n"
           "Ctrl-C gives up.\n\n",
           play->world.folder, port, port, is_tls ? "https" : "http",
           is_tls ? "shop.example" : "127.0.0.1", play->world.web_port,
           site_server_port(play->site, 0), site_server_port(play->site, 1),
           site_server_port(play->site, 2), site_server_port(play->site, 3));
}

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (unsigned)((part * 100 + whole / 2) / whole);
}

static unsigned long long whole_seconds(uint64_t ms)
{
    return (unsigned long long)((ms + 500) / 1000);
}

/* ---- the automation ---- */

/* The ports of the demonstration, which runbooks name, and those here. */
static unsigned port_here(const struct play *play, unsigned port)
{
    if (port == DEMO_ADMIN)
        return site_desk_port(play->site);
    if (port == DEMO_WEB || port == DEMO_TLS)
        return play->world.web_port;
    if (port >= DEMO_SERVERS && port < DEMO_SERVERS + SITE_SERVERS)
        return site_server_port(play->site, port - DEMO_SERVERS);
    return port;
}

static void append_command(const struct play *play, struct buffer *out, const char *command)
{
    while (*command != '\0') {
        size_t digits = strspn(command, "0123456789");

        if (digits == 4)
            buffer_printf(out, "%u", port_here(play, (unsigned)strtoul(command, NULL, 10)));
        else
            buffer_append(out, command, digits == 0 ? 1 : digits);
        command += digits == 0 ? 1 : digits;
    }
}

/* printf in the shell, so that what is run is seen. */
static void append_echo(struct buffer *out, struct slice command)
{
    buffer_append_literal(out, "printf '        $ %s\\n' '");
    for (size_t i = 0; i < command.len; i++)
        if (command.at[i] == '\'')
            buffer_append_literal(out, "'\\''");
        else
            buffer_append(out, &command.at[i], 1);
    buffer_append_literal(out, "'\n");
}

static bool write_script(const struct play *play, const char *path)
{
    struct buffer script;
    struct buffer command;
    FILE *file = fopen(path, "we");
    bool is_written;

    if (file == NULL)
        return false;
    buffer_init(&script);
    buffer_init(&command);
    buffer_printf(&script,
                  "for p in curl jq; do command -v $p >/dev/null || exit %d; done\n"
                  "A=http://127.0.0.1:%u/v1\n. build/demo/tokens\n",
                  LACKING, site_desk_port(play->site));
    for (unsigned i = 0; i < DRILL_LINES && play->drill->commands[i] != NULL; i++) {
        buffer_clear(&command);
        append_command(play, &command, play->drill->commands[i]);
        append_echo(&script, buffer_slice(&command));
        buffer_append_slice(&script, buffer_slice(&command));
        buffer_append_literal(&script, "\n");
    }
    is_written = fputs(buffer_text(&script), file) != EOF;
    buffer_fini(&script);
    buffer_fini(&command);
    return fclose(file) == 0 && is_written;
}

static void automate(struct play *play)
{
    char shell[] = "/bin/sh", name[] = "sh", script[] = "commands.sh";
    char *const arguments[] = {name, script, NULL};
    char path[WORLD_PATH + 16];

    play->was_automated = true;
    (void)snprintf(path, sizeof(path), "%s/%s", play->world.folder, script);
    tell(play, "auto", "the commands of runbooks/%s", play->drill->runbook);
    (void)fflush(stdout);
    if (write_script(play, path))
        play->automation = world_spawn(shell, arguments, play->world.folder, NULL);
    if (play->automation <= 0) {
        play->automation = 0;
        tell(play, "auto", "could not be started: %s", strerror(errno));
    }
}

/* ---- judging ---- */

static void judge_calls(struct play *play)
{
    for (unsigned count = site_note_count(play->site); play->notes < count; play->notes++) {
        const struct site_note *note = site_note(play->site, play->notes);
        enum judge_verdict verdict;

        if (play->paged_ms == 0 || note->at_ms < play->paged_ms)
            continue;
        verdict = judge_note(play->drill, note);
        if (verdict == JUDGE_OTHER || (verdict == JUDGE_LOOK && play->looked_ms != 0))
            continue;
        if (verdict == JUDGE_LOOK)
            play->looked_ms = note->at_ms;
        play->right += verdict == JUDGE_RIGHT;
        play->wrong += verdict == JUDGE_WRONG;
        tell(play,
             verdict == JUDGE_LOOK    ? "looked"
             : verdict == JUDGE_RIGHT ? "step"
                                      : "wrong",
             "%s%s%s %s, answered %u", note->person, note->person[0] != '\0' ? ": " : "",
             note->method, note->path, note->status);
    }
}

static bool is_in_list(const json_t *list, const char *title)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *here = json_string_value(json_object_get(one, "title"));

        if (here != NULL && strcmp(here, title) == 0)
            return true;
    }
    return false;
}

static bool was_told(const struct play *play, const char *name)
{
    for (unsigned i = 0; i < play->alarm_count; i++)
        if (strcmp(play->alarms[i], name) == 0)
            return true;
    return false;
}

static void tell_alert(struct play *play, const json_t *alert)
{
    const char *name = json_string_value(json_object_get(alert, "name"));
    const char *severity = json_string_value(json_object_get(alert, "severity"));
    const char *summary = json_string_value(json_object_get(alert, "summary"));
    char *kept;

    if (name == NULL || severity == NULL || strcmp(severity, "page") != 0 ||
        play->alarm_count == ALARMS || was_told(play, name))
        return;
    kept = play->alarms[play->alarm_count++];
    (void)snprintf(kept, ALARM_TEXT, "%s", name);
    tell(play, "alert", "%s: %s", name, summary == NULL ? "" : summary);
    if (play->alarm_ms == 0 && play->paged_ms != 0) { /* earlier: of how it was broken */
        play->alarm_ms = clock_ms();
        play->alarm = kept;
    }
}

/* What the proxy itself thinks that somebody should be woken for. */
static void look_at_alerts(struct play *play)
{
    unsigned status;
    json_t *answer = world_call(&play->world, WORLD_BOB, "GET", "/v1/alerts", NULL, &status);
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, "alerts"), i, one) tell_alert(play, one);
    json_decref(answer);
}

static void look_at_changes(struct play *play)
{
    unsigned status;
    json_t *answer =
        world_call(&play->world, WORLD_BOB, "GET", "/v1/changes?state=applied", NULL, &status);

    play->is_applied = is_in_list(json_object_get(answer, "changes"), play->drill->goal.applied);
    json_decref(answer);
}

static bool is_well(struct play *play)
{
    return judge_is_well(&play->window, &play->drill->goal) &&
           (play->drill->goal.applied == NULL || play->is_applied);
}

/* One step of time: counts, calls, alerts. */
static void tick(struct play *play)
{
    uint64_t now;

    nap(JUDGE_TICK_MS);
    now = clock_ms();
    site_read(play->site, &play->now);
    judge_tick(&play->window, &play->now);
    judge_calls(play);
    if (now - play->asked_ms < LOOK_MS)
        return;
    play->asked_ms = now;
    if (play->broken_ms != 0)
        look_at_alerts(play);
    if (play->drill->goal.applied != NULL && !play->is_applied)
        look_at_changes(play);
}

/* ---- the parts of a play ---- */

static bool goes_on(struct play *play)
{
    return !gave_up && !play->lacks_programs && world_is_alive(&play->world);
}

/* Load, and nothing wrong. */
static bool keep_quiet(struct play *play, struct error *why)
{
    uint64_t until = clock_ms() + SHOW_MS;
    bool is_calm = false;
    struct drill_goal calm = play->drill->goal;

    calm.applied = NULL;
    site_send_load(play->site, play->world.web_port);
    while (goes_on(play) && clock_ms() < until && !is_calm) {
        tick(play);
        is_calm = clock_ms() - play->begun_ms >= QUIET_MS && judge_is_well(&play->window, &calm);
    }
    if (!is_calm && goes_on(play))
        error_set(why, ERROR_UNAVAILABLE,
                  "this machine is too busy: requests fail before "
                  "anything is broken");
    if (is_calm)
        tell(play, "quiet", "%u requests a second, none fails", play->drill->rate);
    return is_calm;
}

static bool break_it(struct play *play, struct error *why)
{
    uint64_t until;

    while (goes_on(play) && clock_wall_ms() < play->world.certificate_ends_ms)
        tick(play);
    play->before = play->now;
    play->broken_ms = clock_ms();
    for (unsigned i = 0; i < DRILL_STEPS && play->drill->steps[i].act != DRILL_NO_MORE; i++)
        if (!breakage_do(&play->drill->steps[i], &play->world, play->site, why))
            return false;
    until = clock_ms() + SHOW_MS;
    do
        tick(play);
    while (goes_on(play) && clock_ms() < until && is_well(play));
    if (goes_on(play) && is_well(play)) {
        error_set(why, ERROR_UNAVAILABLE, "what was broken does not show");
        return false;
    }
    play->paged_ms = clock_ms();
    play->told = play->now;
    play->load_told_ms = play->paged_ms;
    tell(play, "PAGE", "%s", play->drill->page);
    return goes_on(play);
}

static void tell_load(struct play *play)
{
    uint64_t made = play->now.made - play->told.made;
    uint64_t failed = play->now.failed - play->told.failed;

    tell(play, "load", "%llu requests in ten seconds, %llu failed (%u %%)",
         (unsigned long long)made, (unsigned long long)failed, percent(failed, made));
    play->told = play->now;
    play->load_told_ms = clock_ms();
}

static void give_hint(struct play *play)
{
    if (play->hints < DRILL_LINES && play->drill->hints[play->hints] != NULL)
        tell(play, "hint", "%s", play->drill->hints[play->hints]);
    play->hints++;
}

static void serve_automation(struct play *play)
{
    int status;

    if (play->options->is_auto && !play->was_automated && clock_ms() - play->paged_ms >= AUTO_MS)
        automate(play);
    if (play->automation > 0 && waitpid(play->automation, &status, WNOHANG) == play->automation) {
        play->automation = 0;
        play->lacks_programs = WIFEXITED(status) && WEXITSTATUS(status) == LACKING;
    }
}

static void wait_for_person(struct play *play)
{
    uint64_t limit = play->paged_ms + (uint64_t)play->options->limit_s * 1000;

    while (goes_on(play) && clock_ms() < limit && play->fixed_ms == 0) {
        tick(play);
        serve_automation(play);
        if (is_well(play) && play->automation == 0)
            play->fixed_ms = clock_ms();
        else if (clock_ms() - play->load_told_ms >= LOAD_MS)
            tell_load(play);
        if (!play->options->is_auto && play->fixed_ms == 0 &&
            clock_ms() - play->paged_ms >= (uint64_t)HINT_MS * (play->hints + 1))
            give_hint(play);
    }
}

/* ---- the score ---- */

static void tell_score(const struct play *play)
{
    uint64_t made = play->now.made - play->before.made;
    uint64_t failed = play->now.failed - play->before.failed;

    printf("\n%s: %s\n\n", play->drill->name, play->fixed_ms != 0 ? "fixed" : "not fixed");
    if (play->looked_ms != 0)
        printf("  looked at the right thing  after %llu s\n",
               whole_seconds(play->looked_ms - play->broken_ms));
    else
        printf("  looked at the right thing  never\n");
    if (play->fixed_ms != 0) /* it had been well for a whole window by then */
        printf("  fixed                      after %llu s\n",
               whole_seconds(play->fixed_ms - play->broken_ms - JUDGE_WINDOW_MS));
    printf("  requests                   %llu of %llu failed (%u %%)\n", (unsigned long long)failed,
           (unsigned long long)made, percent(failed, made));
    printf("  steps                      %u right, %u wrong\n", play->right, play->wrong);
    if (play->alarm_ms != 0)
        printf("  alarm of twokey's own      after %llu s: %s\n",
               whole_seconds(play->alarm_ms - play->broken_ms), play->alarm);
    printf("\n%s\nrunbooks/%s\n", play->drill->lesson, play->drill->runbook);
}

static void say_why_over(struct play *play)
{
    if (gave_up)
        tell(play, "over", "given up");
    else if (play->lacks_programs)
        tell(play, "over", "the commands need curl and jq, and one of them is not there");
    else if (!world_is_alive(&play->world))
        tell(play, "over", "the proxy has ended");
    else if (play->fixed_ms == 0)
        tell(play, "over", "the time is up: %u s", play->options->limit_s);
    else
        tell(play, "fixed", "no request has failed for %d s", JUDGE_WINDOW_MS / 1000);
}

static int run(struct play *play, struct error *why)
{
    if (!keep_quiet(play, why) || !break_it(play, why)) {
        if (why->code != ERROR_NONE || !world_is_alive(&play->world))
            world_show_log(&play->world);
        return gave_up ? EXIT_FINDINGS : EXIT_TROUBLE;
    }
    wait_for_person(play);
    say_why_over(play);
    tell_score(play);
    return play->fixed_ms != 0 ? EXIT_DONE : EXIT_FINDINGS;
}

/* ---- putting it up and taking it down ---- */

static bool choose_ports(const struct play_options *options, bool is_tls, struct site_plan *plan,
                         uint16_t *web_port_out, struct error *why)
{
    bool is_any = options->has_port && options->port == 0;
    uint16_t first = options->port;

    plan->desk_port = options->has_port ? first : DEMO_ADMIN;
    for (unsigned i = 0; i < SITE_SERVERS; i++)
        plan->server_ports[i] = is_any              ? 0
                                : options->has_port ? (uint16_t)(first + 2 + i)
                                                    : (uint16_t)(DEMO_SERVERS + i);
    *web_port_out = is_any              ? world_free_port()
                    : options->has_port ? (uint16_t)(first + 1)
                    : is_tls            ? DEMO_TLS
                                        : DEMO_WEB;
    if (world_port_is_free(*web_port_out))
        return true;
    error_set(why, ERROR_SYSTEM,
              "127.0.0.1:%u: address already in use (--port N takes others: "
              "N to N+5)",
              *web_port_out);
    return false;
}

static bool put_up(struct play *play, struct error *why)
{
    struct site_plan plan = {
        .rate = play->drill->rate,
        .capacity = play->drill->capacity,
        .latency_ms = play->drill->latency_ms,
        .fields = play->drill->fields == NULL ? "" : play->drill->fields,
    };

    if (!choose_ports(play->options, play->drill->certificate_s > 0, &plan, &play->world.web_port,
                      why) ||
        !world_certify(&play->world, play->drill, why))
        return false;
    plan.trusted = play->world.authority.certificate;
    plan.admin = play->world.admin;
    play->site = site_open(&plan, why);
    if (play->site == NULL)
        return false;
    return world_start(&play->world, play->drill, play->site, why);
}

int play_drill(const struct drill *drill, const struct play_options *options)
{
    struct play play = {.drill = drill, .options = options};
    struct error why = {0};
    int code = EXIT_TROUBLE;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    take_signals();
    if (world_open(&play.world, &why) && put_up(&play, &why)) {
        printf("drill %s: %s\n\n", drill->name, drill->title);
        tell_environment(&play);
        play.begun_ms = clock_ms();
        code = run(&play, &why);
    }
    world_end(&play.automation);
    if (why.code != ERROR_NONE && !gave_up)
        (void)fprintf(stderr, "twokey drill: %s\n", why.text);
    world_close(&play.world, options->is_kept);
    if (options->is_kept && play.world.folder[0] != '\0')
        printf("kept: %s\n", play.world.folder);
    if (play.site != NULL)
        site_close(&play.site);
    return code;
}

void play_show_commands(const struct drill *drill)
{
    printf("# runbooks/%s\n", drill->runbook);
    for (unsigned i = 0; i < DRILL_LINES && drill->commands[i] != NULL; i++)
        puts(drill->commands[i]);
}
