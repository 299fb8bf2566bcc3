/* SPDX-License-Identifier: Apache-2.0 */
/* replay - gives a fuzzer its corpus, each input whole, cut off, and bent in ways that repeat
 *
 * Usage: replay CORPUS_DIRECTORY. Without libFuzzer, so that every build has it; what bends is a
 * generator with a fixed seed, so that a failure comes again.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Inputs are examples of a protocol, not loads. */
#define INPUT_MAX_BYTES 65536
/* So many of each input that all of them take seconds under the sanitizers. */
#define BENT_PER_INPUT  400
#define CUTS_MAX        256
#define BITES_MAX       8 /* changes in one bent input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t seed = 0x9e3779b97f4a7c15u;

/* xorshift64* */
static uint64_t next(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1du;
}

/* A copy of exactly that size, so that reading beyond it is seen. */
static void give(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size > 0 ? size : 1);

	if (exact == NULL)
		abort();
	if (size > 0)
		memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void bite(uint8_t *data, size_t *size)
{
	size_t at = next() % *size, n = next() % (*size - at) + 1;

	switch (next() % 5) {
	case 0:
		data[at] ^= (uint8_t)(1u << next() % 8);
		break;
	case 1:
		data[at] = (uint8_t)next();
		break;
	case 2:
		memmove(data + at, data + at + n, *size - at - n);
		*size -= n;
		break;
	case 3:
		if (*size + n <= INPUT_MAX_BYTES) {
			memmove(data + at + n, data + at, *size - at);
			*size += n;
		}
		break;
	default:
		memset(data + at, "\xff\0009\n "[next() % 5], n);
	}
}

static void bend(const uint8_t *data, size_t size)
{
	static uint8_t bent[INPUT_MAX_BYTES];

	for (size_t i = 0; i < BENT_PER_INPUT; i++) {
		size_t n = size;

		memcpy(bent, data, size);
		for (uint64_t bites = next() % BITES_MAX + 1; bites > 0 && n > 0; bites--)
			bite(bent, &n);
		give(bent, n);
	}
}

static void replay(const uint8_t *data, size_t size)
{
	size_t step = size / CUTS_MAX + 1;

	give(data, size);
	for (size_t n = 0; n < size; n += step)
		give(data, n);
	bend(data, size);
}

static int replay_file(const char *folder, const char *name)
{
	static uint8_t data[INPUT_MAX_BYTES];
	char path[4096];
	size_t size;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return -1;
	}
	size = fread(data, 1, sizeof(data), f);
	(void)fclose(f);
	replay(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	struct dirent **found = NULL;
	int n = argc == 2 ? scandir(argv[1], &found, NULL, alphasort) : -1, given = 0, rc = 0;

	for (int i = 0; i < n; i++) {
		if (found[i]->d_name[0] != '.') {
			rc |= replay_file(argv[1], found[i]->d_name);
			given++;
		}
		free(found[i]);
	}
	free(found);
	if (given == 0) {
		fprintf(stderr, "usage: %s DIRECTORY with at least one input\n", argv[0]);
		return 2;
	}
	printf("%d inputs\n", given);
	return rc == 0 ? 0 : 1;
}
