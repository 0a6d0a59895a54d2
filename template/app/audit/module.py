"""The audit log: changes, stored in their own transaction and chained by hashes."""

from app.core.manifest import Module

module = Module(name="audit")
