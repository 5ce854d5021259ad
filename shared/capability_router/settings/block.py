"""The base of every block of router.yaml, and the kinds of values that its keys hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainValidator, model_validator

from capability_router.settings.units import flag, number, seconds, text, texts, whole

Seconds = Annotated[float, PlainValidator(seconds)]
Share = Annotated[float, PlainValidator(number(0, 1))]
Above = Annotated[float, PlainValidator(number(0, above=True))]
Weight = Annotated[float, PlainValidator(number(0))]
Count = Annotated[int, PlainValidator(whole(1))]
Flag = Annotated[bool, PlainValidator(flag)]
Text = Annotated[str, PlainValidator(text)]
FileName = Annotated[str, PlainValidator(lambda value: text(str(value) if hasattr(value, "__fspath__") else value))]
Texts = Annotated[tuple[str, ...], PlainValidator(texts)]


class Block(BaseModel):
    """A frozen block of settings. A key without a value counts as not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {str(name): value for name, value in values.items() if value is not None}
