/* SPDX-License-Identifier: Apache-2.0 */
#include "redis_command.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* sub: the only second words allowed ("a|b"); NULL: anything may follow. */
static const struct {
	const char *name;
	const char *sub;
} allowed[] = {
	{"BITCOUNT", NULL},
	{"CLUSTER", "INFO|KEYSLOT|COUNTKEYSINSLOT|MYID"},
	{"DBSIZE", NULL},
	{"ECHO", NULL},
	{"EXISTS", NULL},
	{"EXPIRETIME", NULL},
	{"GET", NULL},
	{"GETBIT", NULL},
	{"GETRANGE", NULL},
	{"HEXISTS", NULL},
	{"HGET", NULL},
	{"HLEN", NULL},
	{"HMGET", NULL},
	{"HSTRLEN", NULL},
	{"LASTSAVE", NULL},
	{"LINDEX", NULL},
	{"LLEN", NULL},
	{"LPOS", NULL},
	{"LRANGE", NULL},
	{"MEMORY", "USAGE"},
	{"MGET", NULL},
	{"OBJECT", "ENCODING|FREQ|IDLETIME|REFCOUNT"},
	{"PEXPIRETIME", NULL},
	{"PTTL", NULL},
	{"PUBSUB", "CHANNELS|NUMPAT|NUMSUB|SHARDCHANNELS|SHARDNUMSUB"},
	{"ROLE", NULL},
	{"SCARD", NULL},
	{"SENTINEL",
	 "CKQUORUM|GET-MASTER-ADDR-BY-NAME|MASTER|MASTERS|MYID|REPLICAS|SENTINELS|SLAVES"},
	{"SISMEMBER", NULL},
	{"SLOWLOG", "LEN"},
	{"SMISMEMBER", NULL},
	{"STRLEN", NULL},
	{"TIME", NULL},
	{"TTL", NULL},
	{"TYPE", NULL},
	{"XINFO", "CONSUMERS|GROUPS|STREAM"},
	{"XLEN", NULL},
	{"XPENDING", NULL},
	{"XRANGE", NULL},
	{"XREVRANGE", NULL},
	{"ZCARD", NULL},
	{"ZCOUNT", NULL},
	{"ZLEXCOUNT", NULL},
	{"ZMSCORE", NULL},
	{"ZRANGE", NULL},
	{"ZRANK", NULL},
	{"ZREVRANK", NULL},
	{"ZSCORE", NULL},
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; *at != '\0'; at += *at == '|') {
		size_t n = strcspn(at, "|");

		if (n == len && strncasecmp(at, word, len) == 0)
			return true;
		at += n;
	}
	return false;
}

int redis_command_check(const struct strlist *command, struct err *err)
{
	const char *names[ARRAY_LEN(allowed) + 1] = {0};
	const char *near;

	if (command->n == 0)
		return err_set(err, -EINVAL, "a command has a name at least");
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		names[i] = allowed[i].name;
		if (strcasecmp(command->v[0], allowed[i].name) != 0)
			continue;
		if (allowed[i].sub == NULL)
			return 0;
		if (command->n > 1 && has_word(allowed[i].sub, command->v[1]))
			return 0;
		return err_set(err, -EINVAL, "of %s a check may only ask %s", allowed[i].name,
			       allowed[i].sub);
	}
	near = suggest_nearest(command->v[0], names);
	return err_set(err, -EINVAL,
		       "'%.40s' is not one of the commands that only look; did you mean %s?",
		       command->v[0], near != NULL ? near : "GET, LLEN or ZCARD");
}
