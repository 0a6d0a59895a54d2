"""`app billing setup` and the other commands."""

from click.testing import CliRunner, Result

from app.cli.main import cli
from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.catalog import Price, Product
from app.plans.catalog import PlanCatalog
from app.stripe.setup import StripeSetup
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
    def run(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(cli, ["billing", *arguments], input=answer)

    def test_the_commands_of_all_modules_are_one_group(self) -> None:
        shown = self.run("--help").output
        assert all(f"  {name} " in shown for name in ("reconcile", "setup", "sync"))
