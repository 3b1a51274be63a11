/*
 * mailbox - messages into a thread's loop.
 *
 * Threads  post: any.  handle: the receiver's.
 */
#include "base/mailbox.h"

#include "base/check.h"
#include "base/list.h"

enum { MESSAGES_PER_TURN = 1024 };

static struct mail *take_all(struct mailbox *mailbox)
{
    struct mail *first;

    pthread_mutex_lock(&mailbox->mutex);
    first = mailbox->first;
    mailbox->first = mailbox->last = NULL;
    pthread_mutex_unlock(&mailbox->mutex);
    return first;
}

/* Puts what this turn had no time for back in front of what came since. */
static void put_back(struct mailbox *mailbox, struct mail *first)
{
    struct mail *last = first;

    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&mailbox->mutex);
    last->next = mailbox->first;
    if (mailbox->first == NULL)
        mailbox->last = last;
    mailbox->first = first;
    pthread_mutex_unlock(&mailbox->mutex);
    uv_async_send(&mailbox->wake);
}

static void handle_up_to(struct mailbox *mailbox, unsigned most)
{
    struct mail *message = take_all(mailbox);

    for (unsigned i = 0; message != NULL && i < most; i++) {
        struct mail *next = message->next;

        message->next = NULL;
        message->handle(message, mailbox->receiver);
        message = next;
    }
    if (message != NULL)
        put_back(mailbox, message);
}

static void on_wake(uv_async_t *wake)
{
    handle_up_to(container_of(wake, struct mailbox, wake), MESSAGES_PER_TURN);
}

int mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, void *receiver)
{
    *mailbox = (struct mailbox){.receiver = receiver};
    CHECK(pthread_mutex_init(&mailbox->mutex, NULL) == 0);
    return uv_async_init(loop, &mailbox->wake, on_wake);
}

bool mailbox_post(struct mailbox *mailbox, struct mail *message)
{
    bool is_closed;

    message->next = NULL;
    pthread_mutex_lock(&mailbox->mutex);
    is_closed = mailbox->is_closed;
    if (!is_closed) {
        if (mailbox->last != NULL)
            mailbox->last->next = message;
        else
            mailbox->first = message;
        mailbox->last = message;
        /* Inside the mutex, so that the handle cannot be closed between the check and this. */
        uv_async_send(&mailbox->wake);
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return !is_closed;
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->mutex);
    mailbox->is_closed = true;
    pthread_mutex_unlock(&mailbox->mutex);
    handle_up_to(mailbox, UINT32_MAX);
    uv_close((uv_handle_t *)&mailbox->wake, NULL);
}
