"""Refused forms: the page is shown again with the entered values, and with the error at its field."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flask import g, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from msgspec import Struct

from shortener.errors import Doubtful, FieldError, ShortenerError, StoreBusy, StoreError
from shortener.messages import Message
from shortener.web.error_pages import error_message, http_status, sentence
from shortener.web.languages import gettext as _

View = TypeVar("View", bound=Callable[..., Any])

BUSY_MESSAGE = Message("Nothing was saved, because the system is busy. Submit the form again in a moment.")
_CONFIRMATION = Markup(
    '<label class="choice"><input type="checkbox" name="confirmed" value="yes"> <span>{}</span></label>'
)


class FormError(Struct, frozen=True):
    """An error in a field of a submitted form."""

    form: str
    field: str
    message: str
    """The error as a sentence."""
    can_confirm: bool = False
    """Whether the value is unlikely but possible, so that the user can confirm it to save it."""


class Form:
    """A form in a template: the values of its fields, and the error if the form was refused."""

    def __init__(self, error: FormError | None) -> None:
        self._error = error

    @property
    def failed(self) -> bool:
        """Whether this form was submitted and refused."""
        return self._error is not None

    def value(self, field: str, stored: object = "") -> str:
        """Return the text for a field: the user's input if the form was refused, else ``stored``."""
        text = request.form.get(field, "") if self.failed else stored
        return "" if text is None else str(text)

    def attributes(self, field: str, id: str | None = None) -> Markup:
        """Return HTML attributes that mark and focus a field with an error; '' for a field without an error."""
        if self._error is None or self._error.field != field:
            return Markup("")
        return Markup(' aria-invalid="true" aria-describedby="{}-error" autofocus').format(id or field)

    def message(self, field: str, id: str | None = None) -> Markup:
        """Return the error at a field as an HTML paragraph; '' if the field has no error."""
        if self._error is None or self._error.field != field:
            return Markup("")
        g.form_error_shown = True
        # With the checkbox, the user confirms an unlikely value.
        confirmation = _CONFIRMATION.format(_("This is right, save it")) if self._error.can_confirm else ""
        return (
            Markup('<p class="error" id="{}-error" role="alert">{}</p>').format(id or field, self._error.message)
            + confirmation
        )


def find_form(
    name: str,
    /,
    **identity: object,  # values of fields that identify one of several forms with this name
) -> Form:
    """Return the form with this name. Templates call this function ``form``."""
    error: FormError | None = g.get("form_error")
    if error is None or error.form != name or any(request.form.get(key) != str(identity[key]) for key in identity):
        return Form(None)
    return Form(error)


def unshown_error() -> str:
    """Return the error of the refused form if no field has shown the error; else ''."""
    error: FormError | None = g.get("form_error")
    return error.message if error and not g.get("form_error_shown") else ""


@contextmanager
def errors_at(field: str) -> Iterator[None]:
    """Convert a ShortenerError that the ``with`` block raises to a FieldError at the form field ``field``.

    A FieldError or StoreError is raised unchanged.
    """
    try:
        yield
    except (FieldError, StoreError):
        raise
    except ShortenerError as error:
        raise FieldError(error_message(error), field=field) from error


def show_error(form: str, field: str, message: str, *, can_confirm: bool = False) -> None:
    """Let the page that is rendered next show a message at a field of a form."""
    g.form_error = FormError(form, field, sentence(message), can_confirm)


def refuse(
    form: str,
    field: str,  # not used if ``error`` is a FieldError, which has its own field
    error: ShortenerError,
    *,
    message: str | None = None,  # text to show instead of that of ``error``
) -> int:
    """Show ``error`` at a form field on the next rendered page; return the page's HTTP status. Raises StoreError."""
    if isinstance(error, StoreError) and not isinstance(error, StoreBusy):
        raise error
    field = error.field if isinstance(error, FieldError) else field
    text = BUSY_MESSAGE if isinstance(error, StoreBusy) else message or error_message(error)
    show_error(form, field, text, can_confirm=isinstance(error, Doubtful))
    return http_status(error)


def form_view(
    form: str,
    field: str,  # where an error other than a FieldError is shown
    *,
    page: Callable[..., str],  # called with the arguments of the view
) -> Callable[[View], View]:
    """Return a decorator that shows the page of a form again if the form's view raises a ShortenerError."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(**arguments: Any) -> ResponseReturnValue:
            try:
                response: ResponseReturnValue = view(**arguments)
            except ShortenerError as error:
                status = refuse(form, field, error)
                return page(**arguments), status
            return response

        return guarded  # type: ignore[return-value]

    return decorate
