"""Prometheus rules and Alertmanager configuration, generated from the metric catalogue."""
