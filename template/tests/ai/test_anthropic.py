"""Anthropic."""

from tests.ai.contract import ProviderContract
from tests.fakes.anthropic import CASE


class TestAnthropic(ProviderContract):
    case = CASE
    unreadable = (b'{"type": ["secret words"]}', "type")
