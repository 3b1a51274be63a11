/*
 * desk - stands before the admin listener: passes bytes on both ways, and notes each call that was
 * answered: who asked for what, and with which status.
 *
 * Bytes are passed on as they come; heads are only looked at.  Each way has one block under way, so
 * that a slow reader is waited for.  What is not understood is passed on and not noted.
 *
 * Owner    the site      Threads  the site's
 */
#include <ctype.h>
#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/drill/internal.h"

enum { BLOCK_BYTES = 16384, STATUS_BYTES = 12 };

/* One way of a call: bytes from `from` to the other side. */
struct way {
    struct call *call;
    uv_tcp_t from;
    uv_write_t write;
    char block[BLOCK_BYTES];
};

struct call {
    struct site_desk *desk;
    struct way asker;
    struct way admin;
    uv_connect_t connect;
    unsigned handles;
    /* the request that is being read */
    bool is_lost; /* not understood: nothing more is noted */
    uint64_t body_left;
    size_t have;
    char head[SITE_HEAD_BYTES];
    /* the request that is being answered */
    bool is_asked;
    size_t status_have;
    char status[STATUS_BYTES];
    struct site_note note;
};

/* ---- the end of a call ---- */

static void on_closed(struct call *call)
{
    if (--call->handles > 0)
        return;
    call->desk->visitors--;
    xfree(call);
}

static void on_asker_closed(uv_handle_t *handle);
static void on_admin_closed(uv_handle_t *handle);
static uv_close_cb asker_closed = on_asker_closed, admin_closed = on_admin_closed;

static void hang_up(struct call *call)
{
    if (!uv_is_closing((uv_handle_t *)&call->asker.from))
        uv_close((uv_handle_t *)&call->asker.from, on_asker_closed);
    if (!uv_is_closing((uv_handle_t *)&call->admin.from))
        uv_close((uv_handle_t *)&call->admin.from, on_admin_closed);
}

static void on_asker_closed(uv_handle_t *handle)
{
    on_closed(container_of((uv_tcp_t *)handle, struct call, asker.from));
}

static void on_admin_closed(uv_handle_t *handle)
{
    on_closed(container_of((uv_tcp_t *)handle, struct call, admin.from));
}

/* ---- what is noted ---- */

static void note(struct call *call)
{
    struct site *site = call->desk->site;
    unsigned count = WORD_READ(site->noted);

    call->is_asked = false;
    if (count == SITE_NOTES)
        return;
    call->note.at_ms = clock_ms();
    site->notes[count] = call->note;
    atomic_store_explicit(&site->noted, count + 1, memory_order_release);
}

static void copy_word(struct slice *text, char end, char *out, size_t room)
{
    size_t len = 0;

    while (len < text->len && text->at[len] != end && !isspace((unsigned char)text->at[len]))
        len++;
    (void)slice_copy(slice_of(text->at, len), out, room);
    *text = slice_after(*text, len < text->len ? len + 1 : len);
}

/* Bearer tk_<person>_<secret>: the person. */
static void copy_person(struct slice authorization, char out[SITE_NAME_TEXT])
{
    struct slice prefix = SLICE("Bearer tk_");

    out[0] = '\0';
    if (!slice_starts_with(authorization, prefix))
        return;
    authorization = slice_after(authorization, prefix.len);
    copy_word(&authorization, '_', out, SITE_NAME_TEXT);
}

static void take_head(struct call *call, struct slice head)
{
    struct slice line = head;
    struct slice length = site_field(head, "Content-Length");

    call->body_left = 0;
    if (length.len > 0 && !slice_to_u64(length, &call->body_left))
        call->is_lost = true;
    if (site_field(head, "Transfer-Encoding").len > 0)
        call->is_lost = true;
    copy_word(&line, ' ', call->note.method, sizeof(call->note.method));
    copy_word(&line, ' ', call->note.path, sizeof(call->note.path));
    copy_person(site_field(head, "Authorization"), call->note.person);
    call->is_asked = true;
    call->status_have = 0;
}

