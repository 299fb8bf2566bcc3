/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "api.h"
#include "stream.h"

static void api_routes(struct web *web, struct request *rq)
{
	(void)web;
	request_answer(rq, 200, reply_json(json_pack("{s:o}", "routes", routes_describe())));
}

const struct route routes[] = {
	{"GET", "/", ROLE_PUBLIC, 0, api_page, "The dashboard", NULL},
	{"GET", "/ui/{file}", ROLE_PUBLIC, 0, api_asset, "The dashboard's files", NULL},
	{"GET", "/health", ROLE_PUBLIC, 0, api_health,
	 "Overall status: 200 when healthy, 503 otherwise; components where details are public",
	 NULL},
	{"GET", "/health/{component}", ROLE_VIEWER, ROUTE_DETAIL, api_health_component,
	 "One component: 200 when healthy, 503 otherwise, 404 if there is none", NULL},
	{"GET", "/livez", ROLE_PUBLIC, 0, api_livez, "hale-web itself is alive: always 200", NULL},
	{"GET", "/readyz", ROLE_PUBLIC, 0, api_readyz, "hale-web has haled's state: 200, else 503",
	 NULL},
	{"GET", "/ping/{token}", ROLE_PUBLIC, 0, api_ping, "A job ran: heartbeat of that token",
	 api_ping_query},
	{"POST", "/ping/{token}", ROLE_PUBLIC, 0, api_ping, "The same, with a log", api_ping_query},
	{"GET", "/ping/{token}/{signal}", ROLE_PUBLIC, 0, api_ping_signal,
	 "A job began (start), failed (fail), ended (0 to 255) or says something (log)",
	 api_ping_query},
	{"POST", "/ping/{token}/{signal}", ROLE_PUBLIC, 0, api_ping_signal, "The same, with a log",
	 api_ping_query},
	{"GET", "/metrics", ROLE_PUBLIC, 0, api_metrics, "Prometheus text", NULL},
	{"GET", "/api/v1/health", ROLE_VIEWER, 0, api_state,
	 "Everything as it stands, as `hale status -o json`", NULL},
	{"GET", "/api/v1/health/history", ROLE_VIEWER, 0, api_history,
	 "What is stored, newest first: check results, or `what`; with `metric` its series",
	 api_history_query},
	{"GET", "/api/v1/health/export", ROLE_ADMIN, 0, api_export,
	 "What is stored, oldest first, as a file of any length: JSON, NDJSON or CSV",
	 api_export_query},
	{"GET", "/api/v1/health/metrics/summary", ROLE_VIEWER, 0, api_metrics_summary,
	 "Least, mean, greatest and last of each metric over a time", api_summary_query},
	{"GET", "/api/v1/health/uptime", ROLE_VIEWER, 0, api_uptime,
	 "Uptime, outages and SLA of a component, or of all", api_uptime_query},
	{"GET", "/api/v1/health/statistics", ROLE_VIEWER, 0, api_statistics,
	 "Counts, and uptime of 24 hours, 7 and 30 days", api_statistics_query},
	{"GET", "/api/v1/components", ROLE_VIEWER, 0, api_components, "All components", NULL},
	{"GET", "/api/v1/components/{id}", ROLE_VIEWER, 0, api_component, "One component", NULL},
	{"GET", "/api/v1/components/{id}/metrics", ROLE_VIEWER, 0, api_component_metrics,
	 "What one component measured last, with its thresholds", NULL},
	{"GET", "/api/v1/processes", ROLE_VIEWER, 0, api_processes, "All processes", NULL},
	{"GET", "/api/v1/processes/{name}", ROLE_VIEWER, 0, api_process, "One process", NULL},
	{"POST", "/api/v1/processes/{name}/restart", ROLE_OPERATOR, 0, api_process_restart,
	 "Restarts a process", NULL},
	{"POST", "/api/v1/processes/{name}/stop", ROLE_OPERATOR, 0, api_process_stop,
	 "Stops a process until it is started again", NULL},
	{"POST", "/api/v1/processes/{name}/start", ROLE_OPERATOR, 0, api_process_start,
	 "Starts a stopped or held process", NULL},
	{"GET", "/api/v1/events", ROLE_VIEWER, 0, api_events,
	 "Stored events, newest first, or `what`", api_events_query},
	{"POST", "/api/v1/monitoring/stop", ROLE_OPERATOR, 0, api_monitoring_stop,
	 "Pauses monitoring: nothing is checked and no alert moves", NULL},
	{"POST", "/api/v1/monitoring/start", ROLE_OPERATOR, 0, api_monitoring_start,
	 "Monitoring goes on", NULL},
	{"POST", "/api/v1/reload", ROLE_OPERATOR, 0, api_reload,
	 "Validates the configuration file and puts it in force", NULL},
	{"GET", "/api/v1/stream", ROLE_PUBLIC, ROUTE_STREAM, stream_accept,
	 "WebSocket: a snapshot, then every change", NULL},
	{"GET", "/api/v1/routes", ROLE_PUBLIC, 0, api_routes, "This table", NULL},
	{0},
};

json_t *routes_describe(void)
{
	json_t *out = json_array();
	for (const struct route *r = routes; r->method; r++) {
		json_t *query = json_array();
		for (size_t i = 0; r->query && r->query[i]; i++)
			json_array_append_new(query, json_string(r->query[i]));
		json_array_append_new(out, json_pack("{s:s,s:s,s:s,s:s,s:o}", "method", r->method,
						     "path", r->pattern, "access", route_access(r),
						     "doc", r->doc, "query", query));
	}
	return out;
}
