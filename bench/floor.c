/*
 * floor - the least a proxy can cost: it passes bytes on and reads none of them.
 *
 * Each client gets a server connection of its own for as long as it stays.
 * What a real proxy costs above this is what HTTP costs.
 *
 *   floor [-w PROCESSES] PORT SERVER_PORT      both on loopback
 *
 * Owner      bench
 * Threads    one epoll loop a process; processes share the port (SO_REUSEPORT).
 * Invariant  sides[fd].peer is the other descriptor of the pair, and theirs is fd;
 *            a side holds bytes only while its peer cannot take them, and is not
 *            read from meanwhile.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 20480
#define BLOCK_BYTES     65536

struct side {
    int peer; /* 0: closed */
    size_t from, to;
    char held[BLOCK_BYTES]; /* touched only when the peer is slow */
};

static struct side sides[DESCRIPTORS_MAX];
static char block[BLOCK_BYTES];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void watch(int epoll, int how, int fd, uint32_t what)
{
    struct epoll_event event = {.events = what, .data.fd = fd};
    epoll_ctl(epoll, how, fd, &event);
}

static void close_pair(int fd)
{
    int peer = sides[fd].peer;

    sides[fd].peer = sides[peer].peer = 0;
    close(fd);
    close(peer);
}

static void accept_one(int epoll, int listener, const struct sockaddr_in *server)
{
    int on = 1;
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fd >= DESCRIPTORS_MAX || client >= DESCRIPTORS_MAX)
        die("descriptors");
    /* Blocking on purpose: on loopback it takes no time, and happens once a client. */
    if (connect(fd, (const struct sockaddr *)server, sizeof *server) != 0)
        die("connect");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sides[client].peer = fd;
    sides[fd].peer = client;
    sides[client].to = sides[fd].to = 0;
    watch(epoll, EPOLL_CTL_ADD, client, EPOLLIN);
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void hold_back(int epoll, int fd, const char *rest, size_t len)
{
    struct side *side = &sides[fd];

    memcpy(side->held, rest, len);
    side->from = 0;
    side->to = len;
    /* The peer may itself be held up in the other direction: then it is not read from either. */
    watch(epoll, EPOLL_CTL_MOD, fd, side->peer && sides[side->peer].to ? EPOLLOUT : 0);
    watch(epoll, EPOLL_CTL_MOD, side->peer, EPOLLOUT | (sides[side->peer].to ? 0u : EPOLLIN));
}

static void relay(int epoll, int fd)
{
    ssize_t n = recv(fd, block, sizeof block, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close_pair(fd);
        return;
    }
    ssize_t sent = send(sides[fd].peer, block, (size_t)n, MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
        close_pair(fd);
    else if (sent < n)
        hold_back(epoll, fd, block + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

/* `fd` can be written to again: send what its peer holds for it. */
static void flush_held(int epoll, int fd)
{
    int peer = sides[fd].peer;
    struct side *from = &sides[peer];
    ssize_t sent = send(fd, from->held + from->from, from->to - from->from, MSG_DONTWAIT);

    if (sent < 0 && errno == EAGAIN)
        return;
    if (sent < 0) {
        close_pair(fd);
        return;
    }
    from->from += (size_t)sent;
    if (from->from < from->to)
        return;
    from->from = from->to = 0;
    watch(epoll, EPOLL_CTL_MOD, peer, EPOLLIN | (sides[fd].to ? EPOLLOUT : 0u));
    watch(epoll, EPOLL_CTL_MOD, fd, sides[fd].to ? 0u : EPOLLIN);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in at = loopback(port);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 4096) != 0)
        die("bind");
    return fd;
}

static void serve(int port, int server_port)
{
    struct epoll_event events[256];
    struct sockaddr_in server = loopback(server_port);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port);

    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        bool has_new = false; /* accepted last: a number just closed is not reused in this turn */

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                has_new = true;
                continue;
            }
            if (sides[fd].peer != 0 && (events[i].events & EPOLLOUT))
                flush_held(epoll, fd);
            if (sides[fd].peer != 0 && (events[i].events & EPOLLIN) && sides[fd].to == 0)
                relay(epoll, fd);
            else if (sides[fd].peer != 0 && (events[i].events & (EPOLLERR | EPOLLHUP)))
                close_pair(fd);
        }
        if (has_new)
            accept_one(epoll, listener, &server);
    }
}

int main(int argc, char **argv)
{
    int processes = 1, option;

    while ((option = getopt(argc, argv, "w:")) == 'w')
        processes = (int)strtol(optarg, NULL, 10);
    if (option != -1 || argc - optind != 2 || processes < 1) {
        fprintf(stderr, "usage: floor [-w PROCESSES] PORT SERVER_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < processes; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            break;
        }
    }
    serve((int)strtol(argv[optind], NULL, 10), (int)strtol(argv[optind + 1], NULL, 10));
}
