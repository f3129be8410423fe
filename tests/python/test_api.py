"""The module hakmem: what its functions promise, in fresh interpreters."""

from __future__ import annotations

import typing

import hakmem
import pytest
from python_support import clean_environment, json_of, output_of, run_code


def test_import_enables_nothing_and_is_small() -> None:
    heavy = json_of("""
        import json, sys
        before = set(sys.modules)
        import hakmem
        assert not hakmem.is_enabled()
        assert hakmem.stats()["served_requests"] == 0
        print(json.dumps(sorted(set(sys.modules) - before)))
    """)
    assert heavy == ["hakmem", "hakmem._hakmem"]


@pytest.mark.parametrize("use", ["hakmem.control.trim() >= 0", "hakmem.errors.UnsupportedError is not None"])
def test_modules_that_need_no_import_of_their_own(use: str) -> None:
    assert json_of(f"import json, hakmem; print(json.dumps([{use}, hasattr(hakmem, 'other')]))") == [True, False]


def test_a_caught_error_is_imported_when_it_is_raised() -> None:
    assert json_of("""
        import json, hakmem
        try:
            hakmem.get_option("no such")
        except hakmem.UnsupportedError:
            print(json.dumps("wrong"))
        except hakmem.UnknownOptionError as error:
            print(json.dumps([type(error).__module__, hakmem.UnknownOptionError is type(error)]))
    """) == ["hakmem.errors", True]


def test_enable_twice_disable_enable() -> None:
    assert json_of("""
        import json, hakmem
        seen = [hakmem.is_enabled(), hakmem.enable(), hakmem.enable(), hakmem.is_enabled()]
        hakmem.disable()
        seen.append(hakmem.is_enabled())
        hakmem.disable()
        seen += [hakmem.enable(), hakmem.is_enabled()]
        print(json.dumps(seen))
    """) == [False, True, True, True, False, True, True]


def test_disable_before_enable_is_harmless() -> None:
    assert json_of("import json, hakmem; hakmem.disable(); print(json.dumps(hakmem.is_enabled()))") is False


@pytest.mark.parametrize("value", ["1", "", "x"])
def test_enable_ignores_other_values_of_the_variable(value: str) -> None:
    code = "import json, hakmem; print(json.dumps(hakmem.enable()))"
    assert json_of(code, environment=clean_environment(HAKMEM=value)) is True


def test_variable_zero_always_wins() -> None:
    code = "import json, hakmem; print(json.dumps([hakmem.enable(), hakmem.is_enabled()]))"
    assert json_of(code, environment=clean_environment(HAKMEM="0")) == [False, False]


def test_enable_is_cheap() -> None:
    """At most 1 MiB of resident memory and 10 ms; the best of five, because other work shares the machine."""
    code = """
        import json, time
        def resident_bytes():
            with open("/proc/self/smaps_rollup") as file:
                return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))
        resident_bytes()
        before_bytes = resident_bytes()
        start = time.perf_counter()
        import hakmem
        hakmem.enable()
        seconds = time.perf_counter() - start
        print(json.dumps([resident_bytes() - before_bytes, seconds]))
    """
    environment = clean_environment()
    del environment[
        "PYTHONDONTWRITEBYTECODE"
    ]  # compiling the package is not enabling it: the first run keeps the result
    measured = [json_of(code, environment=environment) for _ in range(5)]
    assert min(size_bytes for size_bytes, _ in measured) <= 1 << 20, measured
    assert min(seconds for _, seconds in measured) <= 0.010, measured


# ---- stats ----


