"""Requests to the fake App Store that `app dev` runs."""

from typing import Any

from app.apple_iap.settings import AppleSettings
from app.core.runtime import Runtime
from app.payments.simulation import simulate as simulate_at


async def simulate(runtime: Runtime, method: str, path: str, **body: object) -> dict[str, Any]:
    """Send a request to the fake. Raises the errors of `app.payments.simulation.simulate`."""
    return await simulate_at("the App Store", runtime.resource(AppleSettings).APPLE_API_URL, method, path, **body)
