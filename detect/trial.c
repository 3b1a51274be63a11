/*
 * trial - see trial.h.
 *
 * Owner    the caller      Threads  one at a time
 */
#include "detect/trial.h"

#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/model.h"
#include "proxy/compile.h"

enum { TABLE_BLOCK = 160 * 1024 };

struct trial {
    const struct conf_pool *conf;
    struct balance_live *live;
    struct balance_server *rows;
    struct balance_pool balance;
    _Atomic uint64_t epoch;
    struct balance_view *view; /* NULL before it is asked */
    struct arena *table;       /* NULL before a hash is looked up */
    double *paces;
    double *shares;
    bool has_shares;
};

struct trial *trial_new(const struct conf_pool *conf)
{
    struct trial *trial = xcalloc(1, sizeof(*trial));
    size_t count = conf->server_count;

    trial->conf = conf;
    trial->live = xcalloc(count + 1, sizeof(*trial->live));
    trial->rows = xcalloc(count + 1, sizeof(*trial->rows));
    trial->paces = xcalloc(count + 1, sizeof(*trial->paces));
    trial->shares = xcalloc(count + 1, sizeof(*trial->shares));
    for (size_t i = 0; i < count; i++) {
        trial->live[i].health = HEALTH_UP;
        trial->live[i].admin = compile_admin(conf->servers[i].state);
        trial->live[i].weight_override = BALANCE_NO_OVERRIDE;
        trial->rows[i] = compile_server(&conf->servers[i], &trial->live[i], 0, 1);
        trial->paces[i] = 1;
    }
    compile_pool(conf, &trial->balance);
    trial->balance.servers = trial->rows;
    trial->balance.count = (uint32_t)count;
    trial->balance.epoch = &trial->epoch;
    return trial;
}

void trial_free(struct trial **holder)
{
    struct trial *trial = TAKE_POINTER(holder);

    if (trial == NULL)
        return;
    balance_view_free(&trial->view);
    if (trial->table != NULL)
        arena_free(&trial->table);
    xfree(trial->live);
    xfree(trial->rows);
    xfree(trial->paces);
    xfree(trial->shares);
    xfree(trial);
}

/* ---- orders and health ---- */

static enum balance_admin admin_of(const char *state)
{
    if (strcmp(state, "drain") == 0)
        return ADMIN_DRAIN;
    return strcmp(state, "maint") == 0 ? ADMIN_MAINT : ADMIN_READY;
}

void trial_order(struct trial *trial, const char *server, const char *state, int64_t weight)
{
    int at = config_find_server(trial->conf, server);

    CHECK(trial->view == NULL);
    if (at < 0)
        return;
    if (state != NULL)
        trial->live[at].admin = admin_of(state);
    if (weight >= 0)
        trial->live[at].weight_override = (uint32_t)weight;
}

void trial_down(struct trial *trial, const char *server)
{
    int at = config_find_server(trial->conf, server);

    CHECK(trial->view == NULL);
    if (at >= 0)
        trial->live[at].health = HEALTH_DOWN;
}

void trial_pace(struct trial *trial, size_t server, double pace)
{
    CHECK(!trial->has_shares && server < trial->conf->server_count);
    trial->paces[server] = pace;
}

static struct balance_view *view_of(struct trial *trial)
{
    if (trial->view == NULL)
        trial->view = balance_view_new(&trial->balance, NULL, 1);
    return trial->view;
}

/* ---- what nothing directs ---- */

double trial_weight(struct trial *trial, size_t server)
{
    return balance_effective_weight(view_of(trial), (uint32_t)server, 0);
}

bool trial_follows_load(const struct trial *trial)
{
    return trial->balance.method != METHOD_ROUND_ROBIN;
}

/* What is left over goes to the healthy backups in equal parts, as they stand by in turn. */
static void spill(struct trial *trial, double left, double ceiling)
{
    size_t count = 0;
    double part;

    for (size_t i = 0; i < trial->conf->server_count; i++)
        count += balance_standing(view_of(trial), (uint32_t)i, 0) == STANDING_BACKUP;
    if (count == 0)
        return;
    part = left / (double)count < ceiling ? left / (double)count : ceiling;
    for (size_t i = 0; i < trial->conf->server_count; i++)
        if (balance_standing(view_of(trial), (uint32_t)i, 0) == STANDING_BACKUP)
            trial->shares[i] = part;
}

/* What is over the ceiling goes to those below it by their weights, until nobody is over it. */
static void apply_ceiling(struct trial *trial, double ceiling)
{
    size_t count = trial->conf->server_count;
    bool is_over = true;

    for (size_t round = 0; is_over && round <= count; round++) {
        double held = 0;
        double below = 0;
        double stretch;

        is_over = false;
        for (size_t i = 0; i < count; i++) {
            is_over = is_over || trial->shares[i] > ceiling + 1e-12;
            if (trial->shares[i] >= ceiling - 1e-12)
                held += trial->shares[i] = ceiling;
            else
                below += trial->shares[i];
        }
        stretch = below > 0 ? (1 - held) / below : 0;
        for (size_t i = 0; is_over && below > 0 && i < count; i++)
            if (trial->shares[i] < ceiling - 1e-12)
                trial->shares[i] *= stretch;
        if (is_over && below <= 0 && held < 1)
            spill(trial, 1 - held, ceiling);
    }
}

static void compute_shares(struct trial *trial)
{
    size_t count = trial->conf->server_count;
    uint32_t ceiling = trial->balance.max_share_percent;
    double total = 0;

    for (size_t i = 0; i < count; i++) {
        trial->shares[i] =
            trial_weight(trial, i) * (trial_follows_load(trial) ? trial->paces[i] : 1);
        total += trial->shares[i];
    }
    for (size_t i = 0; total > 0 && i < count; i++)
        trial->shares[i] /= total;
    if (total > 0 && ceiling > 0 && ceiling < 100)
        apply_ceiling(trial, ceiling / 100.0);
    trial->has_shares = true;
}

const double *trial_shares(struct trial *trial)
{
    if (!trial->has_shares)
        compute_shares(trial);
    return trial->shares;
}

/* ---- what is directed ---- */

int trial_pick_hash(struct trial *trial, uint64_t hash)
{
    struct balance_choice choice = {.hash = hash, .has_hash = true, .sticky = BALANCE_NO_SERVER};

    CHECK(trial->balance.method == METHOD_MAGLEV);
    if (trial->table == NULL) {
        trial->table = arena_new(TABLE_BLOCK);
        balance_pool_build(&trial->balance, trial->table);
    }
    return balance_pick(view_of(trial), &choice);
}

int trial_pick_sticky(struct trial *trial, size_t server)
{
    struct balance_choice choice = {.sticky = (int)server};

    return balance_pick(view_of(trial), &choice) == (int)server ? (int)server : TRIAL_NOBODY;
}
