/*
 * world - see world.h.
 *
 * The proxy's admin listener has a loopback address of this process alone, so that it never meets
 * another drill's; what people call is the desk before it.
 *
 * Owner    the play      Threads  the first
 */
#include "cli/drill/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/api_client.h"
#include "cli/drill/drill.h"

enum {
    ADMIN_PORT = 9901,
    START_MS = 60 * 1000,
    END_MS = 8 * 1000,
    LOG_BYTES = 2000,
    DAY_S = 24 * 3600
};

static const char *const names[WORLD_PEOPLE] = {"ann", "bob", "cat"};

/* ---- paths and files ---- */

static void path_of(const struct world *world, const char *name, char out[WORLD_PATH])
{
    (void)snprintf(out, WORLD_PATH, "%.*s/%s", WORLD_PATH - 64, world->folder, name);
}

static bool make_folder(const struct world *world, const char *name, struct error *why)
{
    char path[WORLD_PATH];

    path_of(world, name, path);
    if (mkdir(path, 0700) == 0)
        return true;
    error_set(why, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    return false;
}

static bool write_json(const struct world *world, const char *name, json_t *json, struct error *why)
{
    char path[WORLD_PATH];
    int failed;

    path_of(world, name, path);
    failed = json_dump_file(json, path, JSON_INDENT(1));
    json_decref(json);
    if (failed != 0)
        error_set(why, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    return failed == 0;
}

static bool write_secret(const struct world *world, const char *name, const char *text,
                         struct error *why)
{
    char path[WORLD_PATH];
    int fd;
    FILE *file;

    path_of(world, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file != NULL && fputs(text, file) != EOF && fclose(file) == 0)
        return true;
    error_set(why, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
    return false;
}

static bool write_pair(const struct world *world, const char *certificate, const char *key,
                       const struct tls_self_signed *pair, struct error *why)
{
    return write_secret(world, certificate, pair->certificate, why) &&
           write_secret(world, key, pair->key, why);
}

/* Shell variables, each an Authorization header, as the demonstration has them. */
static bool write_tokens(const struct world *world, struct error *why)
{
    static const char *const variables[WORLD_PEOPLE] = {"ANN", "BOB", "CAT"};
    char path[WORLD_PATH];
    FILE *file;
    int fd;

    path_of(world, "build/demo/tokens", path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        error_set(why, ERROR_SYSTEM, "%s: %s", path, strerror(errno));
        return false;
    }
    for (unsigned i = 0; i < WORLD_PEOPLE; i++)
        (void)fprintf(file, "%s='Authorization: Bearer %s'\n", variables[i], world->tokens[i].text);
    return fclose(file) == 0;
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *where)
{
    (void)what;
    (void)kind;
    (void)where;
    return remove(path);
}

/* ---- the documents ---- */

static json_t *people_of(const struct world *world)
{
    json_t *people = json_object();

    for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
        json_t *one = json_pack("{s:[s,s,s,s,s,s], s:[{s:s,s:s}]}", "roles", "author", "operator",
                                "approver", "admin", "auditor", "breakglass", "tokens", "id",
                                "drill", "hash", world->tokens[i].hash);

        CHECK(json_object_set_new(people, names[i], one) == 0);
    }
    return people;
}

static json_t *pool_of(const struct drill *drill, const struct site *site)
{
    json_t *pool = world_json(drill->pool);
    json_t *servers = json_object();

    for (unsigned i = 0; i < SITE_SERVERS; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "s%u", i + 1);
        CHECK(json_object_set_new(
                  servers, name,
                  json_pack("{s:o}", "address",
                            json_sprintf("127.0.0.1:%u", site_server_port(site, i)))) == 0);
    }
    CHECK(json_object_set_new(pool, "servers", servers) == 0);
    return pool;
}

/* The listener of the clients. */
static json_t *web_of(const struct world *world)
{
    json_t *web = json_pack("{s:o}", "address", json_sprintf("127.0.0.1:%u", world->web_port));

    if (world->authority.certificate != NULL)
        json_object_set_new(web, "tls", world_json("{'certificates':['shop']}"));
    return web;
}

static json_t *certificates_of(const struct world *world)
{
    json_t *certificates = json_object();
    char chain[WORLD_PATH], key[WORLD_PATH];

    path_of(world, "build/demo/conf.d/shop.pem", chain);
    path_of(world, "build/demo/conf.d/shop.key", key);
    if (world->authority.certificate != NULL)
        json_object_set_new(certificates, "shop",
                            json_pack("{s:s, s:s}", "cert_file", chain, "key_file", key));
    return certificates;
}

static bool write_documents(const struct world *world, const struct drill *drill,
                            const struct site *site, struct error *why)
{
    char address[INET_ADDRSTRLEN];
    json_t *process = world_json("{'workers':1,'shutdown_timeout':'1s','max_connections':2000}");
    json_t *policy = world_json("{'mode':'enforced','approvals':{'normal':1,'high':2},"
                                "'confirm':{'deadline':'10m','min_bake':'0s'}}");

    CHECK(inet_ntop(AF_INET, &world->admin.sin_addr, address, sizeof(address)) != NULL);
    return write_json(world, "build/demo/conf.d/00-process.json",
                      json_pack("{s:o, s:o, s:{s:o}, s:{s:{s:s}}}", "process", process, "policy",
                                policy, "admin", "listen",
                                json_sprintf("%s:%d", address, ADMIN_PORT), "observe", "access_log",
                                "path", "access.log"),
                      why) &&
           write_json(world, "build/demo/conf.d/05-people.json",
                      json_pack("{s:o}", "people", people_of(world)), why) &&
           write_json(world, "build/demo/conf.d/10-listeners.json",
                      json_pack("{s:{s:o}, s:o}", "listeners", "web", web_of(world), "certificates",
                                certificates_of(world)),
                      why) &&
           write_json(world, "build/demo/conf.d/30-pools.json",
                      json_pack("{s:{s:o}}", "pools", "demo", pool_of(drill, site)), why) &&
           write_json(world, "build/demo/conf.d/40-routes.json",
                      world_json("{'routes':{'everything':{'pool':'demo'}}}"), why);
}

/* ---- programs ---- */

pid_t world_spawn(const char *program, char *const *arguments, const char *folder,
                  const char *output)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    int fd;

    if (pid != 0) {
        if (pid > 0)
            (void)setpgid(pid, pid); /* whoever is first */
        return pid;
    }
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || chdir(folder) != 0)
        _exit(127);
    fd = open("/dev/null", O_RDONLY);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
        _exit(127);
    fd = output == NULL ? STDOUT_FILENO : open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(127);
    (void)execv(program, arguments);
    _exit(127);
}

