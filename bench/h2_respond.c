/*
 * h2_respond - what a request costs in HTTP/2's frames alone: read, answered with ten fields and 64
 * bytes, written.  A hundred streams at a time, as `h2load -m 100` sends them.
 *
 *   build/bench/h2_respond [requests]        nanoseconds a request
 *   valgrind --tool=callgrind …              instructions
 *   build/bench/h2_respond idle [connections]  bytes of memory of a connection at rest
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "proxy/http/h2_frames.h"
#include "proxy/http/headers.h"

enum { STREAMS = 100, OUT_BYTES = 65536 };

static const struct h2_limits limits = {
    .streams = STREAMS,
    .stream_window = 65536,
    .connection_window = 1 << 20,
    .head = {65536, 8192, 100, HEAD_UNDERSCORES_DROP},
};

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Server: demo\r\n"
                               "Content-Type: text/plain; charset=utf-8\r\n"
                               "Cache-Control: max-age=3600\r\n"
                               "ETag: \"0123456789abcdef\"\r\n"
                               "Last-Modified: Sun, 22 Nov 2026 20:00:00 GMT\r\n"
                               "Vary: Accept-Encoding\r\n"
                               "Date: Sun, 22 Nov 2026 22:35:21 GMT\r\n"
                               "Via: 1.1 twokey\r\n"
                               "X-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
                               "Content-Length: 64\r\n"
                               "\r\n";
static const char body[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static unsigned long closed;

static void *on_request(void *connection, struct h2_stream *stream, const struct h2_head *head,
                        bool is_last)
{
    (void)connection;
    (void)head;
    (void)is_last;
    h2_stream_respond(stream, SLICE(response), false);
    h2_stream_send(stream, SLICE(body));
    h2_stream_end(stream, SLICE(""));
    return stream;
}

static void on_end(void *connection, void *owner)
{
    (void)connection;
    (void)owner;
}

static void on_closed(void *connection, void *owner, uint32_t code, bool is_by_peer)
{
    (void)connection;
    (void)owner;
    (void)code;
    (void)is_by_peer;
    closed++;
}

static const struct h2_events events = {
    .on_request = on_request, .on_end = on_end, .on_closed = on_closed};

static void put_u32(struct buffer *to, uint32_t value)
{
    const char bytes[] = {(char)(value >> 24), (char)(value >> 16), (char)(value >> 8),
                          (char)value};

    buffer_append(to, bytes, 4);
}

/* The first puts its fields into the table, the others name them from there, as clients do. */
static void put_request(struct buffer *to, uint32_t stream)
{
    static const char first[] = "\x82\x86\x84"
                                "\x41\x09"
                                "localhost"
                                "\x7a\x0c"
                                "h2load/1.0.0"
                                "\x53\x03"
                                "*/*"
                                "\x50\x0d"
                                "gzip, deflate";
    static const char later[] = "\x82\x86\x84\xc1\xc0\xbf\xbe";
    struct slice block = stream == 1 ? SLICE(first) : SLICE(later);
    const char head[] = {0, 0, (char)block.len, 1, 5};

    buffer_append(to, head, sizeof(head));
    put_u32(to, stream);
    buffer_append_slice(to, block);
}

static struct h2_frames *begin(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                  "\0\0\0\4\0\0\0\0\0"
                                  "\0\0\4\x08\0\0\0\0\0\x3f\0\0\0"
                                  "\0\0\0\4\1\0\0\0\0";
    struct h2_frames *frames = h2_frames_new(H2_SERVER, &limits, &events, NULL);
    char out[OUT_BYTES];

    h2_frames_read(frames, SLICE(preface), 1);
    while (h2_frames_take(frames, out, sizeof(out)) > 0)
        ;
    return frames;
}

static void turn(struct h2_frames *frames, uint32_t *stream, struct buffer *in)
{
    static char out[OUT_BYTES];

    buffer_clear(in);
    for (unsigned i = 0; i < STREAMS; i++, *stream += 2)
        put_request(in, *stream);
    h2_frames_read(frames, buffer_slice(in), clock_ms());
    while (h2_frames_take(frames, out, sizeof(out)) > 0)
        ;
}

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long all = 0;
    long resident = 0;

    if (file == NULL || fscanf(file, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    if (file != NULL)
        fclose(file);
    return resident * 4;
}

static void measure_idle(unsigned long connections)
{
    struct h2_frames **all = xcalloc(connections, sizeof(struct h2_frames *));
    struct buffer in;
    size_t before = mallinfo2().uordblks;
    long resident = resident_kib();

    buffer_init(&in);
    for (unsigned long i = 0; i < connections; i++)
        all[i] = begin();
    printf("%.0f bytes a connection after its settings\n",
           (double)(mallinfo2().uordblks - before) / (double)connections);
    for (unsigned long i = 0; i < connections; i++) {
        uint32_t stream = 1;

        turn(all[i], &stream, &in);
    }
    printf("%.0f bytes after %d requests\n",
           (double)(mallinfo2().uordblks - before) / (double)connections, STREAMS);
    printf("%.1f KiB of them resident\n",
           (double)(resident_kib() - resident) / (double)connections);
    for (unsigned long i = 0; i < connections; i++)
        h2_frames_free(&all[i]);
    buffer_fini(&in);
    xfree(all);
}

int main(int argc, char **argv)
{
    unsigned long requests = argc > 1 ? strtoul(argv[argc - 1], NULL, 10) : 0;
    struct h2_frames *frames;
    struct buffer in;
    uint32_t stream = 1;
    uint64_t begun;

    headers_init();
    if (argc > 1 && argv[1][0] == 'i') {
        measure_idle(requests > 0 ? requests : 100);
        return 0;
    }
    requests = requests > 0 ? requests : 1000000;
    buffer_init(&in);
    frames = begin();
    begun = clock_ns();
    while (closed < requests)
        turn(frames, &stream, &in);
    printf("%.0f ns a request\n", (double)(clock_ns() - begun) / (double)closed);
    h2_frames_free(&frames);
    buffer_fini(&in);
    return 0;
}
