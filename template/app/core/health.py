"""Whether the application lives and is ready to serve."""

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> dict[str, str]:
    """Answers as long as the process lives."""
    return {"status": "ok"}
