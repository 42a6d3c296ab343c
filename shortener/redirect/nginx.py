"""The configuration of an nginx in front that answers short links by itself and writes our click log.

nginx reads the links from a ``map`` file and writes one JSON line a click; the collector drains that log as any other
segment. What nginx cannot do is refused or left to the server behind it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template

from shortener.clicklog.format import FORMAT_VERSION, LOGGED_HEADERS
from shortener.clicklog.writer import LOG_DIRECTORY
from shortener.config import Config
from shortener.errors import ConfigError

LOG_FILE_NAME = "edge.log"
MAX_USER_AGENT_LENGTH = 300
MAX_HEADER_LENGTH = 64
"""Characters that are kept of headers: with every one of them escaped, a line still stays below MAX_LINE_BYTES."""

_TEMPLATE = Template(r"""# Short links answered by nginx; clicks go to our click log. Made by `shortener edge nginx`.
#
# nginx answers what is simple: GET and HEAD of an active link without a query. Everything else (other methods,
# queries, prefetches, unknown, retired and expiring links, previews, pages) is handed to `shortener serve`.
# After every edit of a link: `shortener edge nginx > FILE && nginx -s reload`; until then nginx leads to the old
# target. In [server] set trusted_proxies = ["127.0.0.1"], so that readers are told apart behind nginx.
#
# The log is written unbuffered: a killed nginx loses no answered click. It holds whole addresses until they are
# drained, because only the collector has the key of the day. So rotate it often, and remove what was drained:
#   mv $log $log.1 && nginx -s reopen && sleep 1
#   shortener collect --once && rm $log.1
# TLS: add `listen 443 ssl;` with ssl_certificate and ssl_certificate_key to the server below.
worker_processes auto;
events { worker_connections 4096; }
http {
    map_hash_max_size $hash_size;
    map_hash_bucket_size $bucket_size;
    variables_hash_max_size 4096;
    geo $$edge_dollar { default "$$"; }

    # Which link: the domain as it is stored, the code, the placement.
    map $$host $$edge_domain {
        default "";
$domains    }
    map $$uri $$edge_code {
        default "";
        "~^/(?<edge_code_kept>[A-Za-z0-9_-]{1,64})(?:/[1-9][0-9]{0,4})?/?$$" $$edge_code_kept;
    }
    map $$uri $$edge_number {
        default null;
        "~^/[A-Za-z0-9_-]{1,64}/(?<edge_number_kept>[1-9][0-9]{0,4})/?$$" $$edge_number_kept;
    }
    map $$edge_domain/$$edge_code $$edge_target { default ""; include $map; }
    map "$$request_method|$$args|$$http_sec_purpose|$$edge_target" $$edge_pass {
        default 1;
        "~^(?:GET|HEAD)\|\|(?!prefetch)[^|]*\|h" 0;
    }

    # What is kept of a request.
$agent$language$cuts    map $$http_referer $$edge_referrer {
        default "";
        "~^(?<edge_referrer_kept>[A-Za-z-]{1,20}://[!$$->@-~]{1,200})" $$edge_referrer_kept;
    }
    log_format shortener escape=json
        '{"v":$version,"id":"$$request_id","ts":$$msec,"host":"$$edge_domain","code":"$$edge_code",'
        '"n":$$edge_number,"path":"$$uri","method":"$$request_method","status":$$status,"ip":"$$remote_addr",'
        '"ua":"$$edge_agent","ref":"$$edge_referrer","lang":"$$edge_language","h":{$h}}';

    server {
        listen $listen;
        server_name $names;
        location / {
            error_page 418 = @shortener;
            if ($$edge_pass) { return 418; }
            access_log $log shortener;
            add_header Cache-Control "private, no-store";
            add_header Referrer-Policy origin;
            add_header X-Robots-Tag noindex;
            return $status $$edge_target;
        }
        location @shortener {
            access_log off;
            client_max_body_size 16m;
            proxy_set_header Host $$http_host;
            proxy_set_header X-Forwarded-For $$remote_addr;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://$backend;
        }
    }
}
""")


def map_lines(links: Iterable[tuple[str, str, str]], *, config: Config) -> Iterator[str]:
    """The lines of the map file, ``"<domain>/<code>" "<target>";``, of links as (domain, code, target).

    nginx compares the plain strings of a map without regard to case, so a code of a case-sensitive domain is written
    as an anchored regular expression, which it tells apart (and tries one after the other: keep those domains small).
    """
    sensitive = {domain.host for domain in config.domains if domain.case_sensitive}
    for domain, code, target in links:
        if domain in sensitive:
            yield f'"~^{_escape_regex(domain)}/{_escape_regex(code)}$" {_quote_value(target)};\n'
        else:
            yield f'"{domain}/{code}" {_quote_value(target)};\n'


def server_config(
    config: Config, *, map_path: Path, link_count: int, max_line_length: int, listen: str
) -> str:
    """A whole ``nginx.conf`` for ``links`` links whose longest map line has ``longest`` characters.

    Raises ConfigError where nginx would answer differently from us.
    """
    if config.privacy.addresses == "none":
        raise ConfigError(
            'privacy.addresses = "none": nginx has to log addresses for the collector; serve without an edge'
        )
    if config.redirect.status not in (301, 302):
        raise ConfigError(f"redirect.status = {config.redirect.status}: `edge nginx` makes 301 and 302 only")
    data = config.data_directory.absolute()
    domains = {_strip_port(domain.host): domain.host for domain in config.domains}
    evidence = [(name, name.replace("-", "_")) for name in LOGGED_HEADERS]
    return _TEMPLATE.substitute(
        data=data,
        log=data / LOG_DIRECTORY / LOG_FILE_NAME,
        map=map_path.absolute(),
        hash_size=max(2048, 2 * link_count),
        bucket_size=_next_power_of_two(max_line_length + 64),
        domains="".join(f'        "{name}" "{host}";\n' for name, host in domains.items()),
        names=" ".join(domains),
        listen=listen,
        cuts="".join(
            _truncating_map(f"http_{name}", f"edge_{name}", MAX_HEADER_LENGTH) for _, name in evidence
        ),
        agent=_truncating_map("http_user_agent", "edge_agent", MAX_USER_AGENT_LENGTH),
        language=_truncating_map("http_accept_language", "edge_language", MAX_HEADER_LENGTH),
        version=FORMAT_VERSION,
        h=",".join(f'"{header}":"$edge_{name}"' for header, name in evidence),
        status=config.redirect.status,
        backend=f"{config.server.host}:{config.server.port}",
    )


def _truncating_map(source: str, variable: str, max_length: int) -> str:
    """A map that keeps the first printable ASCII characters of a header, so that a line is short and is UTF-8."""
    found = f"{variable}_kept"
    return f"""    map ${source} ${variable} {{ default ""; "~^(?<{found}>[ -~]{{1,{max_length}}})" ${found}; }}\n"""


def _strip_port(host: str) -> str:
    """A host without its port, as nginx's ``$host`` gives it."""
    name, _, port = host.rpartition(":")
    return name if port.isdigit() else host


def _quote_value(target: str) -> str:
    """A target as a string of nginx, in which only a variable of ours can stand for ``$``."""
    escaped = target.replace("\\", "\\\\").replace('"', '\\"').replace("$", "${edge_dollar}")
    return f'"{escaped}"'


def _escape_regex(text: str) -> str:
    """Text inside a regular expression; hosts and codes have no other special characters than these."""
    return text.replace(".", r"\.").replace("-", r"\-")


def _next_power_of_two(minimum: int) -> int:
    size = 64
    while size < minimum:
        size *= 2
    return size
