"""The forms that Prefect makes of the requests: in both languages, with nothing in them that its pages cannot draw."""

import importlib
import re

import jsonschema
import pytest

from domains.fields import submodel
from domains.templates import PIPELINES

CHINESE = re.compile("[\u4e00-\u9fff]")
# What the form has a widget for; an ``anyOf`` is a choice between tabs.
DRAWN = {"string", "integer", "number", "boolean", "array", "object", "null"}


def fields(model, prefix=""):
    for name, field in model.model_fields.items():
        yield prefix + name, field
        if inner := submodel(field.annotation):
            yield from fields(inner, f"{prefix}{name}.")


def flow_of(name):
    module = name.replace("-", "_")
    return getattr(importlib.import_module(f"flows.{module}"), module)


@pytest.fixture(scope="module", params=PIPELINES)
def name(request):
    return request.param


def test_every_field_has_title_and_help_in_both_languages(name):
    wrong = []
    for path, field in fields(PIPELINES[name].request):
        title, words = field.title or "", field.description or ""
        english, mark, chinese = title.partition(" / ")
        if not mark or CHINESE.search(english) or not CHINESE.search(chinese):
            wrong.append(f"{path}: title {title!r} must be 'English, unit / 中文（单位）'")
        if not CHINESE.search(words) or CHINESE.match(words):
            wrong.append(f"{path}: description {words!r} must be English, then Chinese")
    assert not wrong, f"{PIPELINES[name].request.__name__} ({name}):\n" + "\n".join(wrong)


def test_the_form_has_one_filled_request_whose_required_fields_come_first(name):
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(flow_of(name)).model_dump_for_openapi()
    assert list(schema["properties"]) == ["request"]
    default = schema["properties"]["request"]["default"]
    assert PIPELINES[name].request.model_validate(default) == PIPELINES[name].request()
    for model in schema["definitions"].values():
        names, required = list(model.get("properties", {})), model.get("required", [])
        assert sorted(map(names.index, required)) == list(range(len(required))), f"{model['title']}: {required} first"


def test_the_page_can_draw_every_field_and_takes_the_default_back(name):
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(flow_of(name)).model_dump_for_openapi()
    for model in schema["definitions"].values():
        for field, one in model.get("properties", {}).items():
            assert not problem(one), f"{name}: {model['title']}.{field}: {problem(one)}"
    jsonschema.validate(
        {"request": schema["properties"]["request"]["default"]}, schema, jsonschema.Draft202012Validator
    )


def problem(one):
    """Why the form cannot draw a field, seen with Prefect 3.8: it knows plain types, choices, lists, one model or none."""
    if "anyOf" in one:
        if sum("$ref" in each for each in one["anyOf"]) > 1:
            return "a choice among models has tabs without names"
        return next(filter(None, map(problem, one["anyOf"])), "")
    if "$ref" in one or "allOf" in one or "enum" in one or "const" in one:
        return ""
    if "additionalProperties" in one:
        return "a mapping has no form"
    if one.get("type") not in DRAWN:
        return f"no widget for {one}"
    return next(filter(None, map(problem, one.get("prefixItems", [one["items"]] if "items" in one else []))), "")
