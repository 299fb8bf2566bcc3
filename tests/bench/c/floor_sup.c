/* SPDX-License-Identifier: Apache-2.0 */
/* B2 floor: the least that restarts a child. posix_spawn, waitpid, again, at once. */
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	for (;;) {
		pid_t pid;
		int st;
		if (posix_spawn(&pid, argv[1], NULL, NULL, argv + 1, environ) != 0)
			return 3;
		if (waitpid(pid, &st, 0) != pid)
			return 4;
	}
}
