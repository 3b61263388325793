"""Durations: seconds in a column, ISO 8601 at the doors (`PT1H`, `P7D`), written by Postgres with the rest of the JSON."""

from collections.abc import Mapping
from dataclasses import replace

from shared.models.read_model import Column, ReadModel


def iso(seconds: str) -> str:
    """SQL that writes the number of seconds that `seconds` yields as `shared.rules.duration.write` does; null stays null."""
    n = f"({seconds})::numeric"
    whole = f"(trunc(mod({n}, 60), 6))"
    part = f"CASE WHEN {whole} <> 0 THEN trim_scale({whole}) || 'S' END"
    return (
        f"CASE WHEN {seconds} IS NULL THEN NULL WHEN trunc({n}, 6) = 0 THEN 'PT0S' ELSE concat('P', "
        f"nullif(div({n}, 86400), 0) || 'D', CASE WHEN trunc(mod({n}, 86400), 6) <> 0 THEN 'T' END, "
        f"nullif(div(mod({n}, 86400), 3600), 0) || 'H', nullif(div(mod({n}, 3600), 60), 0) || 'M', {part}) END"
    )


def with_durations(model: ReadModel, fields: Mapping[str, tuple[str, str]]) -> ReadModel:
    """The read model with duration fields: name → (column that holds seconds, what it is). The columns themselves are no
    longer shown."""
    columns = model.columns()
    hidden = {column for column, _ in fields.values()}
    shown = {name: item for name, item in model.fields.items() if name not in hidden}
    for name, (column, doc) in fields.items():
        shown[name] = Column("duration", doc, iso(columns[column].sql), null=columns[column].null)
    return replace(model, fields=shown)
