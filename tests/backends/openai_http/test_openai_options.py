"""Options of a served model are read, and a wrong one is refused with what would be right."""

from __future__ import annotations

import pytest

from gemma_eval.backends.openai_http.options import HttpOptions, read
from gemma_eval.backends.openai_http.transport import Limits
from gemma_eval.errors import BackendError, UnknownName
from gemma_eval.records import ModelSpec, Option


def spec(**options: Option) -> ModelSpec:
    """Return a model with these options."""
    return ModelSpec(name="m", backend="openai_http", location="http://127.0.0.1:1", options=options)


def test_nothing_has_to_be_set() -> None:
    """The defaults are those of the records."""
    assert read(spec()) == HttpOptions()


def test_everything_may_be_set() -> None:
    """Limits have the names of the options that set them; more fields of requests are JSON."""
    found = read(
        spec(
            model="tiny",
            endpoint="completions",
            dialect="vllm",
            api_key_env="MY_KEY",
            stream=False,
            counts="end",
            cache_prompt=True,
            cross_check=True,
            retries=0,
            request='{"chat_template_kwargs": {"enable_thinking": false}}',
            connect_timeout_s=1,
            first_token_timeout_s=2.5,
            idle_timeout_s=3,
            timeout_s=4,
            max_response_bytes=5,
        )
    )
    assert found == HttpOptions(
        model="tiny",
        endpoint="completions",
        dialect="vllm",
        api_key_env="MY_KEY",
        stream=False,
        counts="end",
        cache_prompt=True,
        cross_check=True,
        retries=0,
        extra={"chat_template_kwargs": {"enable_thinking": False}},
        limits=Limits(
            connect_timeout_s=1,
            first_token_timeout_s=2.5,
            idle_timeout_s=3,
            timeout_s=4,
            max_response_bytes=5,
        ),
    )


def test_an_unknown_option_has_a_suggestion() -> None:
    """And its value, which may be a key, is not shown."""
    with pytest.raises(
        UnknownName, match=r'no option of the model m .* named "api_key"; did you mean'
    ) as caught:
        read(spec(api_key="sk-1234"))
    assert "sk-1234" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("model", "", "a name is needed"),
        ("model", 1, "a name is needed"),
        ("endpoint", "chats", 'did you mean "chat"'),
        ("dialect", "llama_cpp", 'did you mean "llama.cpp"'),
        ("dialect", 7, "known: "),
        ("counts", "never", "known: each, end"),
        ("stream", "yes", "true or false is needed"),
        ("stream", 1, "true or false is needed"),
        ("retries", 1.5, "a whole number from 0 to 10 is needed"),
        ("retries", -1, "a whole number from 0 to 10 is needed"),
        ("retries", True, "a whole number from 0 to 10 is needed"),
        ("max_response_bytes", 0, "a whole number from 1"),
        ("timeout_s", 0, "seconds above 0 are needed"),
        ("timeout_s", float("inf"), "seconds above 0 are needed"),
        ("timeout_s", float("nan"), "seconds above 0 are needed"),
        ("idle_timeout_s", "9", "seconds above 0 are needed"),
        ("request", "[1]", "a JSON object"),
        ("request", "{oops", "a JSON object"),
        ("request", '{"a": NaN}', "a JSON object"),
        ("request", "[" * 100_000, "a JSON object"),
        ("request", ("a",), "a JSON object"),
    ],
)
def test_a_wrong_value_is_refused(option: str, value: Option, says: str) -> None:
    """The message names the model, the option and what is needed."""
    with pytest.raises(BackendError, match=says) as caught:
        read(spec(**{option: value}))
    assert str(caught.value).startswith(f"model m: {option} = ")


@pytest.mark.parametrize("value", ["sk-proj-1234", "AIzaSy1234", "A KEY", "A\r\nx: y", "", 7])
def test_a_key_where_its_name_should_stand_is_refused_without_being_shown(value: Option) -> None:
    """Names of variables are of capital letters here; what else stands there may be a secret."""
    with pytest.raises(BackendError, match="no name of an environment variable") as caught:
        read(spec(api_key_env=value))
    assert str(value) not in str(caught.value) or not value
