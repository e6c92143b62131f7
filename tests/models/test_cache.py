from gends.models.cache import Cache


def test_the_one_that_was_not_asked_for_longest_is_forgotten():
    memory: Cache[str] = Cache(2)
    made: list[str] = []

    def get(key: str) -> str:
        return memory.get(key, lambda: made.append(key) or key.upper())

    assert [get(key) for key in "abab"] == ["A", "B", "A", "B"]
    get("a")
    get("c")
    assert made == ["a", "b", "c"]
    get("a")
    get("b")
    assert made == ["a", "b", "c", "b"]
