/*
 * h2_outbox - a chain of chunks.
 *
 * Threads  the owner's
 */
#include "proxy/http/h2_outbox.h"

#include "base/check.h"
#include "proxy/http/h2_pool.h"

enum { SMALL_BYTES = 900, LARGE_BYTES = 16384 };

struct h2_chunk {
    struct h2_chunk *next;
    uint32_t start;
    uint32_t end;
    uint32_t room;
    char bytes[];
};

/* A small body has a chunk of its size; what comes in small pieces, one for several. */
static size_t room_for(const struct h2_outbox *outbox, size_t wanted)
{
    if (wanted > SMALL_BYTES)
        return LARGE_BYTES;
    return outbox->first == NULL ? wanted : SMALL_BYTES;
}

static struct h2_chunk *chunk_new(size_t room)
{
    struct h2_chunk *chunk = h2_pool_take(sizeof(*chunk) + room);

    chunk->next = NULL;
    chunk->start = 0;
    chunk->end = 0;
    chunk->room = (uint32_t)room;
    return chunk;
}

static void drop_first(struct h2_outbox *outbox)
{
    struct h2_chunk *first = outbox->first;

    outbox->first = first->next;
    if (outbox->first == NULL)
        outbox->last = NULL;
    h2_pool_give(first);
}

void h2_outbox_fini(struct h2_outbox *outbox)
{
    while (outbox->first != NULL)
        drop_first(outbox);
    outbox->bytes = 0;
}

static void add_chunk(struct h2_outbox *outbox, size_t wanted)
{
    struct h2_chunk *chunk = chunk_new(room_for(outbox, wanted));

    if (outbox->last == NULL)
        outbox->first = chunk;
    else
        outbox->last->next = chunk;
    outbox->last = chunk;
}

void h2_outbox_put(struct h2_outbox *outbox, struct slice data)
{
    outbox->bytes += data.len;
    while (data.len > 0) {
        struct h2_chunk *last = outbox->last;
        size_t count;

        if (last == NULL || last->end == last->room) {
            add_chunk(outbox, data.len);
            continue;
        }
        count = data.len < last->room - last->end ? data.len : last->room - last->end;
        memcpy(last->bytes + last->end, data.at, count);
        last->end += (uint32_t)count;
        data = slice_after(data, count);
    }
}

void h2_outbox_take(struct h2_outbox *outbox, char *to, size_t count)
{
    CHECK(count <= outbox->bytes);
    outbox->bytes -= count;
    while (count > 0) {
        struct h2_chunk *first = outbox->first;
        size_t part = first->end - first->start;

        part = count < part ? count : part;
        memcpy(to, first->bytes + first->start, part);
        first->start += (uint32_t)part;
        to += part;
        count -= part;
        if (first->start == first->end)
            drop_first(outbox);
    }
}
