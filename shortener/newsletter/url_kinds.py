"""Recognition of what a link is for by its URL: a profile, a subscription form, a shop, an image."""

# The lists of hosts and of words in paths are in ``data/``.
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from shortener.newsletter.data_files import host_entries, host_pattern, language_pattern

_SOCIAL_HOSTS = host_entries("social_hosts")
_PROFILE_PATH = re.compile(rf"{host_pattern('profile_paths')}/?\Z")
_CONTENT_PATH = re.compile(rf"{host_pattern('content_paths')}/?\Z")
_SHARE_PATH = re.compile(rf"{host_pattern('share_paths')}\b", re.I)
_PERSON_PATH = re.compile(rf"/(?:@[^/]+|{language_pattern('person_path')}/[^/]+)/?\Z", re.I)
_IMAGE_PATH = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|avif)\Z", re.I)
_HANDLE_PATH = re.compile(r"/@?[\w.-]+/?\Z")
_HANDLE_HOSTS = host_entries("handle_hosts")
_PERSON_SUBDOMAINS_OF = tuple(f".{host}" for host in host_entries("person_subdomain_hosts"))
_SUBSCRIPTION_HOSTS = tuple(f".{host}" for host in host_entries("subscription_hosts"))
_CLICK_TRACKING_PATH = re.compile(host_pattern("click_tracking_paths"))
_SERVICE_URL = re.compile(language_pattern("service_url"), re.I)
_OPT_OUT_URL = re.compile(language_pattern("opt_out_url"), re.I)
_SUBSCRIPTION_PATH = re.compile(rf"{host_pattern('subscription_paths')}/?\Z")
_BOILERPLATE_PATH = re.compile(rf"/{language_pattern('boilerplate_path')}/?\Z", re.I)
_LISTING_PATH = re.compile(rf"/{language_pattern('listing_path')}/", re.I)
_RELEASE_PATH = re.compile(host_pattern("release_paths"), re.I)
_BOILERPLATE_HOST = re.compile(rf"{host_pattern('boilerplate_subdomains')}\.[^.]+\.")
_TRACKER_HOST = re.compile(rf"{host_pattern('tracker_subdomains')}\.[^.]+\.")
_TRACKER_PATH = re.compile(host_pattern("tracker_paths"), re.I)
_MIN_TRACKED_LENGTH = 5  # characters of path and query: a shorter URL is a page
_DONATION_HOSTS = host_entries("donation_hosts")
_IGNORED_SUBDOMAIN = re.compile(rf"{host_pattern('ignored_subdomains')}\.")


# An issue has some hundred URLs, and each is looked at for many kinds; the cache of urlsplit is too small for them.
@lru_cache(maxsize=1024)
def _split_url(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _base_host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2].partition(":")[0].casefold()
    subdomain = _IGNORED_SUBDOMAIN.match(host)
    return host[subdomain.end() :] if subdomain else host


def is_homepage(url: str) -> bool:
    """Return whether a URL is the front page of a site."""
    parts = _split_url(url)
    return parts is not None and parts.path in ("", "/") and not parts.fragment


def without_query(url: str) -> str:
    """Return the URL without its query, fragment and last slash."""
    return re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/")


def is_social(url: str) -> bool:
    """Return whether a URL is on the site of a social network."""
    parts = _split_url(url)
    return parts is not None and _base_host(parts) in _SOCIAL_HOSTS


def is_share(url: str) -> bool:
    """Return whether a URL opens the form for sharing a page on a social network."""
    parts = _split_url(url)
    return parts is not None and bool(_SHARE_PATH.search(parts.path))


def site_name(url: str) -> str:
    """Return a guess of the registered domain of a URL, such as "example.co.uk"; '' if it has no host."""
    parts = _split_url(url)
    labels = _base_host(parts).split(".") if parts else []
    size = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
    return ".".join(labels[-size:])


def tracker_prefix(url: str) -> str:
    """Return host and first path segment of a URL by which a service counts clicks. Return '' for any other URL."""
    # Such a URL, for example of Mailchimp, redirects to the target of the link.
    parts = _split_url(url)
    if parts is None:
        return ""
    host, first = parts.netloc.casefold(), parts.path.split("/")[1:2]
    looks_tracked = _TRACKER_HOST.match(host) or _TRACKER_PATH.search(parts.path)
    is_opaque = len(parts.query) + len(parts.path) > _MIN_TRACKED_LENGTH
    return f"{host}/{first[0] if first and parts.path.count('/') > 1 else ''}" if looks_tracked and is_opaque else ""


def is_image(url: str) -> bool:
    """Return whether a URL is that of an image file, judged by the end of its path, such as ``.png``."""
    parts = _split_url(url)
    return parts is not None and bool(_IMAGE_PATH.search(parts.path))


def is_person_page(url: str) -> bool:
    """Return whether a URL is the page or the profile of a person."""
    parts = _split_url(url)
    if parts is None:
        return False
    host = _base_host(parts)
    if _PERSON_PATH.search(parts.path):
        return True
    if host in _HANDLE_HOSTS:
        return bool(_HANDLE_PATH.match(parts.path))
    return host.endswith(_PERSON_SUBDOMAINS_OF) and parts.path in ("", "/")


def is_service(url: str) -> bool:
    """Return whether a URL is a page to manage the subscription, a form for sharing, or a social profile."""
    parts = _split_url(url)
    if parts is None:
        return False
    if _SERVICE_URL.search(parts.path) or _SERVICE_URL.search(parts.query):
        return True
    host = _base_host(parts)
    if host not in _SOCIAL_HOSTS:
        return f".{host}".endswith(_SUBSCRIPTION_HOSTS) and not _CLICK_TRACKING_PATH.search(parts.path)
    profile = _PROFILE_PATH.match(parts.path) and not _CONTENT_PATH.match(parts.path)
    return bool(profile or _SHARE_PATH.search(parts.path))


def is_subscription_page(url: str) -> bool:
    """Return whether a URL is a page for unsubscribing or for the settings of a subscription."""
    parts = _split_url(url)
    if parts is None:
        return False
    if _OPT_OUT_URL.search(parts.path) or _OPT_OUT_URL.search(parts.query):
        return True
    is_list_host = f".{_base_host(parts)}".endswith(_SUBSCRIPTION_HOSTS)
    return is_list_host and bool(_SUBSCRIPTION_PATH.match(parts.path))


def is_boilerplate(url: str) -> bool:
    """Return whether a URL is a page for subscribing, buying, sponsoring or legal notices, or a list of other pages."""
    parts = _split_url(url)
    if parts is None:
        return False
    host = _base_host(parts)
    # A longer path that ends in such a word, as in "/2024/05/subscribe", is usually an article.
    is_short = parts.path.count("/") <= 2
    return bool(
        (is_short and _BOILERPLATE_PATH.search(parts.path))
        or (_LISTING_PATH.search(parts.path) and not _RELEASE_PATH.search(parts.path))
        or (_BOILERPLATE_HOST.match(host) and is_homepage(url))
        or host in _DONATION_HOSTS
    )
