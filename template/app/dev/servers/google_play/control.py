"""The part of the fake that Google doesn't have: requests that buy, cancel and refund, and move the clock."""

from typing import Final

from app.dev.servers.google_play.objects import Subscription
from app.dev.servers.google_play.store import GooglePlay
from app.dev.servers.google_play.subscriptions import Subscriptions

ACTIONS: Final = {
    "complete-payment": Subscriptions.complete_payment,
    "cancel-payment": Subscriptions.cancel_payment,
    "cancel": Subscriptions.cancel,
    "restore": Subscriptions.restore,
    "pause": Subscriptions.pause,
    "decline-payments": Subscriptions.decline_payments,
    "accept-payments": Subscriptions.accept_payments,
    "extend": Subscriptions.extend,
    "revoke": Subscriptions.revoke,
    "charge-back": Subscriptions.charge_back,
}
SHORT: Final = 24
"""Characters of a purchase token that are enough to name it."""


def answer_subscriptions(store: GooglePlay, method: str, path: list[str], body: dict[str, object]) -> dict[str, object]:
    """Answer a request below `/_fake/subscriptions`.

    Raises:
        LookupError: the path, the subscription or the action is unknown.
    """
    if method == "GET" and not path:
        return {"subscriptions": [_described(item) for item in store.state.items.values()]}
    with store.changing() as state:
        match path:
            case []:
                item = _buy(state, body)
            case [id_, action]:
                item = _act(state, _found(state, id_), action, body)
            case _:
                raise LookupError("/".join(path))
    return _described(item)


def _buy(state: Subscriptions, body: dict[str, object]) -> Subscription:
    account = body.get("account")
    return state.buy(
        str(body["product"]),
        account=None if account is None else str(account),
        trial=body.get("trial") is True,
        pending=body.get("pending") is True,
        prepaid=body.get("prepaid") is True,
        test=body.get("test") is not False,
    )


def _found(state: Subscriptions, id_: str) -> Subscription:
    item = state.find(id_)
    if item is None:
        raise LookupError(f"No subscription has the id {id_}")
    return item


def _act(state: Subscriptions, item: Subscription, action: str, body: dict[str, object]) -> Subscription:
    """Change a subscription, and return it or the purchase that replaces it."""
    if action == "replace":
        return state.replace(item, str(body["product"]))
    if action == "resubscribe":
        return state.resubscribe(item)
    ACTIONS[action](state, item)
    return item


def _described(item: Subscription) -> dict[str, object]:
    return {
        "id": item.token[:SHORT],
        "purchaseToken": item.token,
        "product": item.product,
        "state": item.state.lower(),
        "expires": "" if item.expires is None else item.expires.isoformat(),
    }
