"""Backups: of the database and the stored files."""

from app.backup.commands import backup
from app.backup.settings import BackupSettings
from app.core.manifest import Module

module = Module(name="backup", settings=(BackupSettings,), commands=(backup,))
