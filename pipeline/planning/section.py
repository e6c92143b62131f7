"""What every section of a configuration has in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """Fields that are all known, never change, and are numbers where they should be."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _not_a_switch(cls, value: Any, field: ValidationInfo) -> Any:
        # Python's True is an integer, a YAML file's is not.
        values = value if isinstance(value, list | tuple) else [value]
        switch = next((item for item in values if isinstance(item, bool)), None)
        if switch is not None and cls.model_fields[str(field.field_name)].annotation is not bool:
            raise ValueError(f"{str(switch).lower()} turns nothing on or off here; give a value")
        return value
