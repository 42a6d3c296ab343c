"""The schema as an ordered list of migrations, each applied in one transaction."""

from sqlite_utils.migrations import Migrations

from shortener.store.migrations.m001_loop import m001_loop
from shortener.store.migrations.m002_picks import m002_picks
from shortener.store.migrations.m003_drafts import m003_drafts
from shortener.store.migrations.m004_pages import m004_pages
from shortener.store.migrations.m005_lists import m005_lists
from shortener.store.migrations.m006_local_indexes import m006_local_indexes
from shortener.store.migrations.m007_names import m007_names
from shortener.store.migrations.m008_quarter_hours import m008_quarter_hours
from shortener.store.migrations.m009_roles import m009_roles
from shortener.store.migrations.m010_tokens import m010_tokens
from shortener.store.migrations.m011_honeypot_hits import m011_honeypot_hits
from shortener.store.migrations.m012_webhooks import m012_webhooks
from shortener.store.migrations.m013_page_changes import m013_page_changes
from shortener.store.migrations.m014_link_hours import m014_link_hours
from shortener.store.migrations.m015_settings import m015_settings
from shortener.store.migrations.m016_users_seen import m016_users_seen
from shortener.store.migrations.m017_user_language import m017_user_language
from shortener.store.migrations.m018_new_issues import m018_new_issues
from shortener.store.migrations.m019_picks_edits import m019_picks_edits
from shortener.store.migrations.m020_nodes import m020_nodes

# A released migration is neither renamed nor edited, because databases store the names of applied functions. In the
# schema, ``clicks.ts`` is milliseconds of the UTC epoch; every other time is seconds. ``quarter_hour`` and ``day`` are
# the times at which a quarter-hour or a day of UTC begins. ``n`` is the number of a placement (one use of a link in an
# issue), 0 for a click whose placement is unknown.
FUNCTIONS = (
    m001_loop,
    m002_picks,
    m003_drafts,
    m004_pages,
    m005_lists,
    m006_local_indexes,
    m007_names,
    m008_quarter_hours,
    m009_roles,
    m010_tokens,
    m011_honeypot_hits,
    m012_webhooks,
    m013_page_changes,
    m014_link_hours,
    m015_settings,
    m016_users_seen,
    m017_user_language,
    m018_new_issues,
    m019_picks_edits,
    m020_nodes,
)
MIGRATION_NAMES = tuple(function.__name__ for function in FUNCTIONS)
MIGRATIONS = Migrations("shortener")
for _function in FUNCTIONS:
    MIGRATIONS()(_function)
