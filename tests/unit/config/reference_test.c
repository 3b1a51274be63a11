/*
 * reference_test - the committed documents say what the table of keys says.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "config/reference.h"

static void read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "r");
    size_t got;

    buffer_init(out);
    if (file == NULL)
        return;
    while ((got = fread(buffer_reserve(out, 65536), 1, 65536, file)) > 0)
        out->end += got;
    fclose(file);
}

static void committed_documents_equal_what_the_table_generates(void **state)
{
    (void)state;
    for (size_t i = 0; i < reference_count; i++) {
        struct buffer made;
        struct buffer committed;

        buffer_init(&made);
        references[i].write(&made);
        read_file(references[i].path, &committed);
        if (!slice_equal(buffer_slice(&made), buffer_slice(&committed))) {
            print_message("%s is stale: run build/twokey reference .\n", references[i].path);
            fail();
        }
        buffer_fini(&made);
        buffer_fini(&committed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(committed_documents_equal_what_the_table_generates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
