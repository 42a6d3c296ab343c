"""Views of webhooks for admins: endpoints, their secrets, and deliveries of events."""

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from shortener.services import webhooks
from shortener.services.webhook_sender import MAX_ATTEMPTS
from shortener.services.webhooks import EVENT_TYPES
from shortener.store import webhooks as stored_webhooks
from shortener.web.compression import leave_uncompressed
from shortener.web.context import config, now, role_required, store
from shortener.web.field_errors import form_view
from shortener.web.forms import MAX_ID, read_clamped_integer, read_text
from shortener.web.languages import gettext as _
from shortener.web.responses import json_response, redirect_with_notice
from shortener.web.webhook_states import describe_states

blueprint = Blueprint("webhooks", __name__, url_prefix="/-/settings/webhooks")

DELIVERIES_ON_PAGE = 50
WEBHOOK_PATH = f"/<int(max={MAX_ID}):webhook_id>"


@blueprint.get("")
@role_required("admin")
def list_webhooks() -> str:
    """Show all webhooks, and the form to add one."""
    return _render_list()


def _render_list() -> str:
    listed = [webhooks.summarize(webhook, now=now()) for webhook in stored_webhooks.list_all(store())]
    states = describe_states(stored_webhooks.list_all(store()), stored_webhooks.sum_deliveries(store()))
    return render_template("webhooks.html", webhooks=listed, states=states, event_types=EVENT_TYPES)


@blueprint.post("")
@role_required("admin")
@form_view("webhook", "url", page=_render_list)
def add_webhook() -> BaseResponse:
    """Add a webhook for the chosen events, or for all if none is chosen."""
    url, events = read_text(request.form, "url"), request.form.getlist("events")
    webhook = webhooks.add_webhook(store(), url, events=events, config=config(), now=now())
    return redirect_with_notice(
        _("The webhook is added. Copy its secret to the receiver, then send a test."),
        "webhooks.show_webhook",
        webhook_id=webhook.id,
    )


@blueprint.get(WEBHOOK_PATH)
@role_required("admin")
def show_webhook(webhook_id: int) -> str:
    """Show a webhook with its secret and its deliveries, and the forms to change it."""
    leave_uncompressed()
    return _render_webhook(webhook_id)


def _render_webhook(webhook_id: int, delivery_id: int | None = None) -> str:
    webhook = stored_webhooks.get(store(), webhook_id)
    before = read_clamped_integer(request.args, "before", minimum=0, maximum=MAX_ID, default=MAX_ID)
    items = stored_webhooks.list_deliveries(store(), webhook_id, limit=DELIVERIES_ON_PAGE + 1, before=before)
    deliveries = [webhooks.summarize_delivery(item) for item in items]
    return render_template(
        "webhook.html",
        webhook=webhooks.summarize(webhook, now=now()),
        state=describe_states([webhook], stored_webhooks.sum_deliveries(store()))[webhook.id],
        max_attempts=MAX_ATTEMPTS,
        secret=webhook.secret,
        deliveries=deliveries[:DELIVERIES_ON_PAGE],
        has_more=len(deliveries) > DELIVERIES_ON_PAGE,
        event_types=EVENT_TYPES,
    )


@blueprint.get(f"{WEBHOOK_PATH}/deliveries.json")
@role_required("admin")
def deliveries_json(webhook_id: int) -> Response:
    """Return the newest deliveries of a webhook as JSON."""
    items = stored_webhooks.list_deliveries(store(), stored_webhooks.get(store(), webhook_id).id, limit=500)
    return json_response([webhooks.summarize_delivery(item) for item in items])


@blueprint.post(WEBHOOK_PATH)
@role_required("admin")
@form_view("webhook", "url", page=_render_webhook)
def change_webhook(webhook_id: int) -> BaseResponse:
    """Change the address and the events of a webhook."""
    url, events = read_text(request.form, "url"), request.form.getlist("events")
    webhooks.update_webhook(store(), webhook_id, url=url, events=events, config=config(), now=now())
    return _back(webhook_id, _("The webhook is changed."))


@blueprint.post(f"{WEBHOOK_PATH}/state")
@role_required("admin")
def set_state(webhook_id: int) -> BaseResponse:
    """Enable or disable a webhook."""
    enabled = request.form.get("enabled") == "yes"
    webhooks.update_webhook(store(), webhook_id, enabled=enabled, config=config(), now=now())
    return _back(webhook_id, _("The webhook is enabled.") if enabled else _("The webhook is disabled."))


@blueprint.post(f"{WEBHOOK_PATH}/secret")
@role_required("admin")
def rotate_secret(webhook_id: int) -> BaseResponse:
    """Give a webhook a new secret. For one day, messages are signed with both the new and the previous secret."""
    webhooks.rotate_secret(store(), webhook_id, now=now())
    return _back(webhook_id, _("The webhook has a new secret. The previous one is valid for another 24 hours."))


@blueprint.post(f"{WEBHOOK_PATH}/test")
@role_required("admin")
@form_view("test", "test", page=_render_webhook)
def send_test(webhook_id: int) -> BaseResponse:
    """Send a test event to a webhook."""
    webhooks.send_test(store(), webhook_id, now=now())
    return _back(webhook_id, _("The test is being sent. Reload this page to see the answer."))


@blueprint.post(f"{WEBHOOK_PATH}/deliveries/<int(max={MAX_ID}):delivery_id>/retry")
@role_required("admin")
@form_view("retry", "retry", page=_render_webhook)
def retry_delivery(webhook_id: int, delivery_id: int) -> BaseResponse:
    """Send the event of a delivery again."""
    webhooks.retry_delivery(store(), webhook_id, delivery_id, now=now())
    return _back(webhook_id, _("The message is being sent again. Reload this page to see the answer."))


@blueprint.post(f"{WEBHOOK_PATH}/delete")
@role_required("admin")
def delete_webhook(webhook_id: int) -> BaseResponse:
    """Delete a webhook with its deliveries."""
    webhooks.delete_webhook(store(), webhook_id)
    return redirect_with_notice(_("The webhook is deleted."), "webhooks.list_webhooks")


def _back(webhook_id: int, message: str) -> BaseResponse:
    return redirect_with_notice(message, "webhooks.show_webhook", webhook_id=webhook_id)
