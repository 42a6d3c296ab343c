"""Advice for the errors of commands and server processes: a command to run, or an option to use."""

from shortener.errors import ErrorKind, ShortenerError

REMEDIES: dict[ErrorKind, str] = {
    "article_not_found": "`shortener issue show SLUG` lists them",
    "article_not_in_month": "`shortener rank --month MONTH` lists a month's articles",
    "article_not_ranked": "`shortener rank` lists the ranked articles",
    "click_not_found": "`shortener clicks export` lists those that are stored",
    "code_taken": "choose another, or `shortener link set` its target",
    "config_missing": "`shortener init` writes one, or give its path with --config",
    "collector_stalled": "see `shortener doctor`",
    "data_directory_unusable": "storage.data has to name a directory that this user can write",
    "database_empty": "check storage.url; `shortener serve` creates a store there",
    "decision_not_found": "`shortener picks decisions` lists all decisions",
    "decision_without_editor": "give it with --who",
    "decision_without_reason": "give one with --reason",
    "doubtful_value": "if it is right, save it with --force",
    "honeypot_in_markdown": "add the HTML that is sent, or mark the hidden link of your template with "
    "`shortener issue set SLUG --trap SHORT_URL`",
    "invalid_slug": "choose one with --slug",
    "issue_not_found": "`shortener issue list` shows them all",
    "issue_not_draft": "archive it with `shortener issue archive SLUG`",
    "issue_not_sent": "take a draft back with `shortener issue remove SLUG`",
    "issue_removed": "bring it back with `shortener issue remove SLUG --undo`, or choose another slug",
    "link_has_other_target": "`shortener link set` changes a target",
    "link_not_found": "`shortener link list` shows them all",
    "link_not_in_issue": "`shortener link list` shows which issue has which",
    "node_not_found": "`shortener node list` shows them all",
    "node_not_joined": "use `shortener node join` with the token that `shortener node token` prints at the centre",
    "output_of_issue": "update that one with --slug, or add a copy as a new issue with --copy",
    "several_decisions": "choose one with --month",
    "several_tokens": "choose one with --user",
    "port_taken": "choose another with --port or --host",
    "postgres_missing": "install it with `pip install shortener[postgres]`",
    "postgres_needed": "`shortener store copy` moves the store there",
    "role_creation_refused": "let an administrator of the database run `alter role` with createrole for the user in "
    "storage.url",
    "store_missing": "check storage.data",
    "store_unusable": "see `shortener doctor`",
    "token_name_taken": "`shortener token list` shows them all",
    "token_not_found": "`shortener token list` shows them all",
    "user_not_found": "`shortener user list` shows them all",
}
"""Advice by kind of error. It is appended to the error's message."""


REPORTED_ERRORS = (ShortenerError, OSError)
"""Errors that a command or a server process reports in one line, without a traceback."""


def error_message(error: ShortenerError | OSError) -> str:
    """Return the line that a command prints for an error: what is wrong, and advice if there is any."""
    if isinstance(error, ShortenerError):
        message = f"{error}; {REMEDIES[error.kind]}" if error.kind else str(error)
    else:
        message = f"{error.filename or 'system'}: {error.strerror or error}"
    return " ".join(message.split())