static void look_at_request(struct call *call, struct slice bytes)
{
    while (bytes.len > 0 && !call->is_lost) {
        size_t taken = sizeof(call->head) - call->have;
        size_t len;

        if (call->body_left > 0) {
            taken = call->body_left < bytes.len ? (size_t)call->body_left : bytes.len;
            call->body_left -= taken;
            bytes = slice_after(bytes, taken);
            continue;
        }
        if (taken > bytes.len)
            taken = bytes.len;
        memcpy(call->head + call->have, bytes.at, taken);
        len = site_head_length(call->head, call->have + taken);
        if (len == 0) {
            call->have += taken;
            call->is_lost = call->have == sizeof(call->head);
            return;
        }
        take_head(call, slice_of(call->head, len));
        bytes = slice_after(bytes, len - call->have);
        call->have = 0;
    }
}

/* "HTTP/1.1 200"; 100 is not the answer yet, and its bytes end within the block. */
static void look_at_answer(struct call *call, struct slice bytes)
{
    size_t taken = STATUS_BYTES - call->status_have;
    const char *digits = call->status + STATUS_BYTES - 3;

    if (!call->is_asked)
        return;
    if (taken > bytes.len)
        taken = bytes.len;
    memcpy(call->status + call->status_have, bytes.at, taken);
    call->status_have += taken;
    if (call->status_have < STATUS_BYTES)
        return;
    call->status_have = 0;
    call->note.status =
        (unsigned)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + digits[2] - '0');
    if (call->note.status >= 200 && call->note.status < 600)
        note(call);
}

/* ---- passing on ---- */

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room_out)
{
    struct way *way = container_of((uv_tcp_t *)handle, struct way, from);

    (void)wanted;
    *room_out = uv_buf_init(way->block, sizeof(way->block));
}

static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room);

static void on_passed(uv_write_t *write, int failed)
{
    struct way *way = container_of(write, struct way, write);

    if (failed != 0 || uv_is_closing((uv_handle_t *)&way->from) ||
        uv_read_start((uv_stream_t *)&way->from, give_room, on_bytes) != 0)
        hang_up(way->call);
}

static void on_bytes(uv_stream_t *stream, ssize_t count, const uv_buf_t *room)
{
    struct way *way = container_of((uv_tcp_t *)stream, struct way, from);
    struct call *call = way->call;
    struct way *other = way == &call->asker ? &call->admin : &call->asker;
    uv_buf_t block;

    if (count == 0)
        return;
    if (count < 0) {
        hang_up(call);
        return;
    }
    if (way == &call->asker)
        look_at_request(call, slice_of(room->base, (size_t)count));
    else
        look_at_answer(call, slice_of(room->base, (size_t)count));
    (void)uv_read_stop(stream);
    block = uv_buf_init(room->base, (unsigned)count);
    if (uv_write(&way->write, (uv_stream_t *)&other->from, &block, 1, on_passed) != 0)
        hang_up(call);
}

static void on_connected(uv_connect_t *connect, int failed)
{
    struct call *call = container_of(connect, struct call, connect);

    if (failed != 0 || uv_read_start((uv_stream_t *)&call->asker.from, give_room, on_bytes) != 0 ||
        uv_read_start((uv_stream_t *)&call->admin.from, give_room, on_bytes) != 0)
        hang_up(call);
}

static void on_asker(uv_stream_t *listener, int failed)
{
    struct site_desk *desk = container_of((uv_tcp_t *)listener, struct site_desk, listener);
    struct call *call;

    if (failed != 0 || desk->site->is_ending)
        return;
    call = xcalloc(1, sizeof(*call));
    call->desk = desk;
    call->handles = 2;
    call->asker.call = call;
    call->admin.call = call;
    desk->visitors++;
    CHECK(uv_tcp_init(&desk->site->loop, &call->asker.from) == 0);
    CHECK(uv_tcp_init(&desk->site->loop, &call->admin.from) == 0);
    call->asker.from.data = &asker_closed;
    call->admin.from.data = &admin_closed;
    if (uv_accept(listener, (uv_stream_t *)&call->asker.from) != 0 ||
        desk->visitors > SITE_VISITORS ||
        uv_tcp_connect(&call->connect, &call->admin.from,
                       (const struct sockaddr *)&desk->site->plan.admin, on_connected) != 0)
        hang_up(call);
}

int site_desk_listen(struct site_desk *desk, uint16_t port)
{
    return site_listen(desk->site, &desk->listener, port, on_asker);
}
