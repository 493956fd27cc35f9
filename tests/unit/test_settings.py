"""Settings: what wins over what, what is refused, what is shown."""

from pathlib import Path

import pytest

from contracts.settings import Settings, SettingsError
from contracts.settings_source import load
from contracts.settings_text import dump, effective


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("TIDEWATCH_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_defaults_need_no_file() -> None:
    settings = load()
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.embedded == ["kafka", "clickhouse", "flink", "api", "alerts"]


def test_environment_wins_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "kafka: {port: 1, heap_mb: 2}\napi: {port: 3}")
    monkeypatch.setenv("TIDEWATCH_KAFKA__PORT", "9")
    settings = load(path)
    assert (settings.kafka.port, settings.kafka.heap_mb, settings.api.port) == (9, 2, 3)
    assert settings.kafka.controller_port == 9093


def test_the_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_CONFIG", str(write(tmp_path, "log_level: debug")))
    assert load().log_level == "debug"


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    assert load(write(tmp_path, "log_level: debug"), log_level="error").log_level == "error"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("no_such: 1", "no_such"),
        ("kafka: {no_such: 1}", "kafka.no_such"),
        ("flink: {slots: 0}", "flink.slots"),
        ("flink: {slots: many}", "flink.slots"),
        ("embedded: [postgres]", "embedded"),
        ("- a list", "mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load(write(tmp_path, text))


@pytest.mark.parametrize("variable", ["TIDEWATCH_NO_SUCH", "TIDEWATCH_KAFKA__NO_SUCH", "TIDEWATCH_KAFKA__PORT__MORE"])
def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError, match=variable):
        load()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load(tmp_path / "none.yaml")


def test_secrets_are_masked_where_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_CLICKHOUSE__PASSWORD", "hush")
    monkeypatch.setenv("TIDEWATCH_API__TOKENS", '["quiet"]')
    shown = effective(load())
    assert "hush" not in shown
    assert "quiet" not in shown
    assert shown.count("**********") >= 4


def test_a_dump_reads_back_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_CLICKHOUSE__PASSWORD", "hush")
    settings = load(state_dir=tmp_path)
    monkeypatch.delenv("TIDEWATCH_CLICKHOUSE__PASSWORD")
    assert load(write(tmp_path, dump(settings))) == settings


def test_a_wide_binding_demands_tokens() -> None:
    with pytest.raises(SettingsError, match="set api.tokens"):
        load(host="0.0.0.0")  # noqa: S104  # refused is what is tested
    assert load(host="0.0.0.0", api={"tokens": ["t"]}).host == "0.0.0.0"  # noqa: S104


def test_relative_folders_start_from_home() -> None:
    settings = load(home="/somewhere", state_dir="state")
    assert settings.state_path == Path("/somewhere/state")
    assert settings.tools_path == Path("/somewhere/var/tools")
    assert settings.checkpoint_dir == "file:///somewhere/state/flink/checkpoints"


def test_a_sasl_client_is_told_how_to_log_in() -> None:
    kafka = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "p"}
    client = load(kafka={"bootstrap_servers": "broker:9094", **kafka}).kafka_client
    assert client["bootstrap.servers"] == "broker:9094"
    assert client["sasl.password"] == "p"  # noqa: S105  # of this test
    assert "sasl.mechanism" not in Settings().kafka_client


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API__PORT", "99999999"),
        ("API__BUFFER_BYTES", "-5"),
        ("KAFKA__HEAP_MB", "-3"),
        ("API__MAX_BODY_BYTES", "0"),
        ("ALERTS__CANARY_SECONDS", "19.9"),
    ],
)
def test_senseless_values_are_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TIDEWATCH_{name}", value)
    with pytest.raises(SettingsError, match=name.lower().replace("__", ".")):
        load()


def test_a_list_that_is_not_json_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEWATCH_API__TOKENS", "a-secret")
    with pytest.raises(SettingsError, match="as JSON") as error:
        load()
    assert "a-secret" not in str(error.value)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(b"host: \xff\xfe")
    with pytest.raises(SettingsError, match=f"{path} is not UTF-8"):
        load(path)
