/*
 * probe - one health check of one server: connect, and for HTTP ask and read.
 *
 *   CONNECTING --> SECURING --> ASKING --> (answer) --> LINGERING --server closes--> over
 *        `--TCP: (answer), over
 *
 * With TLS a check of type tcp passes when the handshake does.
 *
 * Owner    the prober.      Threads  the prober's
 */
#include "proxy/upstream/probe.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/thread.h"
#include "config/model.h"
#include "proxy/upstream/grpc_health.h"
#include "proxy/upstream/probe_h2.h"
#include "proxy/upstream/probe_reply.h"
#include "proxy/upstream/server.h"
#include "tls/context.h"
#include "tls/engine.h"

enum {
    PROBE_TAG = 0x50524f42,
    READ_BYTES = 4096,
    ANSWER_BYTES = 65536, /* chunk headers included */
    LINGER_BYTES = 262144,
};

enum stage { CONNECTING, SECURING, ASKING, LINGERING };

struct probe {
    uint32_t tag;
    enum stage stage;
    const struct conf_health_check *check;
    probe_fn *on_event;
    void *context;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } peer;
    uv_connect_t connect;
    uv_write_t write;
    const struct tls_trust *trust; /* lives as the probe's options say */
    const char *tls_name;
    struct tls_engine *tls; /* NULL: clear text */
    bool is_h2;
    struct probe_h2 *h2; /* NULL: not begun, or HTTP/1 */
    char cipher[READ_BYTES];
    struct buffer question;
    struct buffer answer;
    size_t lingered;
};

/* ---- texts ---- */

static const struct {
    int status;
    enum probe_result result;
    const char *why;
} error_texts[] = {
    {UV_ECONNREFUSED, PROBE_FAILED, "connection refused"},
    {UV_ECONNRESET, PROBE_FAILED, "connection reset"},
    {UV_EPIPE, PROBE_FAILED, "connection reset"},
    {UV_EOF, PROBE_FAILED, "connection closed before an answer"},
    {UV_ETIMEDOUT, PROBE_FAILED, "no connection in time"},
    {UV_EHOSTUNREACH, PROBE_FAILED, "no route to the server"},
    {UV_ENETUNREACH, PROBE_FAILED, "no route to the server"},
    {UV_ENOENT, PROBE_FAILED, "no such socket"},
    {UV_EACCES, PROBE_FAILED, "permission denied"},
    {UV_EMFILE, PROBE_NO_VERDICT, "no file descriptor left here"},
    {UV_ENFILE, PROBE_NO_VERDICT, "no file descriptor left here"},
    {UV_ENOMEM, PROBE_NO_VERDICT, "no memory left here"},
    {UV_ENOBUFS, PROBE_NO_VERDICT, "no memory left here"},
    {UV_EADDRNOTAVAIL, PROBE_NO_VERDICT, "no local port left here"},
};

static struct probe_answer answer_of_error(int status)
{
    for (size_t i = 0; i < sizeof(error_texts) / sizeof(error_texts[0]); i++)
        if (error_texts[i].status == status)
            return (struct probe_answer){error_texts[i].result, 0, error_texts[i].why};
    return (struct probe_answer){PROBE_FAILED, 0, "connection failed"};
}

struct probe_answer probe_time_out(const struct probe *probe)
{
    CHECK_OBJ(probe, PROBE_TAG);
    if (probe->stage == SECURING)
        return (struct probe_answer){PROBE_FAILED, 0, "no TLS handshake in time"};
    if (probe->stage == CONNECTING)
        return (struct probe_answer){PROBE_FAILED, 0, "no connection in time"};
    return (struct probe_answer){PROBE_FAILED, 0, "no whole answer in time"};
}

/* ---- writing ---- */

struct sent {
    uv_write_t write;
    char bytes[];
};

static void on_sent(uv_write_t *write, int status)
{
    (void)status; /* the reading side decides */
    xfree(container_of(write, struct sent, write));
}

static void send_now(void *context, struct slice bytes)
{
    struct probe *probe = context;
    struct sent *sent = xmalloc(sizeof(*sent) + bytes.len);
    uv_buf_t block = uv_buf_init(sent->bytes, (unsigned)bytes.len);

    memcpy(sent->bytes, bytes.at, bytes.len);
    if (uv_write(&sent->write, &probe->peer.stream, &block, 1, on_sent) != 0)
        xfree(sent);
}

