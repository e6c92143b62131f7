"""Configuration files: whatever they hold, a configuration or a `ConfigError` naming the file."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import yaml

from gends.pipeline.planning.config import BuildConfig, ConfigError
from gends.pipeline.planning.config_file import load_config
from gends.pipeline.planning.mixture import MixtureConfig, RegionsConfig
from gends.pipeline.planning.steps import COMMON

FULL = BuildConfig().model_dump(mode="json")
KEYS = (
    *(*FULL, *FULL["filter"], *FULL["generator"]),
    *(*MixtureConfig.model_fields, *RegionsConfig.model_fields),
    *(*COMMON, "one_of", "some_of", "shuffled", "choice"),
)
SEEDS = [
    b"seed: 7\nresolution: 128\ndegradations: [rain, haze]\nfilter: {mu_max: 0.2}\n",
    b"clean: photos\nfilter:\n  mu_min: 0.1\n  metrics: {niqe: [null, 8.5]}\n",
    b"mixtures:\n  - name: m\n    weight: 2\n    steps:\n      - one_of: [rain, snow]\n"
    b"      - {op: haze, mu: [0.1, 0.2], probability: 0.5}\nper_image: 1\n",
    b"mixtures: [{name: m, pairs: 9, steps: {shuffled: [rain, snow]}, regions: {count: [2, 3]}},"
    b" {name: n, steps: {some_of: [haze, rain], count: [1, 2]}, order: written}]\nmembers: mask\n",
    b'{"generator": {"sampler": "euler-ancestral", "steps": 4}, "per_image": 2, "dedupe": true}',
]
WORDS = (
    *(b"&a ", b"*a", b"<<: *a", b"- ", b": ", b"? ", b"{", b"[", b"[[[[[[[[", b"}", b"]", b"\n  "),
    *(b"!!int ", b"!!float x", b"!!timestamp x", b"!!bool x", b"!!binary x", b"!!set ", b"!!omap "),
    *(b"!!python/object/apply:os.system [id]", b"!!python/name:os.system", b"--- ", b"%YAML 9.9\n"),
    *(b"2001-99-99", b".nan", b"-.inf", b"1e999", b"0x", b"0b", b"9" * 30, b"1:2:3", b"~", b"null"),
    *(b'"\\e[2J\\ud800"', b"\xff", b"\x00", b"\xe2\x80\xae", b"|\n", b">\n", b"'", b'"', b"# "),
    *(f"\n{key}: ".encode() for key in KEYS),
)
VALUES = (None, True, 0, -1, 1, 3, 10**30, 0.5, -1.0, 1e308, float("nan"), float("inf"), "", "haze")
TEXTS = ("gendeg", "png", "\x1b[2J", "\ud800", "a\nb", "图", "x" * 300, b"\xff", "1e3", "~", "*a")


def value(rng: Random, depth: int = 0) -> Any:
    kind = rng.random()
    if kind < 0.15 and depth < 4:
        return [value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    if kind < 0.3 and depth < 4:
        return {key(rng): value(rng, depth + 1) for _ in range(rng.randint(0, 3))}
    return rng.choice(VALUES if kind < 0.7 else TEXTS)


def key(rng: Random) -> Any:
    return rng.choice(KEYS) if rng.random() < 0.8 else rng.choice((*VALUES, *TEXTS))


def written(rng: Random, damage) -> bytes:
    kind = rng.random()
    if kind < 0.35:
        settings = {key(rng): value(rng) for _ in range(rng.randint(1, 3))}
        return yaml.dump(settings).encode("utf-8", "surrogatepass")
    if kind < 0.95:
        return damage(rng, rng.choice(SEEDS), WORDS)
    return rng.randbytes(rng.randint(0, 60))


def test_configurations(fuzz, damage, memory_folder):
    path = memory_folder / "c.yaml"

    def check(rng: Random) -> str:
        path.write_bytes(written(rng, damage))
        try:
            config = load_config(path, {})
        except ConfigError as error:
            refused = error
        else:
            return accepted(config)
        assert str(refused).startswith(f"{path}: ")
        assert len(str(refused)) < 20_000
        return f"ConfigError from {type(refused.__cause__).__name__}"

    def accepted(config: BuildConfig) -> str:
        again = BuildConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json"))))
        assert again == config
        return "accepted"

    fuzz(check)
