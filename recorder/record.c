/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"

#define CRC_AT         4
#define SUMMED_AT      8
#define NUMBER_AT      8
#define SEQ_AT         16
#define LEN_AT         24
#define TOPIC_AT       28
#define EPOCH_AT       29
#define NAME_BYTES_MAX 255
/* Topic, epoch and text each end in a NUL. */
#define NULS           3

void record_put(char *to, uint64_t n, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (char)(unsigned char)(n >> (8 * i));
}

uint64_t record_get(const char *from, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n |= (uint64_t)(unsigned char)from[i] << (8 * i);
	return n;
}

/* Of the reflected polynomial EDB88320, eight bytes at a time ("slicing by 8", Kounavis and Berry,
 * 2005): what waits on disk is summed as a whole at each start, before the bus is followed, and may
 * be hundreds of megabytes. */
#define SLICES 8
static uint32_t slices[SLICES][256];
static pthread_once_t slices_made = PTHREAD_ONCE_INIT;

static void make_slices(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
		slices[0][i] = crc;
	}
	for (size_t slice = 1; slice < SLICES; slice++)
		for (size_t i = 0; i < 256; i++)
			slices[slice][i] =
				(slices[slice - 1][i] >> 8) ^ slices[0][slices[slice - 1][i] & 255];
}

static uint32_t crc_of_eight(uint32_t crc, const char *data)
{
	uint64_t n = record_get(data, SLICES) ^ crc;
	uint32_t sum = 0;

	for (size_t i = 0; i < SLICES; i++)
		sum ^= slices[SLICES - 1 - i][(n >> (8 * i)) & 255];
	return sum;
}

uint32_t record_crc(const char *data, size_t len)
{
	uint32_t crc = UINT32_MAX;
	size_t i = 0;

	(void)pthread_once(&slices_made, make_slices);
	for (; i + SLICES <= len; i += SLICES)
		crc = crc_of_eight(crc, data + i);
	for (; i < len; i++)
		crc = (crc >> 8) ^ slices[0][(crc ^ (unsigned char)data[i]) & 255];
	return ~crc;
}

size_t record_size(const struct store_line *line)
{
	return RECORD_HEAD_BYTES + NULS + strlen(line->topic) + strlen(line->epoch) + line->len;
}

void record_write(char *to, uint64_t number, const struct store_line *line)
{
	size_t topic_len = strlen(line->topic), epoch_len = strlen(line->epoch);
	char *at = to + RECORD_HEAD_BYTES;

	HALE_ASSERT(topic_len <= NAME_BYTES_MAX && epoch_len <= NAME_BYTES_MAX);
	memset(to, 0, RECORD_HEAD_BYTES);
	record_put(to, record_size(line), 4);
	record_put(to + NUMBER_AT, number, 8);
	record_put(to + SEQ_AT, line->seq, 8);
	record_put(to + LEN_AT, line->len, 4);
	record_put(to + TOPIC_AT, topic_len, 1);
	record_put(to + EPOCH_AT, epoch_len, 1);
	memcpy(at, line->topic, topic_len + 1);
	at += topic_len + 1;
	memcpy(at, line->epoch, epoch_len + 1);
	at += epoch_len + 1;
	memcpy(at, line->text, line->len);
	at[line->len] = '\0';
}

void record_seal(char *record)
{
	size_t size = (size_t)record_get(record, 4);

	record_put(record + CRC_AT, record_crc(record + SUMMED_AT, size - SUMMED_AT), 4);
}

void record_read(const char *data, struct record *r_r)
{
	size_t topic_len = (size_t)record_get(data + TOPIC_AT, 1);
	size_t epoch_len = (size_t)record_get(data + EPOCH_AT, 1);
	const char *topic = data + RECORD_HEAD_BYTES;

	*r_r = (struct record){
		.number = record_get(data + NUMBER_AT, 8),
		.size = (size_t)record_get(data, 4),
		.line = {.topic = topic,
			 .epoch = topic + topic_len + 1,
			 .seq = record_get(data + SEQ_AT, 8),
			 .text = topic + topic_len + 1 + epoch_len + 1,
			 .len = (size_t)record_get(data + LEN_AT, 4)},
	};
}

size_t record_wants(const char *data, size_t len)
{
	size_t size = len < RECORD_HEAD_BYTES ? 0 : (size_t)record_get(data, 4);

	return size < RECORD_HEAD_BYTES + NULS || size > RECORD_MAX_BYTES ? 0 : size;
}

uint64_t record_number(const char *data)
{
	return record_get(data + NUMBER_AT, 8);
}

bool record_check(const char *data, size_t len, struct record *r_r)
{
	size_t size = record_wants(data, len);
	struct record r;

	if (size == 0 || size > len ||
	    record_get(data + CRC_AT, 4) != record_crc(data + SUMMED_AT, size - SUMMED_AT))
		return false;
	record_read(data, &r);
	/* What has the right sum was written by us; the rest says that it was by this version. */
	if (r.line.text + r.line.len + 1 != data + size || r.line.text[r.line.len] != '\0' ||
	    r.line.text[-1] != '\0' || r.line.epoch[-1] != '\0')
		return false;
	*r_r = r;
	return true;
}

char *record_of(const struct store_line *line)
{
	return (char *)(uintptr_t)(line->topic - RECORD_HEAD_BYTES);
}