static void send_h2(void *context, struct slice bytes)
{
    struct probe *probe = context;

    if (probe->tls != NULL)
        (void)tls_engine_send(probe->tls, bytes);
    else
        send_now(probe, bytes);
}

static void ask_over_h2(struct probe *probe)
{
    struct buffer body;

    buffer_init(&body);
    if (probe->check->type == CHECK_GRPC)
        grpc_health_ask(&body, probe->check->service != NULL ? slice_from(probe->check->service)
                                                             : SLICE(""));
    probe->h2 = probe_h2_new(buffer_slice(&probe->question), buffer_slice(&body),
                             probe->tls != NULL, send_h2, probe);
    buffer_fini(&body);
    probe_h2_flush(probe->h2);
}

/* ---- the answer ---- */

static void tell(struct probe *probe, struct probe_answer answer, bool is_over)
{
    probe->stage = LINGERING;
    probe->on_event(probe->context, &answer, is_over);
}

static void tell_reply(struct probe *probe, const struct reply *reply, bool is_over)
{
    bool has_passed = reply->verdict == REPLY_PASSED;
    struct probe_answer answer = {has_passed ? PROBE_PASSED : PROBE_FAILED, reply->status,
                                  has_passed ? NULL : reply->why};

    tell(probe, answer, is_over);
}

/* An answer over HTTP/2 is over when it is told: nothing more is written. */
static void judge_h2(struct probe *probe, struct slice bytes, bool is_end)
{
    struct reply reply =
        probe_h2_read(probe->h2, bytes, uv_now(probe->peer.handle.loop), probe->check);

    if (reply.verdict != REPLY_MORE)
        tell_reply(probe, &reply, true);
    else if (is_end)
        tell(probe, answer_of_error(UV_EOF), true);
}

static void judge(struct probe *probe, bool is_end)
{
    struct reply reply = reply_judge(buffer_slice(&probe->answer), is_end, probe->check);

    if (reply.verdict == REPLY_MORE && buffer_length(&probe->answer) < ANSWER_BYTES)
        return;
    if (reply.why == NULL)
        reply.why = "the answer is too long";
    tell_reply(probe, &reply, is_end);
}

static void linger(struct probe *probe, ssize_t bytes)
{
    probe->lingered += bytes > 0 ? (size_t)bytes : 0;
    if (bytes < 0 || probe->lingered > LINGER_BYTES) {
        uv_read_stop(&probe->peer.stream);
        probe->on_event(probe->context, NULL, true);
    }
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct probe *probe = handle->data;

    (void)wanted;
    if (probe->stage == LINGERING)
        buffer_clear(&probe->answer);
    if ((probe->tls != NULL || probe->h2 != NULL) && probe->stage != LINGERING)
        *out = uv_buf_init(probe->cipher, sizeof(probe->cipher));
    else
        *out = uv_buf_init(buffer_reserve(&probe->answer, READ_BYTES), READ_BYTES);
}

static void ask_over_tls(struct probe *probe)
{
    if (probe->check->type == CHECK_TCP) {
        tell(probe, (struct probe_answer){PROBE_PASSED, 0, NULL}, true);
        return;
    }
    probe->stage = ASKING;
    if (!probe->is_h2)
        (void)tls_engine_send(probe->tls, buffer_slice(&probe->question));
    else if (tls_engine_protocol(probe->tls) == TLS_ALPN_H2)
        ask_over_h2(probe);
    else
        tell(probe, (struct probe_answer){PROBE_FAILED, 0, "it did not agree to HTTP/2 (ALPN)"},
             true);
}

/* What was read over TLS in clear: all of it is used up. */
static void judge_plain(struct probe *probe, bool is_end)
{
    if (probe->h2 == NULL) {
        judge(probe, is_end);
        return;
    }
    judge_h2(probe, buffer_slice(&probe->answer), is_end);
    buffer_clear(&probe->answer);
}

