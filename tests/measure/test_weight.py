"""What the measuring side costs those who do not measure: nothing at import, nothing at enable()."""

from __future__ import annotations

from python_support import json_of

HEAVY = ["psutil", "rich", "matplotlib", "prometheus_client", "json", "socket", "threading", "argparse", "typing"]


def test_importing_and_enabling_hakmem_stays_light() -> None:
    code = f"""
    import sys
    before = set(sys.modules)
    import hakmem
    hakmem.enable()
    hakmem.mark("nobody listens")
    new = set(sys.modules) - before
    import json
    print(json.dumps(sorted(name for name in new if name in {HEAVY} or name.startswith("hakmem.measure"))))
    """
    assert json_of(code) == []
