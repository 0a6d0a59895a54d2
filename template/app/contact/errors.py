"""The errors of the contact form."""

from app.core.errors import BadRequestError, ConflictError


class FormExpiredError(BadRequestError):
    """The token of the form is missing its signature, was modified, or has expired."""

    code = "FORM_EXPIRED"

    def __init__(self) -> None:
        super().__init__("The form has expired. Get a new form token and send the form again.")


class FormAlreadySentError(ConflictError):
    """Another message was sent with the same token."""

    code = "FORM_ALREADY_SENT"

    def __init__(self) -> None:
        super().__init__("This form was already sent. Get a new form token for another message.")
