"""The files that describe deployments, checked against the application."""
