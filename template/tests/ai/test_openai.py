"""OpenAI, and servers that speak its protocol."""

from tests.ai.contract import ProviderContract
from tests.fakes.openai import CASE


class TestOpenAI(ProviderContract):
    case = CASE
