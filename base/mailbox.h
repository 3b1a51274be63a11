/*
 * mailbox - messages into a thread's loop; the only mutex in the program.
 *
 * Any thread posts; the loop's thread handles, in order of arrival.  libuv coalesces wakes, so
 * one wake empties the box, with a bound per turn so that a flood cannot starve the loop.
 *
 * Owner    the receiving thread.  A posted message belongs to the mailbox until its handler
 *          is called, then to the handler.
 * Threads  mailbox_post: any.  The rest: the receiving thread, or before it starts.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct mail;
typedef void mail_fn(struct mail *message, void *receiver);

/* Embedded in what is sent. */
struct mail {
    struct mail *next;
    mail_fn *handle;
};

struct mailbox {
    uv_async_t wake;
    pthread_mutex_t mutex;
    struct mail *first; /* under mutex */
    struct mail *last;  /* under mutex */
    bool is_closed;     /* under mutex */
    void *receiver;
};

/* Returns 0 or a negative libuv error. */
int mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, void *receiver);
/* False when the box is closed: the message is then still the caller's. */
bool mailbox_post(struct mailbox *mailbox, struct mail *message);
/* Handles what is in it, then takes no more; the handle closes on the loop's next turn. */
void mailbox_close(struct mailbox *mailbox);

#endif
