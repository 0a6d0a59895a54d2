"""The public routes of the contact form."""

from fastapi import APIRouter, Depends, status

from app.contact.form_token import new_form_token
from app.contact.schemas import ContactReceived, ContactStatus, ContactSubmit
from app.contact.service import required_fields, submit
from app.contact.settings import ContactSettings
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.rate_limit import RateLimit

RATE = RateLimit(lambda runtime: runtime.resource(ContactSettings).CONTACT_RATE_LIMIT, name="contact")

router = APIRouter(prefix="/contact")


@router.get("/status")
async def get_contact_status(runtime: RuntimeDep) -> ContactStatus:
    """Get what the contact form needs: its required fields and a token.

    Call it when the form is shown. A message that is sent at once is taken for spam.
    """
    settings = runtime.resource(ContactSettings)
    return ContactStatus(
        form_token=new_form_token(runtime.settings.SECRET_KEY),
        required=required_fields(settings),
        consent_version=settings.CONTACT_CONSENT_VERSION or None,
    )


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Depends(RATE)])
async def send_contact_message(runtime: RuntimeDep, session: SessionDep, data: ContactSubmit) -> ContactReceived:
    """Send a message with the contact form.

    A message that is sent again with the same token is received once. Answers 400 if the token has expired, and 409 if
    another message was sent with it.
    """
    return ContactReceived(id=await submit(runtime, session, data))
