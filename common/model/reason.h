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
	X(NOT_CONFIGURED, "not_configured", OUTCOME_ERROR, "Not configured")                       \
	X(OWN_NETWORK, "own_network", OUTCOME_ERROR, "This host itself has no network")            \
	X(AUTH_FAILED, "auth_failed", OUTCOME_FAIL, "Login refused")                               \
	X(UNEXPECTED_REPLY, "unexpected_reply", OUTCOME_FAIL, "Unexpected reply")                  \
	X(VALUE_MISMATCH, "value_mismatch", OUTCOME_FAIL, "Value not as expected")                 \
	X(ENDPOINTS_FAIL, "endpoints_fail", OUTCOME_WARN, "Some endpoints fail")                   \
	X(TLS_VERSION, "tls_version", OUTCOME_FAIL, "TLS version too old")                         \
	X(DNS_RCODE, "dns_rcode", OUTCOME_FAIL, "Name server reports an error")                    \
	X(DNS_ANSWER, "dns_answer", OUTCOME_FAIL, "DNS answer not as expected")                    \
	X(AGING, "aging", OUTCOME_WARN, "Data are getting old")                                    \
	X(STALE, "stale", OUTCOME_FAIL, "Data are too old")                                        \
	X(DIFFERENT, "different", OUTCOME_WARN, "Sources differ")                                  \
	X(SOURCE_FAILED, "source_failed", OUTCOME_ERROR, "Source could not be read")               \
	X(OUTSIDE_SCHEDULE, "outside_schedule", OUTCOME_PASS, "Outside schedule")                  \
	X(MISSED_RUN, "missed_run", OUTCOME_WARN, "Missed last run")                               \
	X(MISSED_RUNS, "missed_runs", OUTCOME_FAIL, "Multiple runs missed")                        \
	X(JOB_FAILED, "job_failed", OUTCOME_FAIL, "Last run failed")                               \
	X(NO_PING, "no_ping", OUTCOME_ERROR, "No ping has come yet")                               \
	X(LATE, "late", OUTCOME_WARN, "Ping is late")                                              \
	X(OVERDUE, "overdue", OUTCOME_FAIL, "Ping is overdue")                                     \
	X(UNITS_DOWN, "units_down", OUTCOME_WARN, "Some units are not running")                    \
	X(UNIT_DOWN, "unit_down", OUTCOME_FAIL, "Unit is not running")                             \
	X(UNIT_CHANGING, "unit_changing", OUTCOME_WARN, "Unit is starting or stopping")            \
	X(NO_BUS, "no_bus", OUTCOME_ERROR, "No system bus")                                        \
	X(PROCESS_COUNT, "process_count", OUTCOME_FAIL, "Number of processes not as expected")     \
	X(FILE_MISSING, "file_missing", OUTCOME_FAIL, "File is not there")                         \
	X(FILE_MISMATCH, "file_mismatch", OUTCOME_FAIL, "File not as expected")                    \
	X(FILE_UNREADABLE, "file_unreadable", OUTCOME_ERROR, "File could not be read")             \
	X(IB_CONNECTING, "ib_connecting", OUTCOME_WARN, "CONNECTING")                              \
	X(CLIENT_ID_IN_USE, "client_id_in_use", OUTCOME_FAIL, "Client id is already in use")       \
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
	X(STORE_UNAVAILABLE, "store_unavailable", OUTCOME_WARN, "Store cannot be used")            \
	X(STORE_BACKLOG, "store_backlog", OUTCOME_WARN, "Store does not keep up")                  \
	X(STORE_LOST, "store_lost", OUTCOME_WARN, "History was lost")                              \
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
