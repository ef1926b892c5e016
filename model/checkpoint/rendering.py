"""The chat template's program, run in Jinja's sandbox. Only ever called in a helper process (`confined`)."""

import json
from typing import Any, NoReturn

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment


def perform(argument: Any) -> list[str]:
    """The template's text for each of several sets of variables. Raises whatever the template makes of them."""
    # As transformers sets it up, except that a template is told no date: the same prompt is the same text tomorrow.
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    try:
        template = environment.from_string(argument["template"])
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.message}") from None
    return [template.render(**variables) for variables in argument["variables"]]


def _to_json(value: object, indent: int | None = None) -> str:
    """Jinja's own would write < and > as escapes, for web pages."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: object) -> NoReturn:
    raise jinja2.TemplateError(str(message))
