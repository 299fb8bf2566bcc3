/* SPDX-License-Identifier: Apache-2.0 */
/* pq - libpq, loaded when the first PostgreSQL database is really used (private to this layer)
 *
 * libpq brings Kerberos, LDAP and two TLS libraries with it: to be linked with it costs a process
 * some 3.5 ms of its start and a megabyte, and most installations have SQLite alone. So its
 * functions are called through a table: pq.PQfinish(conn), with the types of libpq-fe.h.
 *
 * The table is filled by pq_load() and never emptied; pg_target_parse() calls it, and nobody has a
 * connection or a result without a target. What a confined process needs for it (reading /usr and
 * mapping a file as code) is allowed for its whole life.
 * Threads: pq_load() from any; the table is constant once it returned 0.
 */
#ifndef HALE_DB_PQ_H
#define HALE_DB_PQ_H

#include "base/err.h"

#include <libpq-fe.h>

/* Every function of libpq that this layer calls. */
#define PQ_TABLE(X)                                                                                \
	X(PQbackendPID)                                                                            \
	X(PQcancel)                                                                                \
	X(PQcmdStatus)                                                                             \
	X(PQcmdTuples)                                                                             \
	X(PQclear)                                                                                 \
	X(PQconnectPoll)                                                                           \
	X(PQconnectStartParams)                                                                    \
	X(PQconninfoFree)                                                                          \
	X(PQconninfoParse)                                                                         \
	X(PQconsumeInput)                                                                          \
	X(PQenterPipelineMode)                                                                     \
	X(PQerrorMessage)                                                                          \
	X(PQfinish)                                                                                \
	X(PQflush)                                                                                 \
	X(PQfname)                                                                                 \
	X(PQfreeCancel)                                                                            \
	X(PQfreemem)                                                                               \
	X(PQftype)                                                                                 \
	X(PQgetCancel)                                                                             \
	X(PQgetResult)                                                                             \
	X(PQgetisnull)                                                                             \
	X(PQgetlength)                                                                             \
	X(PQgetvalue)                                                                              \
	X(PQisBusy)                                                                                \
	X(PQnfields)                                                                               \
	X(PQntuples)                                                                               \
	X(PQpipelineSync)                                                                          \
	X(PQresultErrorField)                                                                      \
	X(PQresultStatus)                                                                          \
	X(PQsendPrepare)                                                                           \
	X(PQsendQuery)                                                                             \
	X(PQsendQueryParams)                                                                       \
	X(PQsendQueryPrepared)                                                                     \
	X(PQsetErrorVerbosity)                                                                     \
	X(PQsetNoticeReceiver)                                                                     \
	X(PQsetSingleRowMode)                                                                      \
	X(PQsetnonblocking)                                                                        \
	X(PQsocket)                                                                                \
	X(PQsslInUse)                                                                              \
	X(PQstatus)                                                                                \
	X(PQtransactionStatus)

struct pq_functions {
#define PQ_MEMBER(name) __typeof__(name) *name;
	PQ_TABLE(PQ_MEMBER)
#undef PQ_MEMBER
};

extern struct pq_functions pq;

/* "libpq.so.5"; a test names another. */
extern const char *pq_library;

/* 0, or -ENOSYS with a text that says what to install; then the table is as it was. What failed is
 * tried again by the next call: whoever installs the library need not restart anything. */
int pq_load(struct err *err);

#endif
