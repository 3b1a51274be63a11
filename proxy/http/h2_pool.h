/*
 * h2_pool - small blocks of memory that a thread keeps and hands out again: nghttp2 asks for a
 * dozen and gives them back with every stream.
 *
 * Blocks stay with the thread that gave them back; what is large, or more than is worth keeping,
 * goes back to xmalloc's stock.
 *
 * Threads  any; a block is given back by the thread that took it
 */
#ifndef PROXY_HTTP_H2_POOL_H
#define PROXY_HTTP_H2_POOL_H

#include <stddef.h>

void *h2_pool_take(size_t bytes);
void *h2_pool_take_zeroed(size_t count, size_t bytes);
void *h2_pool_resize(void *block, size_t bytes);
void h2_pool_give(void *block);

#endif
