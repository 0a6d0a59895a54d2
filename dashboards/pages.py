"""The dashboards of the rendered project. The catalog says which piece each belongs to."""

from typing import Final

from dashboards.grafana import Dashboard, Panel, Query
from dashboards.queries import RANGE, error_ratio, largest, quantile, quantiles, rate, rates, slowest, total

REQUESTS: Final = "http_server_request_duration_seconds"
QUERIES: Final = "db_client_operation_duration_seconds"
WAITS: Final = "db_client_connection_wait_time_seconds"
JOBS: Final = "app_job_duration_seconds"
INBOX: Final = "app_inbox_processing_duration_seconds"
CALLS: Final = "app_external_call_duration_seconds"
AI: Final = "gen_ai_client_operation_duration_seconds"
EMAIL: Final = "app_email_send_duration_seconds"
WEBHOOKS: Final = "app_webhook_delivery_duration_seconds"
CONNECTIONS: Final = "app_realtime_connection_duration_seconds"

FAILED: Final = 'outcome="error"'
SERVER_ERROR: Final = 'http_response_status_code=~"5.."'
CLIENT_ERROR: Final = 'http_response_status_code=~"4.."'

REQUEST_RATE: Final = Panel("Requests", "reqps", [Query(f"sum (rate({REQUESTS}_count{RANGE}))", "requests")])
REQUEST_ERRORS: Final = Panel(
    "Server errors", "percentunit", [Query(error_ratio(f"{REQUESTS}_count", SERVER_ERROR), "5xx")]
)
POOL: Final = Panel(
    "Connection pools",
    "short",
    [
        Query("sum by (state) (db_client_connections_usage)", "{{state}}"),
        Query("sum (db_client_connections_max)", "max"),
    ],
    "If `used` reaches `max`, requests wait for a connection.",
)
LOOP_LAG: Final = Panel(
    "Event loop lag",
    "s",
    [Query(quantile(0.99, "app_event_loop_lag_seconds"), "p99")],
    "Above 0.1 s, some code blocks the event loop.",
)
SNAPSHOT_AGE: Final = largest(
    "Age of the figures from the database", "app_metrics_snapshot_age_seconds", "snapshot", "s"
)

