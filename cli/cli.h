/*
 * cli - the subcommands of twokey.
 *
 * Each gets its own name as argv[0] and returns the exit code of the process.
 *
 * Owner    main()      Threads  the first
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* What exit codes mean, for every subcommand. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_FINDINGS = 1, /* the configuration has findings of severity error or block */
    EXIT_TROUBLE = 2,  /* it could not be done: unreadable, unknown option, not possible */
};

int cli_serve(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_version(int argc, char **argv);
/* Writes the documents that are generated from the table of keys. */
int cli_reference(int argc, char **argv);

#endif
