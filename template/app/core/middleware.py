"""What every request passes through."""

from fastapi import FastAPI

from app.core.settings import Settings


def add_middleware(app: FastAPI, settings: Settings) -> None:
    """Adds the middleware."""
