/*
 * origin - a very cheap HTTP/1.1 server for the bench to put behind proxies.
 *
 * Answers `/` (127 bytes in all), `/16k`, `/1m`, `/1g` with fixed bytes, keeps
 * connections alive, reads and forgets request bodies that have a
 * Content-Length.  `/served` answers how many requests came in on that port.
 * It trusts its clients: it is a yardstick, not a server.
 *
 * With -l each port can serve so many requests a second, half of that at
 * once, and answers the rest 503, as a server does that sheds its load;
 * `/healthz` is always well.
 *
 *   origin [-t THREADS | -l PER_SECOND] PORT...      listens on every loopback address
 *
 * Owner      bench
 * Threads    one epoll loop each, all listening on all ports (SO_REUSEPORT).
 * Invariant  A connection belongs to the thread that accepted it; its slot is
 *            found by its descriptor.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX       64
#define DESCRIPTORS_MAX 20480
#define HEAD_MAX        16384
#define BLOCK_BYTES     (1u << 20)
#define SINK_BYTES      (256u << 10)

struct answer {
    const char *path;
    size_t body_bytes;
    size_t head_len;
    char head[192];
};

struct connection {
    int fd; /* 0: the slot is free */
    int port;
    bool is_listener;
    bool waits_to_write;
    size_t have;            /* bytes of a head not yet complete */
    size_t body_to_discard; /* of the request just read */
    const struct answer *answer;
    size_t sent; /* of the answer, head and body together */
    char head[HEAD_MAX];
};

static struct answer answers[] = {
    {"/", 11, 0, ""},         {"/16k", 16u << 10, 0, ""}, {"/1m", BLOCK_BYTES, 0, ""},
    {"/1g", 1u << 30, 0, ""}, {"/healthz", 3, 0, ""},
};
static const struct answer not_found = {"", 0, 45,
                                        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
static const struct answer too_many = {
    "", 0, 55, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"};

static char block[BLOCK_BYTES]; /* every body is a repetition of it */
static struct connection connections[DESCRIPTORS_MAX];
static int ports[PORTS_MAX];
static int port_count;
static atomic_ulong served[PORTS_MAX];
static double limit; /* requests a second and port; 0: none */
static struct {
    double left; /* requests that can be served now */
    double filled_s;
} budgets[PORTS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void answers_init(void)
{
    memset(block, 'x', sizeof block);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct answer *a = &answers[i];
        a->head_len = (size_t)snprintf(a->head, sizeof a->head,
                                       "HTTP/1.1 200 OK\r\n"
                                       "Content-Type: text/plain; charset=utf-8\r\n"
                                       "Cache-Control: no-store\r\n"
                                       "ETag: \"1\"\r\n"
                                       "Content-Length: %zu\r\n\r\n",
                                       a->body_bytes);
    }
}

static void listen_on(int epoll, int port_index)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)ports[port_index]),
                             .sin_addr.s_addr = htonl(INADDR_ANY)};

    if (fd < 0 || fd >= DESCRIPTORS_MAX)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        die("bind");
    connections[fd].fd = fd;
    connections[fd].port = port_index;
    connections[fd].is_listener = true;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, const struct connection *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int on = 1;

        if (fd < 0)
            return;
        if (fd >= DESCRIPTORS_MAX) {
            close(fd);
            continue;
        }
        struct connection *c = &connections[fd];
        memset(c, 0, offsetof(struct connection, head));
        c->fd = fd;
        c->port = listener->port;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void drop(struct connection *c)
{
    int fd = c->fd;

    c->fd = 0;
    close(fd);
}

static void watch(int epoll, struct connection *c, bool writing)
{
    if (c->waits_to_write == writing)
        return;
    c->waits_to_write = writing;
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.fd = c->fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
}

/* Sends what is left of the answer.  False: the client cannot take more now, or is gone. */
static bool send_answer(int epoll, struct connection *c)
{
    const struct answer *a = c->answer;
    size_t total = a->head_len + a->body_bytes;

    while (c->sent < total) {
        struct iovec parts[2];
        int count = 0;
        size_t body_sent = c->sent > a->head_len ? c->sent - a->head_len : 0;
        size_t left = a->body_bytes - body_sent;

        if (c->sent < a->head_len)
            parts[count++] =
                (struct iovec){(char *)(uintptr_t)a->head + c->sent, a->head_len - c->sent};
        if (left > 0)
            parts[count++] = (struct iovec){block, left < BLOCK_BYTES ? left : BLOCK_BYTES};
        ssize_t n = writev(c->fd, parts, count);
        if (n < 0 && errno == EAGAIN) {
            watch(epoll, c, true);
            return false;
        }
        if (n < 0) {
            drop(c);
            return false;
        }
        c->sent += (size_t)n;
    }
    c->answer = NULL;
    watch(epoll, c, false);
    return true;
}

