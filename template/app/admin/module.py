"""Administration: the figures of every module, for administrators."""

from app.core.manifest import Module

module = Module(name="admin")
