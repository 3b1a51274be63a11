/*
 * front - the TCP door of the admin API: accepts callers, speaks TLS with them where the running
 * configuration says so, and hands them on to the HTTP library.
 *
 * What runs decides for each that comes: whoever is there already goes on as he began.  At an
 * address that is not loopback nobody is ever spoken to in the clear: when what runs has no TLS any
 * more, the last that had it stays until a restart.
 *
 * A place is for whoever has shaken hands: of those who have not, the one who has taken longest
 * gives his up when there is no other.  No address has more than half of the places.
 *
 * Owner    admin/listener.c      Threads  control only
 */
#ifndef ADMIN_FRONT_H
#define ADMIN_FRONT_H

#include <stdbool.h>
#include <stdint.h>

struct admin;
struct caller;
struct front;
struct sockaddr_storage;
struct uv_loop_s;

/* Handshakes within a second, of one address and of all: more wait for the next. */
enum { FRONT_RATE_OF_ADDRESS = 100, FRONT_RATE = 200 };
enum { FRONT_PLACES = 400, FRONT_OF_ADDRESS = 200 };

struct front_counts {
    uint64_t handshakes;
    uint64_t failures;
    uint64_t refused; /* closed at once: too many of their address */
};

struct front_options {
    struct uv_loop_s *loop;
    const struct admin *admin;
    int fd;            /* listening; the front closes it */
    bool is_exposed;   /* its address is not loopback */
    bool begins_clear; /* also before a configuration runs */
    /* Hands on a connection, whose descriptor it owns from then on; `caller` NULL: of clear text.
     * False: no place. */
    bool (*hand)(void *context, int fd, const struct sockaddr_storage *address);
    /* How many of clear text there are. */
    unsigned (*count_clear)(void *context);
    void *context;
};

struct front *front_open(const struct front_options *options);
/* Another configuration may run. */
void front_adopt(struct front *front);
/* The caller whose other end `fd` is, or NULL. */
struct caller *front_find(struct front *front, int fd);
unsigned front_count(const struct front *front);
struct front_counts front_counts(const struct front *front);

/* Takes no more callers; the library may be stopped then. */
void front_shut(struct front *front);
/* Sends what is left to those who are there; `on_closed` comes in a later turn of the loop. */
void front_close(struct front *front, void (*on_closed)(void *context), void *context);

#endif