/* `/served` has an answer of its own, small enough to be written at once. */
static bool send_served(struct connection *c)
{
    char number[32], text[128];
    int digits = snprintf(number, sizeof number, "%lu", atomic_load(&served[c->port]));
    int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", digits,
                     number);

    if (write(c->fd, text, (size_t)n) == n)
        return true;
    drop(c);
    return false;
}

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");
    return at == NULL ? 0 : strtoul(at + 17, NULL, 10);
}

/* One thread only: budgets are plain words. */
static bool is_within_limit(int port)
{
    struct timespec t;

    if (limit <= 0)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
    budgets[port].left += limit * (now_s - budgets[port].filled_s);
    budgets[port].filled_s = now_s;
    if (budgets[port].left > limit / 2)
        budgets[port].left = limit / 2;
    if (budgets[port].left < 1)
        return false;
    budgets[port].left -= 1;
    return true;
}

static bool answer_head(int epoll, struct connection *c, const char *head)
{
    const char *path = strchr(head, ' ');
    size_t len = path == NULL ? 0 : strcspn(++path, " ?\r");

    c->answer = &not_found;
    c->sent = 0;
    if (len == 7 && memcmp(path, "/served", 7) == 0) {
        c->answer = NULL;
        return send_served(c);
    }
    atomic_fetch_add_explicit(&served[c->port], 1, memory_order_relaxed);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (len == strlen(answers[i].path) && memcmp(path, answers[i].path, len) == 0)
            c->answer = &answers[i];
    if (c->answer != &not_found && strcmp(c->answer->path, "/healthz") != 0 &&
        !is_within_limit(c->port))
        c->answer = &too_many;
    return send_answer(epoll, c);
}

/* Answers every complete request in the buffer.  An answer waits for its request's body, so that
 * an upload is measured whole. */
static void answer_buffered(int epoll, struct connection *c)
{
    while (c->have > 0 && c->answer == NULL) {
        c->head[c->have] = '\0';
        char *end = strstr(c->head, "\r\n\r\n");

        if (end == NULL) {
            if (c->have == HEAD_MAX - 1)
                drop(c);
            return;
        }
        size_t used = (size_t)(end - c->head) + 4;
        end[2] = '\0';
        size_t body = content_length(c->head);
        size_t here = c->have - used < body ? c->have - used : body;

        if (here < body) {
            c->body_to_discard = body - here;
            return; /* the head stays in place until its body is in */
        }
        if (!answer_head(epoll, c, c->head) && c->fd == 0)
            return;
        c->have -= used + here;
        memmove(c->head, c->head + used + here, c->have);
    }
}

static void discard_body(int epoll, struct connection *c, char *sink)
{
    size_t want = c->body_to_discard < SINK_BYTES ? c->body_to_discard : SINK_BYTES;
    ssize_t n = read(c->fd, sink, want);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->body_to_discard -= (size_t)n;
    if (c->body_to_discard > 0)
        return;
    c->have = 0;
    (void)answer_head(epoll, c, c->head); /* either outcome leaves the connection in order */
}

static void read_head(int epoll, struct connection *c)
{
    ssize_t n = read(c->fd, c->head + c->have, HEAD_MAX - 1 - c->have);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->have += (size_t)n;
    answer_buffered(epoll, c);
}

static void *serve(void *unused)
{
    static _Thread_local char sink[SINK_BYTES];
    struct epoll_event events[256];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)unused;
    for (int i = 0; i < port_count; i++)
        listen_on(epoll, i);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = &connections[events[i].data.fd];

            if (c->fd == 0)
                continue;
            if (c->is_listener)
                accept_all(epoll, c);
            else if (c->waits_to_write && send_answer(epoll, c))
                answer_buffered(epoll, c);
            else if (!c->waits_to_write && c->body_to_discard > 0)
                discard_body(epoll, c, sink);
            else if (!c->waits_to_write && c->fd != 0)
                read_head(epoll, c);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = 1, option;

    while ((option = getopt(argc, argv, "t:l:")) == 't' || option == 'l') {
        if (option == 't')
            threads = (int)strtol(optarg, NULL, 10);
        else
            limit = strtod(optarg, NULL);
    }
    port_count = argc - optind;
    if (option != -1 || port_count < 1 || port_count > PORTS_MAX || threads < 1 ||
        (limit > 0 && threads > 1)) {
        fprintf(stderr, "usage: origin [-t THREADS | -l PER_SECOND] PORT...\n");
        return 2;
    }
    for (int i = 0; i < port_count; i++)
        ports[i] = (int)strtol(argv[optind + i], NULL, 10);
    signal(SIGPIPE, SIG_IGN);
    answers_init();
    for (int i = 1; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, NULL) != 0)
            die("pthread_create");
    }
    serve(NULL);
}
