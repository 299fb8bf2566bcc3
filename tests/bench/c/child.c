/* SPDX-License-Identifier: Apache-2.0 */
/* B2: the supervised child. Its first act is to write {pid, CLOCK_MONOTONIC ns} to the
 * FIFO named by argv[1]; then it waits to be killed. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	if (argc < 2)
		return 2;
	if (argc > 2) { /* a pid file, for supervisors that need one */
		int p = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0644);
		char b[32];
		int n = snprintf(b, sizeof b, "%d\n", (int)getpid());
		if (p < 0 || write(p, b, (size_t)n) != n)
			return 3;
		close(p);
	}
	int fd = open(argv[1], O_WRONLY);
	int64_t rec[2] = {getpid(), (int64_t)t.tv_sec * 1000000000 + t.tv_nsec};
	if (fd < 0 || write(fd, rec, sizeof rec) != (ssize_t)sizeof rec)
		return 4;
	close(fd);
	for (;;)
		pause();
}
