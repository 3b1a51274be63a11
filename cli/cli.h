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
    EXIT_FINDINGS = 1, /* findings of severity error or block; refused by the admin API */
    EXIT_TROUBLE = 2,  /* it could not be done: unreadable, unknown option, not possible */
};

int cli_serve(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_audit(int argc, char **argv);
int cli_token(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_pools(int argc, char **argv);
int cli_changes(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_submit(int argc, char **argv);
int cli_approve(int argc, char **argv);
int cli_veto(int argc, char **argv);
int cli_withdraw(int argc, char **argv);
int cli_apply(int argc, char **argv);
int cli_confirm(int argc, char **argv);
int cli_cancel(int argc, char **argv);
int cli_rollback(int argc, char **argv);
int cli_drain(int argc, char **argv);
int cli_maint(int argc, char **argv);
int cli_ready(int argc, char **argv);
int cli_diff(int argc, char **argv);
int cli_impact(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_drill(int argc, char **argv);
int cli_version(int argc, char **argv);
/* Writes the documents that are generated from the table of keys. */
int cli_reference(int argc, char **argv);

#endif
