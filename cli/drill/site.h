/*
 * site - what a drill plays with: four small servers, clients that send requests at a fixed rate,
 * and the desk, through which the person's calls reach the admin API and are noted.
 *
 * All of it is one loop on a thread of its own, on loopback.  Whoever plays reads counts and notes,
 * and tells servers how to behave; each word has one writing thread.
 *
 * Owner    the play, from site_open() to site_close()
 * Threads  the functions: the first.  The loop: its own.
 */
#ifndef CLI_DRILL_SITE_H
#define CLI_DRILL_SITE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct error;
struct site;

enum { SITE_SERVERS = 4, SITE_NOTES = 1000, SITE_PATH_TEXT = 160, SITE_NAME_TEXT = 64 };

/* How a server behaves. */
enum site_mood {
    SITE_WELL,
    SITE_BROKEN, /* its checks pass; every request is answered 500, at once */
    SITE_EMPTY,  /* its checks pass; every request is answered 404, at once */
    SITE_DOWN,   /* 503 to everything, checks too; POST /recover ends it */
};

struct site_plan {
    uint16_t desk_port;                  /* 0: any */
    uint16_t server_ports[SITE_SERVERS]; /* 0: any */
    struct sockaddr_in admin;            /* behind the desk */
    unsigned rate;                       /* requests a second of all clients */
    unsigned capacity;   /* requests a second that a server can serve; what is more gets 503 */
    unsigned latency_ms; /* of a request that is served */
    const char
        *trusted; /* PEM: clients speak TLS, and believe whom this signed; NULL: they do not */
    const char *fields; /* more header lines of each request, each with its line end, or "" */
};

struct site_counts {
    uint64_t made;
    uint64_t failed; /* 4xx and 5xx, no answer within 5 s, no connection */
    uint64_t served[SITE_SERVERS];
};

/* A call of the admin API that was answered, through the desk. */
struct site_note {
    uint64_t at_ms; /* clock_ms() of the answer */
    unsigned status;
    char method[8];
    char person[SITE_NAME_TEXT]; /* as its token names him; "" for none */
    char path[SITE_PATH_TEXT];   /* with its query; cut where it is longer */
};

/* NULL and `why`: an address is taken. */
struct site *site_open(const struct site_plan *plan, struct error *why);
void site_close(struct site **site);

uint16_t site_desk_port(const struct site *site);
uint16_t site_server_port(const struct site *site, unsigned server);

/* From now on requests go to this port of 127.0.0.1. */
void site_send_load(struct site *site, uint16_t port);
void site_set_mood(struct site *site, unsigned server, enum site_mood mood);
void site_read(const struct site *site, struct site_counts *counts_out);
/* How many notes there are (at most SITE_NOTES are kept), and one of them. */
unsigned site_note_count(const struct site *site);
const struct site_note *site_note(const struct site *site, unsigned index);

#endif