static bool has_ended(pid_t pid)
{
    int status;

    return waitpid(pid, &status, WNOHANG) != 0;
}

static void nap(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    (void)nanosleep(&time, NULL);
}

void world_end(pid_t *holder)
{
    pid_t pid = *holder;
    uint64_t until = clock_ms() + END_MS;

    *holder = 0;
    if (pid <= 0)
        return;
    (void)kill(-pid, SIGTERM);
    while (clock_ms() < until) {
        if (has_ended(pid)) {
            (void)kill(-pid, SIGKILL); /* what it may have started */
            return;
        }
        nap(20);
    }
    (void)kill(-pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

/* ---- ports ---- */

/* Binds a port of loopback once; the port it got, or 0. */
static uint16_t try_port(uint16_t port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t room = sizeof(at);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free;

    if (fd < 0)
        return 0;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    is_free = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 1) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &room) == 0;
    (void)close(fd);
    return is_free ? ntohs(at.sin_port) : 0;
}

uint16_t world_free_port(void)
{
    return try_port(0);
}

bool world_port_is_free(uint16_t port)
{
    return try_port(port) == port;
}

/* ---- opening and closing ---- */

static bool make_scratch(struct world *world, struct error *why)
{
    const char *parent = getenv("TMPDIR");
    char socket_path[WORLD_PATH];

    if (parent == NULL || parent[0] != '/')
        parent = "/tmp";
    (void)snprintf(world->folder, sizeof(world->folder), "%.180s/twokey-drill-XXXXXX", parent);
    path_of(world, "build/demo/state/run/admin.sock", socket_path);
    if (strlen(socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        error_set(why, ERROR_INVALID, "TMPDIR is too long for a Unix socket below it: %s", parent);
        world->folder[0] = '\0';
        return false;
    }
    if (mkdtemp(world->folder) == NULL) {
        error_set(why, ERROR_SYSTEM, "%s: %s (TMPDIR says where)", world->folder, strerror(errno));
        world->folder[0] = '\0';
        return false;
    }
    return true;
}

/* An address that no other process of this machine takes: 127, then of this one's number. */
static struct sockaddr_in own_address(void)
{
    uint32_t number = (uint32_t)getpid() & 0x3fffff;

    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(ADMIN_PORT),
                                .sin_addr.s_addr = htonl((127u << 24) + (1u << 22) + number)};
}

