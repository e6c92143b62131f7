"""No secret of a URL is ever shown."""

from __future__ import annotations

import pickle
import traceback

import pytest

from gends.pipeline.storage.bucket import ObjectStore
from gends.pipeline.storage.credentials import redacted
from gends.pipeline.storage.store import StorageError

SECRET = "PASSWORDZ"


@pytest.mark.parametrize(
    "text",
    [
        f"GET http://user:{SECRET}@127.0.0.1:1/bucket?list-type=2",
        f"url: \"http://user:{SECRET}@host/\", source: 'https://:{SECRET}@host'",
        f"http://user:a@b/c{SECRET}@host:9/x",
        f"https://{SECRET}@host/x",
        f"az://container/x?sv=2024&sig={SECRET}%3D&se=2030",
        f"https://b.s3.amazonaws.com/k?X-Amz-Credential={SECRET}&X-Amz-Signature={SECRET}",
        f"https://s/k?x-amz-security-token={SECRET}#x",
        f"https://storage.googleapis.com/b/k?GoogleAccessId=x&Signature={SECRET}",
        f"https://s/k?AWSAccessKeyId={SECRET}&access_token={SECRET}",
    ],
)
def test_secrets_are_left_out(text):
    found = redacted(text)
    assert SECRET not in found
    assert "***" in found


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:9000/bucket/a@b?list-type=2&prefix=run",
        "abfss://container@account.dfs.core.windows.net/run",
        "s3://bucket/run: access denied (403 Forbidden)",
        "https://host/k?design=x&tokens_left=3",
    ],
)
def test_all_else_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize("what", ["names", "read", "exists", "version"])
def test_no_trouble_with_a_store_tells_the_password_of_its_endpoint(monkeypatch, what):
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://user:{SECRET}@127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    store = ObjectStore("s3://bucket/run", 0.2)
    with pytest.raises(StorageError, match="gave up after") as failed:
        getattr(store, what)("shards")
    for error in (failed.value, pickle.loads(pickle.dumps(failed.value))):
        assert SECRET not in "".join(traceback.format_exception(error))
    assert "127.0.0.1" in str(failed.value)


def test_what_is_not_there_is_told_without_the_password_too(bucket, object_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_server.replace("://", f"://user:{SECRET}@"))
    with pytest.raises(FileNotFoundError, match=r"a\.tar: not there") as failed:
        ObjectStore(bucket, 5).read("a.tar")
    assert SECRET not in "".join(traceback.format_exception(failed.value))
