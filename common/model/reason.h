/* SPDX-License-Identifier: Apache-2.0 */
/* reason - why a check ended as it did: one table of stable codes
 *
 * Each row has the code (wire, store, API, alerts), the outcome it stands for, and a short text
 * used when the checker has nothing better to say. To add a reason, add a row.
 */
#ifndef HALE_MODEL_REASON_H
#define HALE_MODEL_REASON_H

#include "model/status.h"

#include <stdbool.h>

/* X(enum suffix, code, outcome, default text) */
#define REASON_TABLE(X)                                                                            \
	X(OK, "ok", OUTCOME_PASS, "OK")                                                            \
	X(NO_DATA, "no_data", OUTCOME_ERROR, "No data")                                            \
	X(DNS_FAILED, "dns_failed", OUTCOME_DOWN, "Name does not resolve")                         \
	X(CONN_REFUSED, "conn_refused", OUTCOME_DOWN, "Connection refused")                        \
	X(CONN_RESET, "conn_reset", OUTCOME_DOWN, "Connection reset")                              \
	X(CONN_CLOSED, "conn_closed", OUTCOME_DOWN, "Connection closed without an answer")         \
	X(UNREACHABLE, "unreachable", OUTCOME_DOWN, "Unreachable")                                 \
	X(TIMEOUT, "timeout", OUTCOME_DOWN, "Timed out")                                           \
	X(TIMEOUT_DNS, "timeout_dns", OUTCOME_DOWN, "Timed out resolving the name")                \
	X(TIMEOUT_CONNECT, "timeout_connect", OUTCOME_DOWN, "Timed out connecting")                \
	X(TIMEOUT_TLS, "timeout_tls", OUTCOME_DOWN, "Timed out in the TLS handshake")              \
	X(TIMEOUT_READ, "timeout_read", OUTCOME_DOWN, "Timed out waiting for the answer")          \
	X(TLS_FAILED, "tls_failed", OUTCOME_FAIL, "TLS handshake failed")                          \
	X(TLS_CERT, "tls_cert", OUTCOME_FAIL, "Certificate not trusted")                           \
	X(TLS_EXPIRED, "tls_expired", OUTCOME_FAIL, "Certificate expired")                         \
	X(PROTOCOL, "protocol_error", OUTCOME_FAIL, "Answer breaks the protocol")                  \
	X(TOO_LARGE, "too_large", OUTCOME_FAIL, "Answer too large")                                \
	X(HTTP_STATUS, "http_status", OUTCOME_FAIL, "Unexpected HTTP status")                      \
	X(HTTP_AUTH, "http_auth", OUTCOME_FAIL, "Not authorised")                                  \
	X(HTTP_RATE_LIMITED, "http_rate_limited", OUTCOME_FAIL, "Rate limited")                    \
	X(BODY_MISMATCH, "body_mismatch", OUTCOME_FAIL, "Body not as expected")                    \
	X(BODY_NOT_JSON, "body_not_json", OUTCOME_FAIL, "Body is not JSON")                        \
	X(EXPR_ERROR, "expression_error", OUTCOME_ERROR, "Expression failed")                      \
	X(SQL_ERROR, "sql_error", OUTCOME_FAIL, "Query failed")                                    \
	X(SQL_AUTH, "sql_auth", OUTCOME_FAIL, "Database login refused")                            \
	X(SQL_NO_ROW, "sql_no_row", OUTCOME_FAIL, "Query returned no row")                         \
	X(SQL_MISMATCH, "sql_mismatch", OUTCOME_FAIL, "Value not as expected")                     \
	X(LIMIT_WARN, "limit_warn", OUTCOME_WARN, "Over the soft limit")                           \
	X(LIMIT_FAIL, "limit_fail", OUTCOME_FAIL, "Over the hard limit")                           \
	X(EXEC_WARN, "exec_warning", OUTCOME_WARN, "Plugin says warning")                          \
	X(EXEC_CRITICAL, "exec_critical", OUTCOME_FAIL, "Plugin says critical")                    \
	X(EXEC_UNKNOWN, "exec_unknown", OUTCOME_ERROR, "Plugin says unknown")                      \
	X(EXEC_SIGNAL, "exec_signal", OUTCOME_ERROR, "Command was killed by a signal")             \
	X(EXEC_FAILED, "exec_failed", OUTCOME_ERROR, "Command could not be run")                   \
	X(THRESHOLD, "threshold", OUTCOME_WARN, "Threshold crossed")                               \
	X(PROCESS_DOWN, "process_down", OUTCOME_DOWN, "Process is not running")                    \
	X(PROCESS_STARTING, "process_starting", OUTCOME_WARN, "Process is starting")               \
	X(CRASH_LOOP, "crash_loop", OUTCOME_FAIL, "Process keeps crashing")                        \
	X(CONFIG, "config_error", OUTCOME_ERROR, "Configuration does not work")                    \
	X(INTERNAL, "internal_error", OUTCOME_ERROR, "Internal error")                             \
	X(CANCELLED, "cancelled", OUTCOME_ERROR, "Check was cancelled")                            \
	X(TOLD, "told", OUTCOME_FAIL, "As told")

enum reason {
#define REASON_ENUM(name, code, outcome, text) REASON_##name,
	REASON_TABLE(REASON_ENUM)
#undef REASON_ENUM
		REASON_MAX
};

const char *reason_code(enum reason r);
enum outcome reason_outcome(enum reason r);
const char *reason_text(enum reason r);
bool reason_from_code(const char *code, enum reason *r_r);

#endif
