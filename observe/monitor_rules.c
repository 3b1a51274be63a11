/*
 * monitor_rules - one small function a rule of monitor_rules.def (docs/distribution.md).
 *
 * A rule says wrong, right, or cannot tell; monitor_alarms.c makes alarms of that.
 *
 * Owner    the monitor      Threads  one at a time
 */
#include "observe/monitor_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    SINKHOLE_REQUESTS = 100,
    SINKHOLE_ERRORS = 10,
    TRIAL_TURNS = 30,
    TRIAL_REQUESTS_PER_SERVER = 100,
};

#define CLEAR_BELOW    0.9 /* of what raises */
#define SKEW_AT_LEAST  0.05
#define SINKHOLE_SHARE 1.5
#define SINKHOLE_RATIO 5.0
#define SINKHOLE_LEAST 0.05 /* of its attempts fail */
#define FULL           0.9
#define IDLE           0.5

const struct monitor_rule_row monitor_rules[RULE_COUNT] = {
#define MONITOR_RULE(id, reference, severity, alert, what, remedy)                                 \
    [RULE_##id] = {reference, MONITOR_##severity, alert, what, remedy},
#include "observe/monitor_rules.def"
};

/* ---- what rules share ---- */

static const struct monitor_sums *window_of(const struct court *court, unsigned window)
{
    return &court->view->windows[window];
}

static double phi_of(const struct court *court, unsigned window)
{
    return court->monitor->phi[court->ref][window];
}

static bool is_enough(const struct court *court, unsigned window)
{
    const struct monitor_sums *sums = window_of(court, window);

    return distribution_is_enough(sums->requests[court->ref], sums->due[court->ref],
                                  court->monitor->count, phi_of(court, window));
}

/* The shortest window that can be judged; DISTRIBUTION_WINDOWS: none. */
static unsigned shortest_enough(const struct court *court)
{
    unsigned window = 0;

    while (window < DISTRIBUTION_WINDOWS && !is_enough(court, window))
        window++;
    return window;
}

static double share_in(const struct monitor_sums *sums, enum distribution_ref ref, size_t server)
{
    return sums->requests[ref] > 0 ? (double)sums->picks[ref][server] / (double)sums->requests[ref]
                                   : 0;
}

static struct judgement wrong(const struct court *court, unsigned window,
                              const struct distribution_over *found)
{
    const struct monitor_sums *sums = window_of(court, window);
    double *shares = xcalloc(court->monitor->count + 1, sizeof(*shares));
    struct judgement judgement = {.word = WRONG};
    struct monitor_alarm *numbers = &judgement.numbers;

    for (size_t i = 0; i < court->monitor->count; i++)
        shares[i] = share_in(sums, court->ref, i);
    numbers->server = found->server;
    numbers->window_s = sums->seconds;
    numbers->requests = sums->requests[court->ref];
    numbers->share = found->share;
    numbers->expected = found->expected;
    numbers->tolerated = found->tolerated;
    numbers->evidence = found->evidence;
    numbers->n_eff = distribution_n_eff(shares, court->monitor->count);
    numbers->tvd = distribution_tvd(shares, sums->due[court->ref], court->monitor->count);
    xfree(shares);
    return judgement;
}

/* Nothing came for 15 minutes: what was wrong is over. */
static bool is_silent(const struct court *court)
{
    return window_of(court, DISTRIBUTION_WINDOWS - 1)->all == 0;
}

/* ---- over and under ---- */

typedef struct distribution_over share_test(const uint64_t *, const double *, size_t, double,
                                            enum distribution_speed);

static struct distribution_over try_window(const struct court *court, share_test *test,
                                           unsigned window, enum distribution_speed speed)
{
    const struct monitor_sums *sums = window_of(court, window);

    return test(sums->picks[court->ref], sums->due[court->ref], court->monitor->count,
                phi_of(court, window), speed);
}

/* A longer window is believed only while the shorter ones do not say that it is over. */
static bool shorter_agree(const struct court *court, unsigned window,
                          const struct distribution_over *found, bool is_over,
                          enum distribution_speed speed)
{
    for (unsigned shorter = 0; shorter < window; shorter++) {
        const struct monitor_sums *sums = window_of(court, shorter);
        double share = share_in(sums, court->ref, found->server);
        double due = sums->due[court->ref][found->server];

        if (!is_enough(court, shorter))
            continue;
        if (is_over ? share <= distribution_tolerated(due, speed) : share >= found->tolerated)
            return false;
    }
    return true;
}

static struct judgement judge_share(const struct court *court, share_test *test, bool is_over,
                                    enum distribution_speed speed, unsigned from)
{
    struct judgement judgement = {.word = CANNOT_TELL};

    /* the slow rules are for what lasts */
    if (speed == DISTRIBUTION_SLOW && closed_buckets(court->monitor) < monitor_window_buckets[from])
        return judgement;
    for (unsigned window = from; window < DISTRIBUTION_WINDOWS; window++) {
        struct distribution_over found = try_window(court, test, window, speed);

        if (!found.is_over || !shorter_agree(court, window, &found, is_over, speed))
            continue;
        if (judgement.word != WRONG)
            judgement = wrong(court, window, &found);
        judgement.speed = speed;
        judgement.is_lasting = window == DISTRIBUTION_WINDOWS - 1;
    }
    return judgement;
}

/* The server that was over is well below what is tolerated. */
static enum word is_below(const struct court *court)
{
    unsigned window = shortest_enough(court);
    size_t server = court->alarm->shown.server;
    const struct monitor_sums *sums;
    double due;

    if (is_silent(court))
        return RIGHT;
    if (window == DISTRIBUTION_WINDOWS)
        return CANNOT_TELL;
    sums = window_of(court, window);
    due = sums->due[court->ref][server];
    return share_in(sums, court->ref, server) <
                   CLEAR_BELOW * distribution_tolerated(due, court->alarm->speed)
               ? RIGHT
               : CANNOT_TELL;
}

static struct judgement judge_over(const struct court *court)
{
    struct judgement fast = judge_share(court, distribution_over_share, true, DISTRIBUTION_FAST, 0);
    struct judgement slow = judge_share(court, distribution_over_share, true, DISTRIBUTION_SLOW, 1);

    if (fast.word != WRONG)
        fast = slow;
    fast.is_lasting = fast.is_lasting || slow.is_lasting;
    if (fast.word != WRONG)
        fast.word = is_below(court);
    return fast;
}

static enum word has_enough_again(const struct court *court)
{
    unsigned window = shortest_enough(court);
    size_t server = court->alarm->shown.server;
    const struct monitor_sums *sums;

    if (is_silent(court))
        return RIGHT;
    if (window == DISTRIBUTION_WINDOWS)
        return CANNOT_TELL;
    sums = window_of(court, window);
    return share_in(sums, court->ref, server) * CLEAR_BELOW >= court->alarm->shown.tolerated ||
                   sums->due[court->ref][server] < MONITOR_NOTHING
               ? RIGHT
               : CANNOT_TELL;
}

static struct judgement judge_starving(const struct court *court)
{
    struct judgement judgement =
        judge_share(court, distribution_under_share, false, DISTRIBUTION_FAST, 0);
    const struct monitor_sums *minute = window_of(court, 0);
    size_t server = judgement.word == WRONG ? judgement.numbers.server : court->alarm->shown.server;

    /* of one that cannot serve now nothing is expected now */
    if (court->monitor->servers[server].due[court->ref] < MONITOR_NOTHING)
        judgement.word = RIGHT;
    else if (judgement.word != WRONG && minute->picks[court->ref][server] > 0)
        judgement.word = RIGHT;
    else if (judgement.word != WRONG && is_silent(court))
        judgement.word = RIGHT;
    return judgement;
}

static struct judgement judge_over_capacity(const struct court *court)
{
    return judge_over(court);
}

static struct judgement judge_over_configured(const struct court *court)
{
    return judge_over(court);
}

static struct judgement judge_over_previous(const struct court *court)
{
    return judge_over(court);
}

static struct judgement judge_starved(const struct court *court)
{
    return judge_starving(court);
}

static struct judgement judge_starved_previous(const struct court *court)
{
    return judge_starving(court);
}

static struct judgement judge_under_configured(const struct court *court)
{
    struct judgement judgement =
        judge_share(court, distribution_under_share, false, DISTRIBUTION_SLOW, 1);

    /* nothing at all has a rule of its own */
    if (judgement.word == WRONG && judgement.numbers.share == 0)
        judgement.word = CANNOT_TELL;
    else if (judgement.word != WRONG)
        judgement.word = has_enough_again(court);
    return judgement;
}

/* ---- concentration ---- */

/* N_eff over what it must not fall below; INFINITY for a pool of one.  Of few requests to many
 * servers the sum of squares is too large by chance: that much is taken away. */
static double spread_of(const struct court *court, unsigned window)
{
    const struct monitor_sums *sums = window_of(court, window);
    size_t count = court->monitor->count;
    double below = distribution_concentrated_below(sums->due[court->ref], count);
    double n = (double)sums->requests[court->ref] / phi_of(court, window);
    double squares = 0;

    for (size_t i = 0; i < count; i++)
        squares += pow(share_in(sums, court->ref, i), 2);
    squares = n > 1 ? (n * squares - 1) / (n - 1) : 0;
    return below > 0 && squares > 0 ? 1 / squares / below : INFINITY;
}

static bool has_many(const struct court *court, unsigned window)
{
    return (double)window_of(court, window)->requests[court->ref] >=
           DISTRIBUTION_CONCENTRATED_N * phi_of(court, window);
}

static struct distribution_over largest(const struct court *court, unsigned window)
{
    const struct monitor_sums *sums = window_of(court, window);
    struct distribution_over found = {0};

    for (size_t i = 0; i < court->monitor->count; i++)
        if (share_in(sums, court->ref, i) > found.share) {
            found.server = i;
            found.share = share_in(sums, court->ref, i);
        }
    found.expected = sums->due[court->ref][found.server];
    found.tolerated = distribution_tolerated(found.expected, DISTRIBUTION_FAST);
    found.evidence = found.share > found.tolerated
                         ? (double)sums->requests[court->ref] / phi_of(court, window) *
                               distribution_divergence(found.share, found.tolerated)
                         : 0;
    return found;
}

static struct judgement judge_concentration(const struct court *court)
{
    struct judgement judgement = {.word = CANNOT_TELL};
    bool minute_denies = is_enough(court, 0) && spread_of(court, 0) >= 1;
    unsigned window;

    for (window = 0; window < DISTRIBUTION_WINDOWS && !minute_denies; window++) {
        struct distribution_over found;

        if (!has_many(court, window) || spread_of(court, window) >= 1)
            continue;
        found = largest(court, window);
        if (judgement.word != WRONG)
            judgement = wrong(court, window, &found);
        judgement.is_lasting = window == DISTRIBUTION_WINDOWS - 1;
    }
    if (judgement.word == WRONG)
        return judgement;
    window = shortest_enough(court);
    if (is_silent(court) ||
        (window < DISTRIBUTION_WINDOWS && spread_of(court, window) * CLEAR_BELOW >= 1))
        judgement.word = RIGHT;
    return judgement;
}

/* ---- sinkhole ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Of the others: a failing server must not raise the bar that it is held against. */
static double median_of_others(const double *values, size_t count, size_t but)
{
    double *others = xcalloc(count + 1, sizeof(*others));
    size_t kept = 0;
    double median;

    for (size_t i = 0; i < count; i++)
        if (i != but && values[i] >= 0)
            others[kept++] = values[i];
    qsort(others, kept, sizeof(*others), by_size);
    median = kept == 0 ? -1 : (others[(kept - 1) / 2] + others[kept / 2]) / 2;
    xfree(others);
    return median;
}

static bool fails_fast(const struct court *court, size_t server, const double *errors,
                       const double *latencies)
{
    size_t count = court->monitor->count;
    double usual_errors = median_of_others(errors, count, server);
    double usual_latency = median_of_others(latencies, count, server);

    return usual_errors >= 0 && usual_latency > 0 && latencies[server] >= 0 &&
           errors[server] >= SINKHOLE_LEAST && errors[server] > SINKHOLE_RATIO * usual_errors &&
           latencies[server] < usual_latency / 2;
}

static struct judgement judge_sinkhole(const struct court *court)
{
    const struct monitor_sums *minute = window_of(court, 0);
    size_t count = court->monitor->count;
    double *errors = xcalloc(2 * count + 1, sizeof(*errors));
    double *latencies = errors + count;
    struct judgement judgement = {.word = CANNOT_TELL};

    for (size_t i = 0; i < count; i++) {
        struct monitor_work work = monitor_work_of(court->monitor, i);

        errors[i] = work.attempts >= MONITOR_ANSWERS ? (double)work.errors / work.attempts : -1;
        latencies[i] = monitor_latency_us(court->monitor, i);
    }
    for (size_t i = 0; i < count && minute->requests[court->ref] >= SINKHOLE_REQUESTS; i++) {
        double share = share_in(minute, court->ref, i);
        double due = minute->due[court->ref][i];

        judgement.word = judgement.word == WRONG ? WRONG : RIGHT;
        if (due >= MONITOR_NOTHING && share > SINKHOLE_SHARE * due &&
            monitor_work_of(court->monitor, i).errors >= SINKHOLE_ERRORS &&
            fails_fast(court, i, errors, latencies)) {
            struct distribution_over found = {true, i, share, due, SINKHOLE_SHARE * due, errors[i]};

            judgement = wrong(court, 0, &found);
            judgement.is_lasting = true; /* what it costs does not depend on how much comes */
        }
    }
    xfree(errors);
    if (is_silent(court))
        judgement.word = RIGHT;
    return judgement;
}

/* ---- overload ---- */

/* How far a server is used, by rate or by connections; negative: no limit is known. */
static double use_of(const struct court *court, size_t server)
{
    const struct monitor_limits *limits = &court->limits[server];
    double rate =
        (double)monitor_work_of(court->monitor, server).attempts / window_of(court, 0)->seconds;
    double use = -1;

    if (limits->capacity_rps > 0)
        use = rate / limits->capacity_rps;
    if (limits->max_connections > 0)
        use = fmax(use, (double)limits->in_flight / limits->max_connections);
    return use;
}

static bool somebody_idles(const struct court *court, size_t but)
{
    for (size_t i = 0; i < court->monitor->count; i++) {
        double use = i == but ? -1 : use_of(court, i);

        if (use >= 0 && use < IDLE &&
            court->monitor->servers[i].due[REF_CONFIGURED] >= MONITOR_NOTHING)
            return true;
    }
    return false;
}

static struct judgement judge_overload(const struct court *court)
{
    struct judgement judgement = {.word = CANNOT_TELL};

    for (size_t i = 0; court->limits != NULL && i < court->monitor->count; i++) {
        double use = use_of(court, i);

        if (use > FULL && somebody_idles(court, i)) {
            struct distribution_over found = {true,
                                              i,
                                              share_in(window_of(court, 0), court->ref, i),
                                              window_of(court, 0)->due[court->ref][i],
                                              FULL,
                                              use};

            judgement = wrong(court, 0, &found);
            judgement.is_lasting = true;
            return judgement;
        }
    }
    if (court->limits != NULL && court->alarm->shown.is_raised &&
        (use_of(court, court->alarm->shown.server) < CLEAR_BELOW * FULL ||
         !somebody_idles(court, court->alarm->shown.server)))
        judgement.word = RIGHT;
    return judgement;
}

/* ---- the sequential test ---- */

void monitor_new_trial(struct monitor *monitor)
{
    memset(monitor->trial_picks, 0, monitor->count * sizeof(*monitor->trial_picks));
    monitor->trial_turns = 0;
    monitor->skips_trial = true;
}

static struct judgement judge_skew(const struct court *court)
{
    struct monitor *monitor = court->monitor;
    uint64_t *picks = xcalloc(monitor->count + 1, sizeof(*picks));
    double *due = xcalloc(2 * monitor->count + 1, sizeof(*due));
    double *shares = due + monitor->count;
    double dispersion = phi_of(court, DISTRIBUTION_WINDOWS - 1);
    struct judgement judgement = {.word = CANNOT_TELL};
    uint64_t requests = 0;
    double evidence, tvd;

    for (size_t i = 0; i < monitor->count; i++) {
        due[i] = monitor->servers[i].due[court->ref];
        picks[i] = monitor->trial_picks[i];
        requests += picks[i];
    }
    for (size_t i = 0; i < monitor->count && requests > 0; i++)
        shares[i] = (double)picks[i] / (double)requests;
    evidence = distribution_bayes(picks, due, monitor->count, dispersion);
    tvd = requests > 0 ? distribution_tvd(shares, due, monitor->count) : 0;
    if (monitor->traits.follows_load) {
        judgement.word = RIGHT;
    } else if (evidence >= DISTRIBUTION_BAYES && tvd >= SKEW_AT_LEAST) {
        struct distribution_over found =
            distribution_over_share(picks, due, monitor->count, dispersion, DISTRIBUTION_SLOW);

        found.evidence = evidence;
        judgement = wrong(court, 1, &found);
        judgement.numbers.requests = requests;
        judgement.numbers.tvd = tvd;
        judgement.numbers.window_s = monitor->trial_turns * MONITOR_BUCKET_S;
    } else if (evidence < 0 || tvd < CLEAR_BELOW * SKEW_AT_LEAST) {
        if (requests >= TRIAL_REQUESTS_PER_SERVER * monitor->count)
            judgement.word = RIGHT;
    }
    xfree(picks);
    xfree(due);
    if (is_silent(court))
        judgement.word = RIGHT;
    /* What was found once is looked for anew, or it would never be seen to be over. */
    monitor->trial_turns++;
    if (court->alarm->shown.is_raised && monitor->trial_turns >= TRIAL_TURNS)
        monitor_new_trial(monitor);
    return judgement;
}

/* ---- the table ---- */

typedef struct judgement judge_fn(const struct court *);

static judge_fn *const judges[RULE_COUNT] = {
    [RULE_CONCENTRATION] = judge_concentration,
    [RULE_OVER_CAPACITY] = judge_over_capacity,
    [RULE_SINKHOLE] = judge_sinkhole,
    [RULE_OVERLOAD] = judge_overload,
    [RULE_OVER_CONFIGURED] = judge_over_configured,
    [RULE_STARVED] = judge_starved,
    [RULE_UNDER_CONFIGURED] = judge_under_configured,
    [RULE_SKEW] = judge_skew,
    [RULE_OVER_PREVIOUS] = judge_over_previous,
    [RULE_STARVED_PREVIOUS] = judge_starved_previous,
};

struct judgement monitor_judge(const struct court *court, enum monitor_rule rule)
{
    return judges[rule](court);
}

bool monitor_can_judge(const struct court *court)
{
    return shortest_enough(court) < DISTRIBUTION_WINDOWS;
}
