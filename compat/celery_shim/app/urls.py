"""URLs of brokers and result stores without their passwords, for logs and reports."""

from __future__ import annotations

import re
from typing import Any

__all__ = ("sanitize_url",)

_SAS = re.compile("([?&]sig=)[^&;#]*", re.IGNORECASE)
_AZURE_SECRETS = {"accountkey", "sharedaccesssignature"}


def sanitize_url(url: Any, mask: str = "*" * 8) -> Any:
    """The URL with its passwords masked; several URLs separated by ``;`` are all masked."""
    if not url or not isinstance(url, str) or "://" not in url:
        return url
    parts = url.split(";")
    if any("://" in part for part in parts[1:]):
        return ";".join(sanitize_url(part.strip(), mask=mask) for part in parts)
    scheme, _, rest = url.partition("://")
    if scheme == "azureblockblob":
        # a connection string, not a URL
        return f"{scheme}://{_azure(rest, mask)}"
    cut = re.search(r"[/?#]", rest)
    end = cut.start() if cut else len(rest)
    return f"{scheme}://{_authority(rest[:end], mask)}{rest[end:]}"


def _azure(text: str, mask: str) -> str:
    shown = []
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if equals and key.strip().lower() in _AZURE_SECRETS:
            part = f"{key}={mask}"
        elif value:
            part = f"{key}={_SAS.sub(lambda match: match[1] + mask, value)}"
        shown.append(part)
    return ";".join(shown)


def _user(info: str, mask: str) -> str:
    user, colon, _ = info.partition(":")
    return f"{user}:{mask}" if colon else info


def _authority(text: str, mask: str) -> str:
    """``user:password@host`` masked; lists of hosts are separated by ``;`` or ``,``."""
    separator = ";" if ";" in text else "," if "," in text else None
    hosts = [chunk.strip() for chunk in text.split(separator) if chunk.strip()] if separator else [text]
    if "@" not in text:
        return separator.join(hosts) if separator else text
    if separator and _is_list(hosts):
        return separator.join(_server(host, mask) for host in hosts)
    info, _, host = text.rpartition("@")
    if text.count("@") > 1 and ":" not in info:
        return f"{mask}@{host}"
    return f"{_user(info, mask)}@{host}"


def _is_list(hosts: list[str]) -> bool:
    """A comma in a password looks like a list; a list has users with passwords and hosts with names."""
    with_user = [host.rpartition("@")[0] for host in hosts if "@" in host]
    without = [host for host in hosts if "@" not in host]
    return len(hosts) > 1 and all(":" in user for user in with_user) and not any(h.startswith(":") for h in without)


def _server(text: str, mask: str) -> str:
    info, at, host = text.rpartition("@")
    return f"{_user(info, mask)}@{host}" if at else text
