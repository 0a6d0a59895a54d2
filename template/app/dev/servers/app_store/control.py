"""The part of the fake that Apple doesn't have: requests that buy, cancel and refund, and move the clock."""

from typing import Final

from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store.subscriptions import Subscription, Subscriptions

ACTIONS: Final = {
    "cancel": Subscriptions.cancel,
    "resume": Subscriptions.resume,
    "resubscribe": Subscriptions.resubscribe,
    "decline-payments": Subscriptions.decline_payments,
    "accept-payments": Subscriptions.accept_payments,
    "refund": Subscriptions.refund,
    "decline-refund": Subscriptions.decline_refund,
    "reverse-refund": Subscriptions.reverse_refund,
    "revoke": Subscriptions.revoke,
    "raise-price": Subscriptions.raise_price,
    "consent": Subscriptions.consent,
    "extend": Subscriptions.extend,
}
CHANGES: Final = {"upgrade": Subscriptions.upgrade, "downgrade": Subscriptions.downgrade}


def answer_subscriptions(store: AppStore, method: str, path: list[str], body: dict[str, object]) -> dict[str, object]:
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
                item = _found(state, id_)
                _act(state, item, action, body)
            case _:
                raise LookupError("/".join(path))
    return {**_described(item), "signedTransaction": store.signed_transaction(item)}


def _buy(state: Subscriptions, body: dict[str, object]) -> Subscription:
    account, offer = body.get("account"), body.get("offer")
    return state.buy(
        str(body["product"]),
        account=None if account is None else str(account),
        offer=None if offer is None else str(offer),
        trial=body.get("trial") is True,
        sandbox=body.get("sandbox") is not False,
        family_shared=body.get("familyShared") is True,
    )


def _found(state: Subscriptions, id_: str) -> Subscription:
    item = state.find(id_)
    if item is None:
        raise LookupError(f"No subscription has the id {id_}")
    return item


def _act(state: Subscriptions, item: Subscription, action: str, body: dict[str, object]) -> None:
    if action in CHANGES:
        CHANGES[action](state, item, str(body["product"]))
    else:
        ACTIONS[action](state, item)


def _described(item: Subscription) -> dict[str, object]:
    return {
        "id": item.original_id,
        "product": item.product,
        "state": item.status.name.lower(),
        "expires": item.expires.isoformat(),
        "renews": item.auto_renew,
    }
