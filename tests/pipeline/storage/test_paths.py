"""Names mean what they say, or are refused."""

from __future__ import annotations

import os
import shutil

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends import PairDataset
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.photographs.catalog import Catalog, write_catalog
from gends.pipeline.sources.source import read_source
from gends.pipeline.storage.opening import open_store
from gends.pipeline.storage.paths import check_path, check_url

ODD = ("~root", "run12:30", "file:x", "s3:x", "a#1", "a?b", "a%20b", "a\\b", "a b ", ".a", "-a")


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_an_odd_name_is_a_folder(finished, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished.store.root, name)
    assert open_dataset(name).plan.num_shards == finished.plan.num_shards
    pairs = PairDataset(name)
    assert len(pairs) > 10
    assert pairs[0]["gt"].shape == (64, 64, 3)


@pytest.mark.parametrize("name", [*ODD, "\udcff"])
def test_a_catalog_and_a_list_of_an_odd_name_are_files(photos, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkdir(name)
    rows = list(read_source(photos))
    path = tmp_path.joinpath(name, "catalog.parquet").relative_to(tmp_path)
    count = write_catalog(rows, path, base=photos.parent, default_dataset="d")
    assert len(Catalog(path)) == count
    assert sum(1 for _ in read_source(path)) == count


@pytest.mark.parametrize("path", ["~", "~/x", "s3:/bucket/x", "GS:/x", "file:/x", "https:/x"])
def test_what_a_shell_or_a_slip_left_is_refused_with_the_way_out(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"; write \$HOME|; for a folder of this name write"):
        open_store(path)
    check_path(f"./{path}")
    with open_store(f"./{path}").publish("a") as file:
        file.write(b"there")
    assert (tmp_path / path / "a").read_bytes() == b"there"


REFUSED = ["run#2", "run?v=2", "run%20x", "run/../x", "run/./x", "run//x", "run ", "a\tb", "a\x7f"]


@pytest.mark.parametrize("prefix", REFUSED)
def test_a_prefix_that_would_be_another_is_refused(bucket, prefix):
    for text in (f"s3://bucket/{prefix}", f"gs://bucket/{prefix}", f"az://bucket/{prefix}"):
        with pytest.raises(
            ValueError, match=r"means something else in a URL|a prefix has no parts"
        ):
            open_store(text)


@pytest.mark.parametrize("url", ["s3://user:PASSWORDZ@bucket/x", "gs://PASSWORDZ@bucket/x"])
def test_a_url_with_credentials_is_refused_without_a_word_of_them(url):
    with pytest.raises(ValueError, match="names a bucket alone") as refused:
        open_store(url)
    assert "PASSWORDZ" not in str(refused.value)


LEFT = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8)


@given(prefix=st.lists(LEFT, min_size=1, max_size=3).map("/".join))
def test_a_prefix_that_is_not_refused_is_the_one_in_the_bucket(object_server, prefix):
    url = f"s3://bucket/{prefix}"
    try:
        check_url(url)
    except ValueError:
        return
    store = open_store(url)
    with store.publish("a") as file:
        file.write(b"")
    client = boto3.client("s3", endpoint_url=object_server)
    found = client.list_objects_v2(Bucket="bucket", Prefix=f"{prefix}/a")
    assert [entry["Key"] for entry in found.get("Contents", [])] == [f"{prefix}/a"]
    assert store.names("") == ["a"]
    client.delete_object(Bucket="bucket", Key=f"{prefix}/a")