bool world_open(struct world *world, struct error *why)
{
    static const char *const folders[] = {"build", "build/demo", "build/demo/conf.d"};
    char address[WORLD_PATH + 8];
    char path[WORLD_PATH];

    *world = (struct world){.admin = own_address()};
    if (!make_scratch(world, why))
        return false;
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
        if (!make_folder(world, folders[i], why))
            return false;
    path_of(world, "build/demo/state/run/admin.sock", path);
    (void)snprintf(address, sizeof(address), "unix:%s", path);
    for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
        if (!token_make(names[i], &world->tokens[i], why))
            return false;
        world->callers[i] = api_client_open_as(address, world->tokens[i].text, why);
        if (world->callers[i] == NULL)
            return false;
    }
    return write_tokens(world, why);
}

void world_close(struct world *world, bool is_kept)
{
    world_end(&world->proxy);
    for (unsigned i = 0; i < WORLD_PEOPLE; i++) {
        if (world->callers[i] != NULL)
            api_client_close(&world->callers[i]);
        token_forget(&world->tokens[i]);
    }
    tls_self_signed_free(&world->authority);
    if (world->folder[0] != '\0' && !is_kept)
        (void)nftw(world->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

bool world_certify(struct world *world, const struct drill *drill, struct error *why)
{
    struct tls_self_signed shop = {0};
    bool is_done;

    if (drill->certificate_s == 0)
        return true;
    is_done =
        tls_trial_make("drill", DAY_S, NULL, &world->authority, why) &&
        tls_trial_make("shop.example", drill->certificate_s, &world->authority, &shop, why) &&
        write_pair(world, "build/demo/ca.pem", "build/demo/ca.key", &world->authority, why) &&
        write_pair(world, "build/demo/conf.d/shop.pem", "build/demo/conf.d/shop.key", &shop, why);
    world->certificate_ends_ms = clock_wall_ms() + (int64_t)drill->certificate_s * 1000;
    tls_self_signed_free(&shop);
    return is_done;
}

/* ---- the proxy ---- */

bool world_is_alive(struct world *world)
{
    if (world->proxy > 0 && has_ended(world->proxy))
        world->proxy = 0;
    return world->proxy > 0;
}

void world_show_log(const struct world *world)
{
    char text[LOG_BYTES + 1];
    char path[WORLD_PATH];
    FILE *file;
    size_t len;

    path_of(world, "log", path);
    file = fopen(path, "re");
    if (file == NULL)
        return;
    if (fseek(file, -LOG_BYTES, SEEK_END) != 0)
        rewind(file);
    len = fread(text, 1, LOG_BYTES, file);
    (void)fclose(file);
    text[len] = '\0';
    (void)fprintf(stderr, "%s", text);
}

static bool wait_until_it_serves(struct world *world, struct error *why)
{
    uint64_t until = clock_ms() + START_MS;
    unsigned status = 0;

    while (world_is_alive(world) && clock_ms() < until) {
        json_decref(world_call(world, WORLD_ANN, "GET", "/v1/status", NULL, &status));
        if (status == 200)
            return true;
        nap(50);
    }
    error_set(why, ERROR_UNAVAILABLE, "the proxy of the drill did not start");
    return false;
}

bool world_start(struct world *world, const struct drill *drill, const struct site *site,
                 struct error *why)
{
    char program[] = "build/twokey", serve[] = "serve", first[] = "--first-start";
    char config[] = "--config=build/demo/conf.d", state[] = "--state=build/demo/state";
    char *const arguments[] = {program, serve, config, state, first, NULL};
    char self[WORLD_PATH];
    char link[WORLD_PATH];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len <= 0) {
        error_set(why, ERROR_SYSTEM, "/proc/self/exe: %s", strerror(errno));
        return false;
    }
    self[len] = '\0';
    path_of(world, program, link);
    if (symlink(self, link) != 0) {
        error_set(why, ERROR_SYSTEM, "%s: %s", link, strerror(errno));
        return false;
    }
    if (!write_documents(world, drill, site, why))
        return false;
    world->proxy = world_spawn(program, arguments, world->folder, "log");
    if (world->proxy < 0) {
        error_set(why, ERROR_SYSTEM, "no new process: %s", strerror(errno));
        world->proxy = 0;
        return false;
    }
    return wait_until_it_serves(world, why);
}

/* ---- calls ---- */

json_t *world_call(struct world *world, enum world_person person, const char *method,
                   const char *path, json_t *body, unsigned *status_out)
{
    struct api_call call = {.method = method, .path = path, .body = body};
    struct api_answer answer;
    json_t *json = NULL;

    *status_out = 0;
    if (api_client_call(world->callers[person], &call, &answer, NULL)) {
        *status_out = answer.status;
        json = api_answer_json(&answer);
        api_answer_fini(&answer);
    }
    json_decref(body);
    return json;
}

json_t *world_json(const char *text)
{
    char *copy = xstrdup(text);
    json_t *json;

    for (char *c = copy; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    json = json_loads(copy, 0, NULL);
    CHECK(json != NULL);
    xfree(copy);
    return json;
}
