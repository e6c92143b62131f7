from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from gends.models.processor import (
    MIXED,
    is_mixed,
    processor,
    with_processor,
    without_processor,
)

TELL = "import json; from gends.models.processor import *; print(json.dumps(processor(torch={})))"


def told(torch: bool = False, **variables: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", TELL.format(torch)],
        env=os.environ | variables,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_a_process_tells_the_same_each_time():
    here = processor(torch=False)
    assert set(here) == {"machine", "vendor", "numpy", "opencv"}
    assert all(here.values())
    assert told() == here


@pytest.mark.skipif(processor(torch=False)["numpy"] != "avx512", reason="needs a wide processor")
@pytest.mark.parametrize(
    ("variables", "name", "expected"),
    [
        ({"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL"}, "numpy", "avx2"),
        ({"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"}, "numpy", "sse4.2"),
        ({"OPENCV_CPU_DISABLE": "AVX512-SKX"}, "opencv", "avx2 ipp-k0"),
        ({"OPENCV_IPP": "disabled"}, "opencv", "avx512"),
        ({"OPENCV_IPP": "avx2"}, "opencv", "avx512 ipp-l9"),
    ],
)
def test_what_a_library_was_told_to_leave_makes_another_processor(variables, name, expected):
    here, there = processor(torch=False), told(**variables)
    assert there[name] == expected != here[name]
    assert {n for n in here if here[n] != there[n]} == {name}


def test_the_class_that_torch_takes_counts_where_it_computes():
    plain = told(torch=True)
    assert plain["torch"]
    narrow = told(torch=True, ATEN_CPU_CAPABILITY="default")
    assert narrow["torch"].split()[0] == "default"
    assert "ONEDNN_MAX_CPU_ISA=SSE41" in told(torch=True, ONEDNN_MAX_CPU_ISA="SSE41")["torch"]


def test_a_fingerprint_with_and_without():
    engine = {"dry": "1", "processors": "not it"}
    marked = with_processor(engine, torch=False)
    assert marked["processor.numpy"] == processor(torch=False)["numpy"]
    assert without_processor(marked) == engine
    assert without_processor(engine | MIXED) == engine
    assert is_mixed(engine | MIXED)
    assert not is_mixed(marked)
