"""New names for tables and columns."""

from sqlite_utils import Database

from shortener.store.migrations.script import run_script

SCRIPT = """
alter table facts rename to meta;
update meta set name = 'classified_seq' where name = 'judged_seq';
update meta set name = 'purged_before' where name = 'clicks_from';
update meta set name = 'rollups_revision' where name = 'sums_revision';
update meta set name = 'reclassify_job' where name = 'reclassify_task';
update meta set name = 'reclassify:' || substr(name, 9) where name like 'rejudge:%';

drop index clicks_by_link;
create index clicks_of_link on clicks (link_id, ts);
drop index clicks_by_copy;
alter table hourly rename to clicks_by_link;
alter table daily rename to breakdown_by_link;
alter table totals rename to totals_by_placement;
alter table hours rename to clicks_by_issue;
alter table placement_days rename to clicks_by_placement;
alter table days rename to clicks_of_site;
alter table shares rename to breakdown_by_issue;

alter table agents rename to user_agents;
alter table drafts rename to draft_links;

alter table clicks rename column gaps to evidence;
alter table clicks rename column copy to recipient_token;
create index clicks_by_recipient_token on clicks (ts / 3600000, recipient_token, ts)
    where recipient_token is not null;
alter table clicks rename column first to first_visits;
alter table clicks rename column rules to rules_version;
alter table links rename column trap to honeypot;
alter table articles rename column corrected to corrected_fields;
alter table skips rename column offset to byte_position;
alter table segments rename column skipping to in_long_line;
alter table users rename column password to password_hash;
alter table sessions rename column token to token_hash;
alter table invitations rename column token to token_hash;
update edits set field = 'honeypot' where field = 'trap';
"""


def m007_names(db: Database) -> None:
    """Rename tables and columns. In the data, only keys of ``meta`` and values of ``edits.field`` are changed."""
    run_script(db, SCRIPT)