static void take_ciphertext(struct probe *probe, struct slice bytes)
{
    char *room = buffer_reserve(&probe->answer, bytes.len + TLS_HELD_BYTES);

    probe->answer.end += (uint32_t)tls_engine_feed(probe->tls, bytes, room);
    if (tls_engine_state(probe->tls) == TLS_FAILED)
        tell(probe, (struct probe_answer){PROBE_FAILED, 0, tls_engine_why(probe->tls)}, true);
    else if (probe->stage == SECURING && tls_engine_state(probe->tls) == TLS_OPEN)
        ask_over_tls(probe);
    else if (probe->stage == ASKING)
        judge_plain(probe, tls_engine_state(probe->tls) == TLS_ENDED);
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *block)
{
    struct probe *probe = stream->data;

    (void)block;
    CHECK_OBJ(probe, PROBE_TAG);
    if (bytes == 0)
        return;
    if (probe->stage == LINGERING) {
        linger(probe, bytes);
        return;
    }
    if (bytes > 0 && probe->tls != NULL) {
        take_ciphertext(probe, slice_of(probe->cipher, (size_t)bytes));
    } else if (bytes > 0 && probe->h2 != NULL) {
        judge_h2(probe, slice_of(probe->cipher, (size_t)bytes), false);
    } else if (bytes > 0) {
        probe->answer.end += (uint32_t)bytes;
        judge(probe, false);
    } else if (bytes == UV_EOF && probe->stage == SECURING) {
        tell(probe, (struct probe_answer){PROBE_FAILED, 0, "closed during the TLS handshake"},
             true);
    } else if (bytes == UV_EOF && probe->h2 != NULL) {
        tell(probe, answer_of_error(UV_EOF), true);
    } else if (bytes == UV_EOF) {
        judge(probe, true);
    } else {
        tell(probe, answer_of_error((int)bytes), true);
    }
}

/* ---- the question ---- */

static void on_written(uv_write_t *write, int status)
{
    struct probe *probe = write->data;

    /* A server may answer and close before it has read everything: the reading side decides. */
    (void)status;
    CHECK_OBJ(probe, PROBE_TAG);
}

static void ask(struct probe *probe)
{
    uv_buf_t block = uv_buf_init(probe->question.data, (unsigned)buffer_length(&probe->question));
    int status;

    probe->stage = ASKING;
    if (probe->is_h2) {
        ask_over_h2(probe);
        status = uv_read_start(&probe->peer.stream, on_room, on_read);
        if (status != 0)
            tell(probe, answer_of_error(status), true);
        return;
    }
    probe->write.data = probe;
    status = uv_write(&probe->write, &probe->peer.stream, &block, 1, on_written);
    if (status == 0)
        status = uv_read_start(&probe->peer.stream, on_room, on_read);
    if (status != 0)
        tell(probe, answer_of_error(status), true);
}

static void secure(struct probe *probe)
{
    int status;

    probe->stage = SECURING;
    probe->tls = tls_engine_connect(probe->trust, probe->tls_name, NULL, send_now, probe);
    (void)tls_engine_feed(probe->tls, SLICE(""), probe->cipher);
    status = uv_read_start(&probe->peer.stream, on_room, on_read);
    if (status != 0)
        tell(probe, answer_of_error(status), true);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct probe *probe = connect->data;

    CHECK_OBJ(probe, PROBE_TAG);
    if (status == UV_ECANCELED)
        return; /* probe_close() was faster */
    if (status != 0)
        tell(probe, answer_of_error(status), true);
    else if (probe->trust != NULL)
        secure(probe);
    else if (probe->check->type == CHECK_TCP)
        tell(probe, (struct probe_answer){PROBE_PASSED, 0, NULL}, true);
    else
        ask(probe);
}

static union server_address address_of(const struct server *server,
                                       const struct conf_health_check *check)
{
    union server_address address = server->address;

    if (check->port != 0 && address.any.sa_family == AF_INET)
        address.v4.sin_port = htons(check->port);
    if (check->port != 0 && address.any.sa_family == AF_INET6)
        address.v6.sin6_port = htons(check->port);
    return address;
}

