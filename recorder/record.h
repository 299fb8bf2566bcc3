/* SPDX-License-Identifier: Apache-2.0 */
/* record - one waiting line as bytes, the same in memory and on disk
 *
 * Pure. Little-endian: size u32, crc u32, number u64, seq u64, text length u32, lengths of topic
 * and epoch u8 each, zero u16; then topic, epoch and text, each with a NUL. The CRC (IEEE 802.3) is
 * over all behind it and is filled in when the record goes to disk.
 *
 * Numbers are given to lines in the order they come, over restarts too; they order lines of
 * different classes.
 *
 * Ownership: lines point into the bytes they were read from.
 */
#ifndef HALE_RECORDER_RECORD_H
#define HALE_RECORDER_RECORD_H

#include "store/line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_HEAD_BYTES 32
/* A line is bounded by FRAME_MAX_BYTES; a snapshot is all components of haled. What claims to be
 * longer is damage. */
#define RECORD_MAX_BYTES  ((size_t)64 << 20)

struct record {
	uint64_t number;
	size_t size; /* of all of it */
	struct store_line line;
};

size_t record_size(const struct store_line *line);
/* Exactly record_size() bytes; without CRC. The line's topic and epoch are shorter than 256. */
void record_write(char *to, uint64_t number, const struct store_line *line);
void record_seal(char *record);
/* Reads what record_write made, unchecked. */
void record_read(const char *data, struct record *r_r);
/* The same of foreign bytes: false if they are not a whole and sound record. */
bool record_check(const char *data, size_t len, struct record *r_r);
/* How many bytes the record needs that begins here; 0 if less than a head is there or if it is
 * none. */
size_t record_wants(const char *data, size_t len);
uint64_t record_number(const char *data); /* of a head that is there */
/* Where the record of a line that was read from one begins. */
char *record_of(const struct store_line *line);

/* Little-endian numbers, for those who write heads of their own. */
void record_put(char *to, uint64_t n, size_t bytes);
uint64_t record_get(const char *from, size_t bytes);
uint32_t record_crc(const char *data, size_t len);

#endif
