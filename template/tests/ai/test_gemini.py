"""Google's Gemini."""

from tests.ai.contract import ProviderContract
from tests.fakes.gemini import CASE


class TestGemini(ProviderContract):
    case = CASE
    unreadable = (b'{"candidates": "secret words"}', "candidates")
