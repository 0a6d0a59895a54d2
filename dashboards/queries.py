"""PromQL that several panels share."""

from dashboards.grafana import Panel, Query

RANGE = "[$__rate_interval]"


def rate(metric: str, by: str, where: str = "") -> str:
    """Return the number of events per second, of a counter or of the `_count` of a histogram."""
    return f"sum by ({by}) (rate({metric}{where}{RANGE}))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Return a quantile of a histogram, by labels."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{where}{RANGE})))"


def error_ratio(counter: str, failed: str, by: str = "") -> str:
    """Return the share of events that failed; 0 where none did."""
    grouping = f" by ({by})" if by else ""
    total = f"sum{grouping} (rate({counter}{RANGE}))"
    return f"(sum{grouping} (rate({counter}{{{failed}}}{RANGE})) or 0 * {total}) / {total}"


def quantiles(title: str, histogram: str, help_: str = "") -> Panel:
    """Return a panel with the median and the slowest of a histogram in seconds."""
    return Panel(title, "s", [Query(quantile(q, histogram), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)], help_)


def rates(title: str, metric: str, by: str, unit: str = "ops", help_: str = "") -> Panel:
    """Return a panel with the rate of a counter by labels."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return Panel(title, unit, [Query(rate(metric, by), legend)], help_)


def slowest(title: str, histogram: str, by: str) -> Panel:
    """Return a panel with the 95th percentile of a histogram in seconds by a label."""
    return Panel(title, "s", [Query(quantile(0.95, histogram, by), f"{{{{{by}}}}}")])


def largest(title: str, gauge: str, by: str, unit: str = "short", help_: str = "") -> Panel:
    """Return a panel with a gauge of the database, which every scraped process exposes with the same value."""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else title
    grouping = f" by ({by})" if by else ""
    return Panel(title, unit, [Query(f"max{grouping} ({gauge})", legend)], help_)


def total(title: str, gauge: str, by: str = "", unit: str = "short", help_: str = "") -> Panel:
    """Return a panel with the sum of a gauge over all processes."""
    legend = f"{{{{{by}}}}}" if by else title
    grouping = f" by ({by})" if by else ""
    return Panel(title, unit, [Query(f"sum{grouping} ({gauge})", legend)], help_)
