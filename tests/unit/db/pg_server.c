/* SPDX-License-Identifier: Apache-2.0 */
#include "pg_server.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "base/clock.h"
#include "base/mem.h"

#define START_DEADLINE_MS 60000

static char *find_program(const char *name)
{
	char *pattern = mem_printf("/usr/lib/postgresql/*/bin/%s", name);
	glob_t found = {0};
	char *path = NULL;

	if (glob(pattern, 0, NULL, &found) == 0)
		path = mem_dup(found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	free(pattern);
	if (path == NULL)
		fail_msg("PostgreSQL's %s is not installed", name);
	return path;
}

/* PostgreSQL refuses to run as root. */
static void become_server(const struct passwd *user)
{
	if (user != NULL && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
		_exit(126);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (freopen("/dev/null", "r", stdin) == NULL)
		_exit(126);
}

static pid_t spawn(const struct pg_server *s, const struct passwd *user, const char *const *argv)
{
	char log[96];
	pid_t pid;

	(void)snprintf(log, sizeof(log), "%s/log", s->dir);
	pid = fork();
	if (pid != 0)
		return pid;
	become_server(user);
	if (freopen(log, "a", stdout) == NULL || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		_exit(126);
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void init_cluster(struct pg_server *s, const struct passwd *user)
{
	char *initdb = find_program("initdb");
	char data[96];
	const char *const argv[] = {initdb,     "-D", data, "-A",   "trust", "-U",
				    "postgres", "-N", "-E", "UTF8", NULL};
	int status = -1;

	(void)snprintf(data, sizeof(data), "%s/data", s->dir);
	assert_int_equal(waitpid(spawn(s, user, argv), &status, 0) > 0, 1);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("initdb failed; see %s/log", s->dir);
	free(initdb);
}

static void write_hba(const struct pg_server *s)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/data/pg_hba.conf", s->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	(void)fputs("local all guest scram-sha-256\nlocal all all trust\n", f);
	assert_int_equal(fclose(f), 0);
}

static void wait_ready(const struct pg_server *s)
{
	int64_t deadline = clock_mono_ms() + START_DEADLINE_MS;
	const struct timespec pause = {.tv_nsec = 20000000};

	while (PQping(s->conninfo) != PQPING_OK) {
		if (waitpid(s->pid, NULL, WNOHANG) != 0 || clock_mono_ms() > deadline)
			fail_msg("PostgreSQL did not come up; see %s/log", s->dir);
		(void)nanosleep(&pause, NULL);
	}
}

static void make_guest(const struct pg_server *s)
{
	PGconn *conn = PQconnectdb(s->conninfo);
	PGresult *r = PQexec(conn, "CREATE ROLE guest LOGIN PASSWORD '" PG_SERVER_PASSWORD "'");

	assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	PQfinish(conn);
}

void pg_server_start(struct pg_server *s)
{
	const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
	char *postgres = find_program("postgres");
	char data[96];
	const char *const argv[] = {postgres,
				    "-D",
				    data,
				    "-k",
				    s->dir,
				    "-c",
				    "listen_addresses=",
				    "-c",
				    "fsync=off",
				    "-c",
				    "max_connections=20",
				    NULL};

	(void)snprintf(s->dir, sizeof(s->dir), "/tmp/hale-pg-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	(void)snprintf(data, sizeof(data), "%s/data", s->dir);
	if (geteuid() == 0)
		assert_int_equal(user != NULL && chown(s->dir, user->pw_uid, user->pw_gid) == 0, 1);
	init_cluster(s, user);
	write_hba(s);
	s->pid = spawn(s, user, argv);
	(void)snprintf(s->conninfo, sizeof(s->conninfo), "host=%s user=postgres dbname=postgres",
		       s->dir);
	(void)snprintf(s->guest, sizeof(s->guest), "host=%s user=guest dbname=postgres password=%s",
		       s->dir, PG_SERVER_PASSWORD);
	wait_ready(s);
	make_guest(s);
	free(postgres);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void pg_server_stop(struct pg_server *s)
{
	/* Immediate: nothing in it is worth a checkpoint. */
	(void)kill(s->pid, SIGCONT);
	(void)kill(s->pid, SIGQUIT);
	(void)waitpid(s->pid, NULL, 0);
	(void)nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