static void append_address(struct buffer *out, const union server_address *address)
{
    char ip[INET6_ADDRSTRLEN];

    if (address->any.sa_family == AF_INET) {
        uv_inet_ntop(AF_INET, &address->v4.sin_addr, ip, sizeof(ip));
        buffer_append_slice(out, slice_from(ip));
    } else if (address->any.sa_family == AF_INET6) {
        uv_inet_ntop(AF_INET6, &address->v6.sin6_addr, ip, sizeof(ip));
        buffer_printf(out, "[%s]", ip);
    } else {
        buffer_append_literal(out, "localhost");
    }
}

/* As configured, else the server's name or address with the port that is asked. */
static void append_host(struct buffer *out, const struct probe_options *options,
                        const union server_address *address)
{
    if (options->check->host != NULL) {
        buffer_append_slice(out, slice_from(options->check->host));
        return;
    }
    if (options->host != NULL)
        buffer_append_slice(out, slice_from(options->host));
    else
        append_address(out, address);
    if (address->any.sa_family == AF_INET)
        buffer_printf(out, ":%u", ntohs(address->v4.sin_port));
    else if (address->any.sa_family == AF_INET6)
        buffer_printf(out, ":%u", ntohs(address->v6.sin6_port));
}

static void write_question(struct probe *probe, const struct probe_options *options,
                           const union server_address *address)
{
    struct buffer *out = &probe->question;
    bool is_grpc = options->check->type == CHECK_GRPC;

    if (is_grpc)
        buffer_append_literal(out, "POST " GRPC_HEALTH_PATH " HTTP/1.1\r\nHost: ");
    else
        buffer_printf(out, "GET %s HTTP/1.1\r\nHost: ", options->check->path);
    append_host(out, options, address);
    buffer_append_literal(out, "\r\nUser-Agent: twokey-check/" TWOKEY_VERSION "\r\n");
    if (is_grpc)
        buffer_append_literal(out, "Content-Type: application/grpc\r\nTE: trailers\r\n\r\n");
    else if (probe->is_h2)
        buffer_append_literal(out, "Accept: */*\r\n\r\n");
    else
        buffer_append_literal(out, "Accept: */*\r\nConnection: close\r\n\r\n");
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct probe *probe = handle->data;

    tls_engine_free(&probe->tls);
    probe_h2_free(&probe->h2);
    buffer_fini(&probe->question);
    buffer_fini(&probe->answer);
    probe->tag = 0;
    xfree(probe);
}

static int begin(struct probe *probe, uv_loop_t *loop, const union server_address *address)
{
    int status;

    probe->connect.data = probe;
    if (address->any.sa_family == AF_UNIX) {
        status = uv_pipe_init(loop, &probe->peer.pipe, 0);
        CHECK(status == 0);
        probe->peer.handle.data = probe;
        uv_pipe_connect(&probe->connect, &probe->peer.pipe, address->local.sun_path, on_connected);
        return 0;
    }
    status = uv_tcp_init(loop, &probe->peer.tcp);
    CHECK(status == 0);
    probe->peer.handle.data = probe;
    return uv_tcp_connect(&probe->connect, &probe->peer.tcp, &address->any, on_connected);
}

struct probe *probe_open(uv_loop_t *loop, const struct probe_options *options,
                         struct probe_answer *answer_out)
{
    union server_address address = address_of(options->server, options->check);
    struct probe *probe = xcalloc(1, sizeof(*probe));
    int status;

    ON_PROBER();
    probe->tag = PROBE_TAG;
    probe->check = options->check;
    probe->trust = options->trust;
    probe->tls_name = options->tls_name;
    probe->is_h2 = options->is_h2 || options->check->type == CHECK_GRPC;
    probe->on_event = options->on_event;
    probe->context = options->context;
    buffer_init(&probe->question);
    buffer_init(&probe->answer);
    if (options->check->type != CHECK_TCP)
        write_question(probe, options, &address);
    status = begin(probe, loop, &address);
    if (status == 0)
        return probe;
    *answer_out = answer_of_error(status);
    probe_close(&probe);
    return NULL;
}

void probe_recheck(struct probe *probe, const struct conf_health_check *check)
{
    CHECK_OBJ(probe, PROBE_TAG);
    probe->check = check;
}

void probe_close(struct probe **holder)
{
    struct probe *probe = TAKE_POINTER(holder);

    CHECK_OBJ(probe, PROBE_TAG);
    uv_close(&probe->peer.handle, on_closed);
}
