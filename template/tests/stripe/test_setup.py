"""`app billing setup` and the other commands."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.catalog import Price, Product
from app.plans.catalog import PlanCatalog
from app.stripe.setup import StripeSetup
from tests.databases import Databases
from tests.stripe.conftest import Buyer, StripeServer


class TestSetup:
    async def test_shows_the_differences_and_is_repeatable(self, stripe_server: StripeServer, runtime: Runtime) -> None:
        fake = stripe_server.reset()
        changes = await StripeSetup().changes(runtime)
        assert [change.text for change in changes] == [
            "Create the product Pro",
            "Create the price pro_monthly: 19.00 USD per month",
            "Create the price pro_yearly: 190.00 USD per year",
            "Create the product Enterprise",
            "Create the price enterprise_monthly: 99.00 USD per month",
            "Create the price enterprise_yearly: 990.00 USD per year",
            "Create the customer portal's configuration",
            "Create the webhook endpoint http://testserver/api/v1/public/webhooks/stripe",
        ]
        assert fake.account.all(Product) == []

        notes = [await change.apply() for change in changes]
        assert [note for note in notes if note is not None and "STRIPE_WEBHOOK_SECRET=whsec_" in note]
        assert await StripeSetup().changes(runtime) == []

    async def test_a_new_amount_makes_a_new_price_and_keeps_old_subscribers(self, buyer: Buyer) -> None:
        await buyer.subscribe(plan="enterprise")
        for price in buyer.fake.account.all(Price):
            if price.lookup_key == "enterprise_monthly":
                price.unit_amount = 5_000
        (change,) = await StripeSetup().changes(buyer.runtime)
        assert change.text == "Replace the price enterprise_monthly: 99.00 USD per month"
        await change.apply()
        assert await StripeSetup().changes(buyer.runtime) == []

        await buyer.post("/resume")
        assert (await buyer.status())["plan"] == "enterprise"

    async def test_a_renamed_plan_renames_its_product(self, buyer: Buyer) -> None:
        buyer.fake.account.all(Product)[0].name = "Old"
        (change,) = await StripeSetup().changes(buyer.runtime)
        assert change.text == "Update the product Pro"

    def test_every_plan_of_the_file_is_sold(self) -> None:
        assert {plan.name for plan in PlanCatalog.load().plans if plan.prices} == {"pro", "enterprise"}


class TestCommands:
    @pytest.fixture(autouse=True)
    async def database(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        """A database that the command finds in its environment."""
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            yield

    async def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Run `app billing …`, in a thread, since it brings its own event loop."""
        return await asyncio.to_thread(CliRunner().invoke, cli, ["billing", *arguments], input=answer)

    async def test_the_commands_of_all_modules_are_one_group(self) -> None:
        shown = (await self.run("--help")).output
        assert all(f"  {name} " in shown for name in ("reconcile", "setup", "sync"))

    async def test_setup_asks_first_and_is_repeatable(self, stripe_server: StripeServer) -> None:
        fake = stripe_server.reset()
        refused = await self.run("setup", answer="n\n")
        assert re.search(r"Apply \d+ changes in test mode\?", refused.output)
        assert "Create the product Pro" in (await self.run("setup", "--dry-run")).output
        assert fake.account.all(Product) == []

        applied = await self.run("setup", "--yes")
        assert applied.exit_code == 0, applied.output
        assert "Set STRIPE_WEBHOOK_SECRET=whsec_" in applied.output
        assert "The account matches" in (await self.run("setup")).output

    async def test_setup_needs_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRIPE_SECRET_KEY", "")
        refused = await self.run("setup", "--yes")
        assert refused.exit_code == 1
        assert "STRIPE_SECRET_KEY is not set" in refused.output

    async def test_reconcile_and_sync_report(self) -> None:
        assert "stripe: 0 checked, 0 repaired, 0 failed" in (await self.run("reconcile")).output
        unknown = await self.run("sync", "nobody@example.com")
        assert (unknown.exit_code, "No user has this address" in unknown.output) == (1, True)
