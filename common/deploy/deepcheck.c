/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/deepcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "deploy/slice.h"
#include "proc/spawn.h"

/* What a child may say; its problems are one line each and reports are bounded anyway. */
#define DEEPCHECK_OUTPUT_MAX (1u << 20)

struct probe {
	const struct process_spec *process;
	pid_t pid;
	int fd;
	struct str out;
};

static int start_probe(struct probe *p, const struct process_spec *process, struct err *err)
{
	char check[] = "--check";
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char lang[] = "LANG=C.UTF-8";
	char *argv[] = {process->program, check, NULL};
	char *envp[] = {path, lang, NULL};
	HALE_CLEANUP(cleanup_fd) int slice = -1;
	int pipe_fds[2];

	slice = spawn_memfd(process->name, process->slice, process->slice_len, err);
	if (slice < 0)
		return slice;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot create a pipe");
	p->pid = spawn_start(&(struct spawn_plan){.program = process->program,
						  .argv = argv,
						  .envp = envp,
						  .output_fd = pipe_fds[1],
						  .error_fd = STDERR_FILENO,
						  .slice_fd = slice,
						  .rights = &process->rights},
			     err);
	close(pipe_fds[1]);
	p->process = process;
	p->fd = pipe_fds[0];
	if (p->pid < 0) {
		close(p->fd);
		return (int)p->pid;
	}
	return 0;
}

/* False when the probe has said everything. */
static bool read_probe(struct probe *p)
{
	char buf[4096];
	ssize_t got = read(p->fd, buf, sizeof(buf));

	if (got < 0)
		return errno == EINTR;
	if (got == 0 || p->out.len > DEEPCHECK_OUTPUT_MAX)
		return false;
	str_addn(&p->out, buf, (size_t)got);
	return true;
}

static void collect(struct probe *probes, size_t n, int64_t deadline_ms)
{
	struct pollfd *fds = mem_array(n, sizeof(*fds));
	size_t open = n;

	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = probes[i].fd, .events = POLLIN};
	while (open > 0) {
		int64_t left = deadline_ms - clock_mono_ms();

		if (left <= 0)
			break;
		if (poll(fds, n, (int)left) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < n; i++) {
			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			if (!read_probe(&probes[i])) {
				fds[i].fd = -1;
				open--;
			}
		}
	}
	free(fds);
}

static void add_problem(const struct probe *p, const json_t *problem, struct tree *tree,
			struct report *report)
{
	const char *path = json_string_value(json_object_get(problem, "path"));
	const char *message = json_string_value(json_object_get(problem, "message"));
	HALE_CLEANUP(cleanup_free)
	char *pointer = slice_pointer(p->process->slice, path == NULL ? "" : path);
	const struct node *node = node_at(tree_root(tree), pointer);
	struct conf_mark mark = node == NULL ? (struct conf_mark){0} : node->mark;

	report_add(report, &mark, tree_source_line(tree, &mark), NULL, "%s",
		   message == NULL ? "not accepted" : message);
}

/* Returns how many problems were understood. */
static size_t read_problems(const struct probe *p, struct tree *tree, struct report *report)
{
	HALE_CLEANUP(cleanup_free) char *text = mem_dup(str_text(&p->out));
	char *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		json_t *problem = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		if (json_is_object(problem)) {
			add_problem(p, problem, tree, report);
			n++;
		}
		json_decref(problem);
	}
	return n;
}

static void finish_probe(struct probe *p, bool is_late, struct tree *tree, struct report *report)
{
	struct conf_mark nowhere = {0};
	int status = 0;
	size_t problems;

	if (is_late)
		(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	problems = read_problems(p, tree, report);
	if (problems == 0 && is_late)
		report_add(report, &nowhere, NULL, NULL,
			   "%s did not finish checking its configuration in %d s", p->process->name,
			   DEEPCHECK_TIMEOUT_MS / 1000);
	else if (problems == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		report_add(report, &nowhere, NULL, NULL,
			   "%s --check failed (%s %d) without saying why", p->process->program,
			   WIFSIGNALED(status) ? "signal" : "exit code",
			   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	close(p->fd);
	str_done(&p->out);
}

void deepcheck_run(const struct config *c, struct tree *tree, struct report *report)
{
	struct probe *probes = mem_array(c->processes_n, sizeof(*probes));
	int64_t deadline_ms = clock_mono_ms() + DEEPCHECK_TIMEOUT_MS;
	size_t n = 0;

	for (size_t i = 0; i < c->processes_n; i++) {
		struct err err;

		if (c->processes[i].is_user)
			continue;
		if (start_probe(&probes[n], &c->processes[i], &err) == 0)
			n++;
		else
			report_add(report, &(struct conf_mark){0}, NULL, NULL, "%s", err.text);
	}
	collect(probes, n, deadline_ms);
	for (size_t i = 0; i < n; i++)
		finish_probe(&probes[i], clock_mono_ms() >= deadline_ms, tree, report);
	free(probes);
}
