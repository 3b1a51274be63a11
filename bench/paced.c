/*
 * paced - sends GET requests at a fixed rate and writes down each one's latency.
 *
 * A request's time runs from the moment it was due, not from when it could be
 * sent: a proxy that stalls is charged for everything that had to wait
 * ("coordinated omission" is what one gets otherwise).
 *
 *   paced -c CONNECTIONS -r PER_SECOND -s SECONDS [-H HOST] [-l FILE] PORT [PATH]
 *
 * SIGTERM ends it early.  One JSON line at the end: requests, failures, p50_us, p99_us, max_us.
 * FILE gets a line for each request: microseconds of CLOCK_MONOTONIC when it was due, its latency,
 * 1 for a 2xx.
 *
 * Owner      bench
 * Threads    one.
 * Invariant  A connection is in `idle` or has one request under way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define HEAD_MAX        4096
#define SAMPLES_MAX     8000000
#define US              1000000

struct connection {
    int fd;
    int64_t due;      /* of the request under way; 0: idle */
    size_t have;      /* bytes of the response head */
    size_t body_left; /* known once the head is complete */
    bool in_body, ok, closes;
    char head[HEAD_MAX];
};

struct sample {
    int64_t due;
    int32_t latency;
    bool ok;
};

static struct connection connections[CONNECTIONS_MAX];
static int idle[CONNECTIONS_MAX];
static int connection_count = 64, idle_count, server_port;
static struct sample samples[SAMPLES_MAX];
static size_t sample_count;
static char request[1024];
static size_t request_len;
static int epoll;
static volatile sig_atomic_t is_told_to_end;

static void on_term(int number)
{
    is_told_to_end = number;
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * US + t.tv_nsec / 1000;
}

static void finish(struct connection *c, bool ok)
{
    int64_t took = now_us() - c->due;

    samples[sample_count++] = (struct sample){c->due, (int32_t)took, ok};
    c->due = 0;
    c->have = 0;
    c->in_body = false;
    idle[idle_count++] = (int)(c - connections);
}

static bool open_connection(struct connection *c)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)(c - connections)};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

/* The connection is of no more use: a request under way has failed; a new connection takes its
 * place (a server may close an idle connection at any time, and that is no failure). */
static void replace(struct connection *c)
{
    close(c->fd);
    if (c->due != 0)
        finish(c, false);
    if (!open_connection(c)) {
        perror("paced: connect");
        exit(1);
    }
}

static void send_due(int64_t due)
{
    struct connection *c = &connections[idle[--idle_count]];

    c->due = due;
    if (send(c->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        replace(c);
}

static void read_head(struct connection *c)
{
    c->head[c->have] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (end == NULL)
        return;
    end[2] = '\0';
    const char *length = strcasestr(c->head, "\r\ncontent-length:");
    size_t body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    size_t here = c->have - (size_t)(end + 4 - c->head);

    c->ok = strncmp(c->head, "HTTP/1.1 2", 10) == 0 && length != NULL && here <= body;
    c->closes = strcasestr(c->head, "\r\nconnection: close") != NULL;
    c->body_left = here > body ? 0 : body - here;
    c->in_body = true;
}

static void receive(struct connection *c)
{
    static char sink[65536];
    ssize_t n = c->in_body ? recv(c->fd, sink, sizeof sink, MSG_DONTWAIT)
                           : recv(c->fd, c->head + c->have, HEAD_MAX - 1 - c->have, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || c->due == 0) {
        replace(c);
        return;
    }
    if (c->in_body) {
        c->body_left -= (size_t)n < c->body_left ? (size_t)n : c->body_left;
    } else {
        c->have += (size_t)n;
        read_head(c);
    }
    if (!c->in_body || c->body_left > 0)
        return;
    finish(c, c->ok);
    if (c->closes)
        replace(c);
}

static void wait_until(int64_t when)
{
    struct epoll_event events[256];
    int64_t left = when - now_us();
    struct timespec timeout = {.tv_sec = left > 0 ? left / US : 0,
                               .tv_nsec = left > 0 ? left % US * 1000 : 0};
    int n = epoll_pwait2(epoll, events, 256, &timeout, NULL);

    for (int i = 0; i < n; i++)
        receive(&connections[events[i].data.u32]);
}

static void run(int64_t rate, int64_t seconds)
{
    int64_t start = now_us() + 1000, total = rate * seconds, sent = 0;
    int64_t deadline = start + seconds * US + 5 * US;

    while ((sent < total || idle_count < connection_count) && now_us() < deadline) {
        int64_t due = start + sent * US / rate;

        if (is_told_to_end) {
            total = sent;
            deadline = deadline < now_us() + 5 * US ? deadline : now_us() + 5 * US;
            is_told_to_end = 0;
            continue;
        }
        if (sent < total && idle_count > 0 && now_us() >= due) {
            send_due(due);
            sent++;
        } else {
            wait_until(sent < total && idle_count > 0 ? due : now_us() + US / 10);
        }
    }
    for (int i = 0; i < connection_count; i++)
        if (connections[i].due != 0)
            finish(&connections[i], false);
}

static int by_latency(const void *a, const void *b)
{
    int32_t x = ((const struct sample *)a)->latency, y = ((const struct sample *)b)->latency;
    return (x > y) - (x < y);
}

static void report(const char *file)
{
    size_t failures = 0;
    FILE *log = file == NULL ? NULL : fopen(file, "w");

    for (size_t i = 0; i < sample_count; i++) {
        failures += !samples[i].ok;
        if (log != NULL)
            fprintf(log, "%lld %d %d\n", (long long)samples[i].due, samples[i].latency,
                    samples[i].ok);
    }
    if (log != NULL)
        fclose(log);
    if (sample_count == 0) {
        fprintf(stderr, "paced: no request was sent\n");
        exit(1);
    }
    qsort(samples, sample_count, sizeof *samples, by_latency);
    printf("{\"requests\":%zu,\"failures\":%zu,\"p50_us\":%d,\"p99_us\":%d,\"max_us\":%d}\n",
           sample_count, failures, samples[sample_count / 2].latency,
           samples[sample_count * 99 / 100].latency, samples[sample_count - 1].latency);
}

int main(int argc, char **argv)
{
    int64_t rate = 1000, seconds = 3;
    const char *host = "bench.example", *log = NULL, *path = "/";
    int option;

    while ((option = getopt(argc, argv, "c:r:s:H:l:")) != -1) {
        switch (option) {
        case 'c': connection_count = (int)strtol(optarg, NULL, 10); break;
        case 'r': rate = strtol(optarg, NULL, 10); break;
        case 's': seconds = strtol(optarg, NULL, 10); break;
        case 'H': host = optarg; break;
        case 'l': log = optarg; break;
        default: return 2;
        }
    }
    if (optind >= argc || connection_count < 1 || connection_count > CONNECTIONS_MAX || rate < 1 ||
        seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: paced -c CONNECTIONS -r PER_SECOND -s SECONDS [-H HOST] [-l FILE] "
                        "PORT [PATH]\n");
        return 2;
    }
    server_port = (int)strtol(argv[optind], NULL, 10);
    if (optind + 1 < argc)
        path = argv[optind + 1];
    request_len = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n",
                                   path, host);
    if (request_len >= sizeof request || rate * seconds > SAMPLES_MAX) {
        fprintf(stderr, "paced: at most %d requests\n", SAMPLES_MAX);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_term);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < connection_count; i++) {
        if (!open_connection(&connections[i])) {
            perror("paced: connect");
            return 1;
        }
        idle[idle_count++] = i;
    }
    run(rate, seconds);
    report(log);
    return 0;
}
