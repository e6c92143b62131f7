"""Credentials of object stores: where they are looked for, how refused, and how kept secret."""

from __future__ import annotations

import re

AZURE = "AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN"
CREDENTIALS = {
    "s3://": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN",
    "gs://": "GOOGLE_APPLICATION_CREDENTIALS",
    "az://": AZURE,
    "abfs://": AZURE,
    "abfss://": AZURE,
}
"""Where obstore looks for credentials, for each kind of store."""
REFUSALS = (
    "401 Unauthorized",
    "403 Forbidden",
    "ExpiredToken",
    "TokenRefreshRequired",
    "InvalidToken",
)
"""In answers about credentials. Expired ones are a 400 to S3."""
_SIGNED = "sig|signature|token|password|secret|credential|access_?key(_?id)?|google_?access_?id"
_SECRETS = {
    # Of what a port and a slash follow, nothing is a password.
    r"(?<=://)[^\s/\"'<>]*:(?!\d+/)[^\s\"'<>]*@": "***@",
    r"((?<=http://)|(?<=https://))[^\s/\"'<>]+@": "***@",
    rf"(?<=[?&])([\w.-]*(?:{_SIGNED}))=[^\s&\"'#<>]+": r"\1=***",
}
"""Parts of URLs that let others in, and what stands for them; the last is of signed ones."""


def redacted(text: str) -> str:
    """A text about a store, without passwords, signatures and tokens of the URLs in it."""
    for secret, mark in _SECRETS.items():
        text = re.sub(secret, mark, text, flags=re.IGNORECASE)
    return text


def refused(what: str) -> bool:
    """Whether the first line of an error of obstore's says that credentials are at fault."""
    # An answer to HEAD has no room for a reason.
    nameless = "performing HEAD" in what and "400 Bad Request" in what
    return nameless or any(sign in what for sign in REFUSALS)