def test_stats_have_the_promised_keys_and_add_up() -> None:
    figures = json_of("""
        import json, hakmem
        hakmem.enable()
        keep = [object() for _ in range(1000)]
        print(json.dumps(hakmem.stats()))
    """)
    assert list(figures) == list(typing.get_type_hints(hakmem.Stats))
    rows = figures.pop("classes")
    assert figures.pop("counters") == {}
    assert all(type(value) is int and value >= 0 for value in figures.values())
    parts = ("live_bytes", "cached_bytes", "pinned_bytes", "free_resident_bytes", "unbacked_bytes")
    assert figures["mapped_bytes"] == sum(figures[part] for part in parts)
    assert figures["superslabs_active"] == figures["superslabs_born"] - figures["superslabs_died"]
    assert figures["superslabs_active"] >= 1
    assert figures["served_requests"] >= 1000
    assert [row["block_bytes"] for row in rows] == sorted(row["block_bytes"] for row in rows)
    slab_live_bytes = sum(row["live"] * row["block_bytes"] for row in rows)
    assert figures["live_bytes"] - figures["large_bytes"] == slab_live_bytes


def test_live_figures_follow_the_objects() -> None:
    before, during, after = json_of("""
        import json, hakmem
        hakmem.enable()
        def live():
            figures = hakmem.stats()
            return [figures["live_bytes"], figures["live_blocks"]]
        live()
        before = live()
        keep = [bytes(1000) for _ in range(5000)]
        during = live()
        del keep
        print(json.dumps([before, during, live()]))
    """)
    assert during[0] - before[0] >= 5000 * 1000
    assert 5000 <= during[1] - before[1] <= 5200
    assert abs(after[0] - before[0]) < 64 << 10
    assert abs(after[1] - before[1]) < 200


def test_counters_appear_with_the_option() -> None:
    counters, served_bytes = json_of("""
        import json, hakmem
        hakmem.set_option("counters", 1)
        hakmem.enable()
        keep = [bytes(1000) for _ in range(5000)]
        figures = hakmem.stats()
        print(json.dumps([figures["counters"], figures["served_bytes"]]))
    """)
    assert counters
    assert any(name.startswith("refill_") and value > 0 for name, value in counters.items())
    assert served_bytes >= 5000 * 1000


def test_counting_starts_and_stops_while_enabled() -> None:
    first, second, third = json_of("""
        import json, hakmem
        hakmem.enable()
        keep = [bytes(1000) for _ in range(100)]
        first = hakmem.stats()["served_bytes"]
        hakmem.set_option("counters", 1)
        keep += [bytes(1000) for _ in range(100)]
        hakmem.set_option("counters", 0)
        second = hakmem.stats()["served_bytes"]
        keep += [bytes(1000) for _ in range(100)]
        print(json.dumps([first, second, hakmem.stats()["served_bytes"]]))
    """)
    assert first == 0
    assert 100 * 1000 <= second < 250 * 1000
    assert third == second


def test_trim_gives_bytes_back() -> None:
    given_back_bytes, before_bytes, after_bytes = json_of("""
        import json, hakmem
        hakmem.enable()
        hakmem.set_option("purge_delay_ms", 3600000)
        keep = [bytes(1000) for _ in range(20000)]
        survivors = keep[::100]
        del keep
        before = hakmem.stats()
        given_back = hakmem.trim()
        after = hakmem.stats()
        print(json.dumps([given_back, before["free_resident_bytes"], after["free_resident_bytes"]]))
    """)
    assert before_bytes > 1 << 20
    assert given_back_bytes >= before_bytes // 2
    assert after_bytes < before_bytes // 10


# ---- options ----


def test_options_are_typed_rows() -> None:
    rows = {row["name"]: row for row in hakmem.options()}
    assert set(next(iter(rows.values()))) == set(typing.get_type_hints(hakmem.OptionInfo))
    assert rows["retain_bytes"]["kind"] == "integer"
    assert rows["retain_bytes"]["default"] == 4 << 20
    assert rows["retain_bytes"]["minimum"] == 0
    assert rows["thp"]["choices"] == ["never", "auto", "always"]
    assert rows["thp"]["minimum"] is None
    assert rows["counters"]["default"] == 0
    assert rows["domains"]["value"] == "mem,obj"
    assert rows["domains"]["at_start_only"] is True
    assert all(row["variable"] == "HAKMEM_" + name.upper() for name, row in rows.items())