OVERVIEW: Final = Dashboard(
    "app-overview",
    "Overview",
    [
        REQUEST_RATE,
        REQUEST_ERRORS,
        quantiles("Request duration", REQUESTS),
        total("Requests in progress", "http_server_active_requests"),
        total("Processes", "app_processes", "role"),
        rates("CPU", "app_process_cpu_seconds_total", "role", "percentunit", "1 is one core."),
        total("Resident memory", "app_process_resident_memory_bytes", "role", "bytes"),
        LOOP_LAG,
        POOL,
        Panel("Scraped targets", "short", [Query('sum by (instance) (up{job="app"})', "{{instance}}")]),
        SNAPSHOT_AGE,
        largest("Business figures", "app_figure", "module, figure, label"),
    ],
)
API: Final = Dashboard(
    "app-api",
    "API",
    [
        rates("Requests by route", f"{REQUESTS}_count", "http_request_method, http_route", "reqps"),
        rates("Requests by status", f"{REQUESTS}_count", "http_response_status_code", "reqps"),
        slowest("Duration by route (p95)", REQUESTS, "http_route"),
        Panel(
            "Server errors by route",
            "percentunit",
            [Query(error_ratio(f"{REQUESTS}_count", SERVER_ERROR, "http_route"), "{{http_route}}")],
        ),
        Panel(
            "Client errors by route",
            "percentunit",
            [Query(error_ratio(f"{REQUESTS}_count", CLIENT_ERROR, "http_route"), "{{http_route}}")],
        ),
        Panel(
            "Time spent by route",
            "percentunit",
            [Query(rate(f"{REQUESTS}_sum", "http_route"), "{{http_route}}")],
            "Seconds of requests per second: which routes an optimization would help most.",
        ),
    ],
)
DATABASE: Final = Dashboard(
    "app-database",
    "Database",
    [
        rates("Statements", f"{QUERIES}_count", "db_operation_name"),
        slowest("Statement duration (p95)", QUERIES, "db_operation_name"),
        Panel("Failed statements", "percentunit", [Query(error_ratio(f"{QUERIES}_count", FAILED), "failed")]),
        POOL,
        quantiles("Wait for a connection", WAITS),
        quantiles("Use of a connection", "db_client_connection_use_time_seconds", "From checkout until return."),
        largest("Last read of the figures succeeded", "app_metrics_snapshot_success", "snapshot"),
        SNAPSHOT_AGE,
    ],
)
INBOX_PAGE: Final = Dashboard(
    "app-inbox",
    "Webhook inbox",
    [
        rates("Events received", "app_inbox_received_total", "provider, result"),
        rates("Attempts", f"{INBOX}_count", "provider, outcome"),
        slowest("Processing duration (p95)", INBOX, "provider"),
        largest("Events", "app_inbox_events", "status"),
        largest("Age of the oldest pending event", "app_inbox_oldest_age_seconds", "", "s"),
        Panel(
            "Failed attempts", "percentunit", [Query(error_ratio(f"{INBOX}_count", FAILED, "provider"), "{{provider}}")]
        ),
    ],
)
JOBS_PAGE: Final = Dashboard(
    "app-jobs",
    "Jobs",
    [
        largest("Jobs by state", "app_jobs", "state"),
        largest("Age of the oldest due job", "app_jobs_oldest_age_seconds", "", "s"),
        rates("Attempts", f"{JOBS}_count", "job, outcome"),
        slowest("Duration (p95)", JOBS, "job"),
        Panel(
            "Failed attempts",
            "percentunit",
            [Query(error_ratio(f"{JOBS}_count", 'outcome!="success"', "job"), "{{job}}")],
        ),
        Panel("Workers", "short", [Query('sum (app_processes{role="worker"})', "workers")]),
    ],
)
AI_PAGE: Final = Dashboard(
    "app-ai",
    "AI",
    [
        rates("Calls", f"{AI}_count", "gen_ai_request_model, outcome"),
        slowest("Duration (p95)", AI, "gen_ai_request_model"),
        Panel(
            "Failed calls",
            "percentunit",
            [Query(error_ratio(f"{AI}_count", FAILED, "gen_ai_provider_name"), "{{gen_ai_provider_name}}")],
        ),
        rates("Tokens", "gen_ai_client_token_usage_sum", "gen_ai_request_model, gen_ai_token_type"),
        Panel(
            "Cost per hour",
            "currencyUSD",
            [
                Query(
                    "sum by (gen_ai_request_model) (rate(app_ai_cost_usd_total[1h])) * 3600", "{{gen_ai_request_model}}"
                )
            ],
        ),
        Panel(
            "Cost of 24 hours",
            "currencyUSD",
            [Query("sum by (gen_ai_provider_name) (increase(app_ai_cost_usd_total[24h]))", "{{gen_ai_provider_name}}")],
        ),
    ],
)
BILLING: Final = Dashboard(
    "app-billing",
    "Billing",
    [
        Panel(
            "Subscriptions by plan",
            "short",
            [Query('max by (label) (app_figure{figure="subscriptions_by_plan"})', "{{label}}")],
        ),
        Panel(
            "Revenue per month by plan",
            "short",
            [Query('max by (label) (app_figure{figure="revenue_by_plan"})', "{{label}}")],
        ),
        rates("Events of payment providers", "app_inbox_received_total", "provider"),
        slowest("Event processing (p95)", INBOX, "provider"),
    ],
)
CALLS_PAGE: Final = Dashboard(
    "app-calls",
    "External calls",
    [
        rates("Calls", f"{CALLS}_count", "system, outcome"),
        slowest("Duration (p95)", CALLS, "system"),
        Panel(
            "Failed calls",
            "percentunit",
            [Query(error_ratio(f"{CALLS}_count", 'outcome!="success"', "system"), "{{system}}")],
        ),
        largest("Circuit breakers", "app_circuit_breaker_state", "system", help_="0 closed, 1 half-open, 2 open."),
    ],
)
EMAIL_PAGE: Final = Dashboard(
    "app-email",
    "Email",
    [
        rates("Emails", "app_emails_total", "provider, outcome"),
        slowest("Duration of a call (p95)", EMAIL, "provider"),
        Panel(
            "Failed calls", "percentunit", [Query(error_ratio(f"{EMAIL}_count", FAILED, "provider"), "{{provider}}")]
        ),
    ],
)
WEBHOOKS_PAGE: Final = Dashboard(
    "app-webhooks",
    "Outbound webhooks",
    [
        rates("Deliveries", f"{WEBHOOKS}_count", "sender, outcome"),
        slowest("Duration (p95)", WEBHOOKS, "sender"),
        Panel(
            "Failed deliveries",
            "percentunit",
            [Query(error_ratio(f"{WEBHOOKS}_count", FAILED, "sender"), "{{sender}}")],
        ),
    ],
)
REALTIME: Final = Dashboard(
    "app-realtime",
    "Realtime",
    [
        total("Open WebSockets", "app_realtime_connections"),
        rates("Closed WebSockets", f"{CONNECTIONS}_count", "http_route, outcome"),
        Panel("Duration (median)", "s", [Query(quantile(0.5, CONNECTIONS, "http_route"), "{{http_route}}")]),
    ],
)
DASHBOARDS: Final = {
    "overview": OVERVIEW,
    "api": API,
    "database": DATABASE,
    "inbox": INBOX_PAGE,
    "jobs": JOBS_PAGE,
    "ai": AI_PAGE,
    "billing": BILLING,
    "calls": CALLS_PAGE,
    "email": EMAIL_PAGE,
    "webhooks": WEBHOOKS_PAGE,
    "realtime": REALTIME,
}
"""The dashboards by the names of their files."""
