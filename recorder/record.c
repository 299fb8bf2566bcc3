/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

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

/* Of the reflected polynomial EDB88320, four bits at a time: the table is small enough to stand
 * here, and disks are slower. */
uint32_t record_crc(const char *data, size_t len)
{
	static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
					   0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
					   0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
					   0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= (unsigned char)data[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
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
