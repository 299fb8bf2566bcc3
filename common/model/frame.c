/* SPDX-License-Identifier: Apache-2.0 */
#include "model/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Topics are ours and plain; an epoch holds a service name and a number, or a random id. */
static bool is_topic_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

static bool is_epoch_char(char c)
{
	return c > ' ' && c < 0x7f;
}

/* Copies the word up to the next blank and steps over both; -EINVAL if empty, too long or odd. */
static int take_word(const char **p, const char *stop, bool (*is_char)(char), char *word,
		     size_t size)
{
	size_t n = 0;

	for (; *p < stop && **p != ' '; (*p)++) {
		if (n + 1 >= size || !is_char(**p))
			return -EINVAL;
		word[n++] = **p;
	}
	if (n == 0 || *p == stop)
		return -EINVAL;
	(*p)++;
	word[n] = '\0';
	return 0;
}

static int take_number(const char **p, const char *stop, uint64_t max, uint64_t *n_r)
{
	const char *start = *p;
	uint64_t n = 0;

	for (; *p < stop && **p >= '0' && **p <= '9'; (*p)++) {
		uint64_t digit = (uint64_t)(**p - '0');

		if (n > (max - digit) / 10)
			return -EINVAL;
		n = n * 10 + digit;
	}
	*n_r = n;
	return *p == start ? -EINVAL : 0;
}

/* What follows the four words: nothing, or the version and whatever it brings along. */
static int parse_version(const char *p, const char *stop)
{
	uint64_t version;

	if (p == stop)
		return 0;
	if (stop - p < 3 || *p++ != ' ' || *p++ != 'v' ||
	    take_number(&p, stop, UINT32_MAX, &version) < 0 || (p < stop && *p != ' '))
		return -EINVAL;
	if (version > FRAME_VERSION)
		return -EPROTONOSUPPORT;
	return version == FRAME_VERSION && p == stop ? 0 : -EINVAL;
}

static int parse_header(const char *p, const char *stop, struct frame *f)
{
	uint64_t count;

	if (take_word(&p, stop, is_topic_char, f->topic, sizeof(f->topic)) < 0 ||
	    take_word(&p, stop, is_epoch_char, f->epoch, sizeof(f->epoch)) < 0 ||
	    take_number(&p, stop, UINT64_MAX, &f->first_seq) < 0 || p == stop || *p++ != ' ' ||
	    take_number(&p, stop, UINT32_MAX, &count) < 0)
		return -EINVAL;
	/* A number past the end would make the receiver's "next expected" wrap to zero. */
	if (f->first_seq > UINT64_MAX - count)
		return -EINVAL;
	f->count = (uint32_t)count;
	return parse_version(p, stop);
}

static uint64_t count_newlines(const char *p, size_t len)
{
	const char *stop = p + len;
	uint64_t n = 0;

	while (p < stop && (p = memchr(p, '\n', (size_t)(stop - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

int frame_parse(const char *data, size_t len, struct frame *f_r)
{
	struct frame f = {0};
	const char *nl;
	int rc;

	if (len == 0 || len > FRAME_MAX_BYTES)
		return -EINVAL;
	nl = memchr(data, '\n', len);
	rc = nl == NULL ? -EINVAL : parse_header(data, nl, &f);
	if (rc == -EPROTONOSUPPORT)
		*f_r = f;
	if (rc < 0)
		return rc;
	f.lines = nl + 1;
	f.lines_len = len - (size_t)(f.lines - data);
	if (f.lines_len > 0 && data[len - 1] != '\n')
		return -EINVAL;
	if (count_newlines(f.lines, f.lines_len) != f.count)
		return -EINVAL;
	*f_r = f;
	return 0;
}

void frame_format(struct str *out, const char *topic, const char *epoch, uint64_t first_seq,
		  uint32_t count, const char *lines, size_t lines_len)
{
	HALE_ASSERT(topic[0] != '\0' && strlen(topic) < FRAME_TOPIC_MAX);
	HALE_ASSERT(epoch[0] != '\0' && strlen(epoch) < FRAME_EPOCH_MAX);
	HALE_ASSERT(strchr(epoch, ' ') == NULL);
	HALE_ASSERT(lines_len == 0 ? count == 0 : lines[lines_len - 1] == '\n');
	str_addf(out, "%s %s %" PRIu64 " %" PRIu32 "\n", topic, epoch, first_seq, count);
	str_addn(out, lines, lines_len);
}

bool frame_line(const struct frame *f, size_t *cursor, const char **line_r, size_t *len_r)
{
	const char *line, *nl;

	if (*cursor >= f->lines_len)
		return false;
	line = f->lines + *cursor;
	nl = memchr(line, '\n', f->lines_len - *cursor);
	HALE_ASSERT(nl != NULL);
	*line_r = line;
	*len_r = (size_t)(nl - line);
	*cursor += *len_r + 1;
	return true;
}
