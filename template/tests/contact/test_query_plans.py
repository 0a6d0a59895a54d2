"""The lists of the contact form's messages are read by indexes, however many messages there are."""

import httpx

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import SignIn
from tests.contact.conftest import ADMIN
from tests.query_plans import explain, fill, scans, selects_of


async def test_every_list_is_read_by_an_index(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
) -> None:
    headers = await live_sign_in(email="admin@example.com", role=Role.ADMIN)
    await fill(
        live_runtime.database,
        "contact_messages",
        {
            "id": "{key}",
            "form_id": "{key}",
            "created_at": ":now",
            "updated_at": ":now",
            "name": "'Ada'",
            "email": "number || '@example.com'",
            "email_key": "number || '@example.com'",
            "message": "'Hello'",
            "extra_fields": "'{{}}'",
            "source": "'{{}}'",
            "state": "CASE WHEN number % 100 = 0 THEN 'new' ELSE 'answered' END",
        },
    )

    with selects_of(live_runtime.database) as sent:
        for filters in ({}, {"state": "new"}):
            answer = await live_client.get(ADMIN, headers=headers, params=filters)
            assert answer.status_code == 200, answer.text
    own = [each for each in sent if "FROM contact_messages" in each[0]]
    everything, of_a_state = [await explain(live_runtime.database, *each) for each in own]

    # Without a filter, the total counts all messages; the page itself is in the order of the primary key.
    assert "Sort" not in everything
    assert "TEMP B-TREE" not in everything
    assert not scans(of_a_state, "contact_messages")
