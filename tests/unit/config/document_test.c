/*
 * document_test - a directory of files to one merged document.
 *
 * Threads  the first
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "config/document.h"
#include "config/finding.h"
#include "config/pointer.h"

struct folder {
    char path[64];
    struct arena *arena;
    struct findings findings;
    struct documents documents;
};

static void put(const struct folder *folder, const char *name, const char *content)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(content, file);
    fclose(file);
}

static bool says(const struct folder *folder, const char *text)
{
    char line[1024];

    for (size_t i = 0; i < folder->findings.count; i++) {
        finding_text(&folder->findings.items[i], line, sizeof(line));
        if (strstr(line, text) != NULL)
            return true;
    }
    return false;
}

static int open_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));

    (void)snprintf(folder->path, sizeof(folder->path), "/tmp/twokey-document-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    folder->arena = arena_new(4096);
    findings_init(&folder->findings, folder->arena);
    documents_init(&folder->documents, &folder->findings);
    *state = folder;
    return 0;
}

static int close_folder(void **state)
{
    struct folder *folder = *state;
    char command[128];

    documents_fini(&folder->documents);
    findings_fini(&folder->findings);
    arena_free(&folder->arena);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", folder->path);
    assert_int_equal(system(command), 0);
    free(folder);
    return 0;
}

static void files_are_read_in_name_order_and_others_are_not_read(void **state)
{
    struct folder *folder = *state;
    char file[128];

    put(folder, "20-b.json", "{\"process\":{\"a\":1}}");
    put(folder, "10-a.json", "{\"process\":{\"b\":1},\"// x\":1}");
    put(folder, "README.md", "not read");
    put(folder, ".hidden.json", "not read");
    put(folder, "c.json~", "not read");
    assert_true(documents_read_directory(&folder->documents, folder->path));
    assert_int_equal(folder->findings.count, 0);
    assert_int_equal(folder->documents.file_count, 2);
    (void)snprintf(file, sizeof(file), "%s/20-b.json", folder->path);
    assert_string_equal(documents_file_of(&folder->documents, "process", "a"), file);
    (void)snprintf(file, sizeof(file), "%s/10-a.json", folder->path);
    assert_string_equal(documents_file_of(&folder->documents, "process", "b"), file);
    assert_string_equal(documents_file_of(&folder->documents, "process", "none"), file);
    assert_null(documents_file_of(&folder->documents, "pools", "none"));
}

static void a_slash_at_the_end_is_not_doubled(void **state)
{
    struct folder *folder = *state;
    char directory[128];

    put(folder, "a.json", "[");
    (void)snprintf(directory, sizeof(directory), "%s//", folder->path);
    assert_true(documents_read_directory(&folder->documents, directory));
    (void)snprintf(directory, sizeof(directory), "%s/a.json:", folder->path);
    assert_true(says(folder, directory));
}

static void what_is_no_file_is_named(void **state)
{
    struct folder *folder = *state;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/a.json", folder->path);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/b.json", folder->path);
    assert_int_equal(mkfifo(path, 0600), 0);
    put(folder, "c.json", "{}");
    assert_true(documents_read_directory(&folder->documents, folder->path));
    assert_true(says(folder, "a.json: is not a regular file"));
    assert_true(says(folder, "b.json: is not a regular file"));
    assert_int_equal(folder->findings.count, 2);
}

static void one_bad_file_does_not_hide_the_others(void **state)
{
    struct folder *folder = *state;

    put(folder, "a.json", "{\n  \"pools\": {\n    oops\n}}");
    put(folder, "b.json", "{\"routs\":{}}");
    put(folder, "c.json", "{\"pools\":{\"p\":{},\n\"p\":{}}}");
    assert_true(documents_read_directory(&folder->documents, folder->path));
    assert_true(says(folder, "a.json:3:"));
    assert_true(says(folder, "b.json: /routs: is not a section; did you mean \"routes\"?"));
    assert_true(says(folder, "c.json:2:"));
    assert_true(says(folder, "the key \"p\" stands twice in one object"));
}

static void comments_are_gone_at_any_depth(void **state)
{
    struct folder *folder = *state;
    char *text;

    put(folder, "a.json",
        "{\"$schema\":\"s\",\"//\":1,\"pools\":{\"// a\":[],\"p\":{\"// b\":{},"
        "\"x\":[{\"// c\":1,\"y\":2}]}}}");
    assert_true(documents_read_directory(&folder->documents, folder->path));
    text = json_dumps(folder->documents.merged, JSON_COMPACT);
    assert_string_equal(text, "{\"pools\":{\"p\":{\"x\":[{\"y\":2}]}}}");
    free(text);
}

static void an_empty_directory_is_an_error(void **state)
{
    struct folder *folder = *state;

    assert_false(documents_read_directory(&folder->documents, folder->path));
    assert_true(says(folder, "has no *.json file"));
    assert_false(documents_read_directory(&folder->documents, "/nowhere/at/all"));
    assert_true(says(folder, "/nowhere/at/all: cannot be read"));
    assert_true(folder->findings.items[1].is_unreadable);
}

static void a_pointer_is_escaped(void **state)
{
    struct pointer pointer;

    (void)state;
    pointer_init(&pointer);
    assert_string_equal(pointer_text(&pointer), "");
    pointer_push(&pointer, "a/b");
    pointer_push_index(&pointer, 12);
    pointer_push(&pointer, "~");
    pointer_push(&pointer, "");
    assert_string_equal(pointer_text(&pointer), "/a~1b/12/~0/");
    pointer_pop(&pointer);
    assert_string_equal(pointer_text(&pointer), "/a~1b/12/~0");
    pointer_fini(&pointer);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, open_folder, close_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_are_read_in_name_order_and_others_are_not_read),
        IN_FOLDER(a_slash_at_the_end_is_not_doubled),
        IN_FOLDER(what_is_no_file_is_named),
        IN_FOLDER(one_bad_file_does_not_hide_the_others),
        IN_FOLDER(comments_are_gone_at_any_depth),
        IN_FOLDER(an_empty_directory_is_an_error),
        cmocka_unit_test(a_pointer_is_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
