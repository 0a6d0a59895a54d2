"""Impersonation: administrators act as a user for a short time."""

from app.core.manifest import Module

module = Module(name="impersonation")