@pytest.mark.parametrize(("name", "value", "read_back"), [
    ("retain_bytes", 12345, 12345),
    ("retain_bytes", "0", 0),
    ("counters", True, 1),
    ("counters", "0", 0),
    ("on_error", "report", "report"),
])  # fmt: skip
def test_set_option_is_read_back(name: str, value: int | str, read_back: int | str) -> None:
    before = hakmem.get_option(name)
    try:
        hakmem.set_option(name, value)
        assert hakmem.get_option(name) == read_back
        assert type(hakmem.get_option(name)) is type(read_back)
    finally:
        hakmem.set_option(name, before)


@pytest.mark.parametrize(
    ("value", "expected"), [("soon", "soon"), (-1, "-1"), ("", "''"), (10**30, "1000"), ("1\0", "NUL")]
)
def test_bad_value_is_named_and_changes_nothing(value: int | str, expected: str) -> None:
    before = hakmem.get_option("retain_bytes")
    with pytest.raises(ValueError, match="retain_bytes") as caught:
        hakmem.set_option("retain_bytes", value)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert hakmem.get_option("retain_bytes") == before


@pytest.mark.parametrize("value", [None, 1.5, b"1", [1]])
def test_value_of_a_wrong_type(value: object) -> None:
    with pytest.raises(TypeError, match="retain_bytes"):
        hakmem.set_option("retain_bytes", value)  # type: ignore[arg-type]


def test_option_read_at_start_only_names_its_variable() -> None:
    with pytest.raises(RuntimeError, match="HAKMEM_DOMAINS=obj"):
        hakmem.set_option("domains", "obj")


@pytest.mark.parametrize("name", ["retain_byte", "", "RETAIN_BYTES", "nonsense", "x" * 1000])
def test_unknown_option_is_a_key_error_in_plain_words(name: str) -> None:
    for access in (lambda: hakmem.get_option(name), lambda: hakmem.set_option(name, 1)):
        with pytest.raises(KeyError) as caught:
            access()
        assert isinstance(caught.value, hakmem.UnknownOptionError)
        assert str(caught.value).startswith("there is no option")
    if name in ("retain_byte", "RETAIN_BYTES"):
        assert str(caught.value).endswith("; the nearest is 'retain_bytes'")
    elif len(name) < 100:
        assert str(caught.value).endswith("; options() lists them")


# ---- the rest ----


def test_mark_is_an_audit_event() -> None:
    assert json_of("""
        import json, sys, hakmem
        heard = []
        sys.addaudithook(lambda event, arguments: heard.append(arguments) if event == "hakmem.mark" else None)
        hakmem.mark("half way")
        print(json.dumps(heard))
    """) == [["half way"]]
    with pytest.raises(TypeError, match="int"):
        hakmem.mark(1)  # type: ignore[arg-type]


def test_public_names_exist() -> None:
    assert all(hasattr(hakmem, name) for name in hakmem.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = hakmem.no_such_name  # type: ignore[attr-defined]


def test_stats_at_exit_prints_the_table_once() -> None:
    result = run_code(
        """
        import hakmem, os
        hakmem.enable()
        hakmem.enable()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        """,
        environment=clean_environment(HAKMEM_STATS_AT_EXIT="1"),
    )
    assert result.returncode == 0
    assert result.stderr.count("hakmem: stats") == 1
    assert "requests served" in result.stderr
    assert "not counted" in result.stderr


@pytest.mark.parametrize("way", ["del sys.__stderr__", "sys.__stderr__ = 5", "sys.__stderr__ = io.BytesIO()"])
def test_table_has_no_place_where_stderr_was_taken_away(way: str) -> None:
    code = f"import hakmem, io, sys; hakmem.enable(); {way}"
    assert output_of(run_code(code, environment=clean_environment(HAKMEM_STATS_AT_EXIT="1"))) == ""


def test_without_the_option_exit_is_silent() -> None:
    assert output_of(run_code("import hakmem; hakmem.enable()")) == ""
