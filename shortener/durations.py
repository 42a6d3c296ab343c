"""Lengths of time, such as an hour or a day, in seconds or milliseconds."""

QUARTER_HOUR_SECONDS = 900
HOUR_SECONDS = 3_600
DAY_SECONDS = 24 * HOUR_SECONDS

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = HOUR_SECONDS * SECOND_MS
DAY_MS = DAY_SECONDS * SECOND_MS

MIN_YEAR, MAX_YEAR = 1970, 9998
"""First and last year of accepted times. Conversions between time zones can overflow for others."""
