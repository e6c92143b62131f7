from __future__ import annotations


def test_a_reason_that_nothing_failed_for_is_answered_with_those_that_there_are(cli, finished):
    ended = cli("retry", finished.store.root, "--reason", "unreadible")
    assert ended.code == 0
    assert "nothing failed for unreadible in its sealed shards" in ended.out
    assert "(what failed there, failed for duplicate, undecodable)" in ended.out
