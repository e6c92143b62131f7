"""Credentials of object stores: where obstore looks for them, and how stores refuse them."""

from __future__ import annotations

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


def refused(what: str) -> bool:
    """Whether the first line of an error of obstore's says that credentials are at fault."""
    # An answer to HEAD has no room for a reason.
    nameless = "performing HEAD" in what and "400 Bad Request" in what
    return nameless or any(sign in what for sign in REFUSALS)
