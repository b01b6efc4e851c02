"""The WatermelonDB models in TypeScript: one class per synced entity, without decorators.

Owns: accessors, relations and associations.
Must not know: files, schemas, the server.
Invariant: what only the server writes has no setter; `has_many` stands only where the child lives and dies with its parent,
because WatermelonDB's `experimentalMarkAsDeleted` deletes along it (tests/unit/test_generate_mobile.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from erp_core.language import Entity, Field, Phone
from erp_core.values import Choice, Document, Instant, Words
from mobile.generate_names import camel, choice_name, pascal

HELPERS: Final = ("children", "readInstant", "readJson", "readRaw", "relation", "writeInstant", "writeJson", "writeRaw")
RESERVED: Final = frozenset(
    {"asModel", "batch", "callReader", "callWriter", "collection", "collections", "database", "db", "id", "observe"}
    | {"destroyPermanently", "markAsDeleted", "syncStatus", "table", "update"}
)


def models(entities: tuple[Entity, ...]) -> Iterator[str]:
    """Give the lines of models.ts."""
    by_name = {entity.name: entity for entity in entities}
    body = [line for entity in entities for line in _model(entity, by_name, entities)]
    text = "\n".join(body)
    used = [name for name in HELPERS if f"{name}<" in text or f"{name}(" in text]
    kinds = [name for name in ("Query", "Relation") if f"{name}<" in text]
    types = sorted({choice_name(e, f) for e in entities for f in e.all_fields if _choice(f)})
    yield "import { Model } from '@nozbe/watermelondb'"
    if kinds:
        yield f"import type {{ {', '.join(kinds)} }} from '@nozbe/watermelondb'"
    if ": Associations" in text:
        yield "import type { Associations } from '@nozbe/watermelondb/Model'"
    yield f"import {{ {', '.join(used)} }} from '../fields'"
    if types:
        yield "import type {"
        yield from (f"  {name}," for name in types)
        yield "} from './types'"
    yield from body
    yield ""
    yield "export const modelClasses = ["
    yield from (f"  {pascal(entity.name)}," for entity in entities)
    yield "]"


def _model(entity: Entity, by_name: dict[str, Entity], entities: tuple[Entity, ...]) -> Iterator[str]:
    children = [
        (other, other.parent)
        for other in entities
        if other.parent is not None and other is not entity and dict(_targets(other))[other.parent] == entity.name
    ]
    yield ""
    yield f"/** {entity.title}{'; written by the server only' if entity.phone is Phone.DOWN else ''}. */"
    yield f"export class {pascal(entity.name)} extends Model {{"
    yield f"  static override table = '{entity.table}'"
    yield from _associations(entity, by_name, children)
    taken = {camel(field.name) for field in entity.all_fields} | {camel(child.table) for child, _ in children}
    for field in entity.all_fields:
        yield from _accessor(entity, field)
    for field, target in entity.references:
        if target in by_name:
            yield from _relation(field, by_name[target], taken)
    for child, key in children:
        yield ""
        yield f"  get {camel(child.table)}(): Query<{pascal(child.name)}> {{"
        yield f"    return children<{pascal(child.name)}>(this, '{child.table}', '{key}')"
        yield "  }"
    yield "}"


def _targets(entity: Entity) -> Iterator[tuple[str, str]]:
    yield from ((field.name, target) for field, target in entity.references)


def _associations(entity: Entity, by_name: dict[str, Entity], children: list[tuple[Entity, str]]) -> Iterator[str]:
    """WatermelonDB keeps one association per table: the parent first, then the first reference to it."""
    found: dict[str, str] = {}
    ordered = sorted(_targets(entity), key=lambda pair: pair[0] != entity.parent)
    for key, target in ordered:
        if target in by_name:
            found.setdefault(by_name[target].table, f"{{ type: 'belongs_to', key: '{key}' }}")
    for child, key in children:
        found.setdefault(child.table, f"{{ type: 'has_many', foreignKey: '{key}' }}")
    if found:
        yield "  static override associations: Associations = {"
        yield from (f"    {table}: {text}," for table, text in found.items())
        yield "  }"


def _accessor(entity: Entity, field: Field) -> Iterator[str]:
    name, kind = camel(field.name), _type(entity, field)
    if name in RESERVED:
        raise ValueError(f"{entity.name}.{field.name}: WatermelonDB's Model has a member {name!r} of its own")
    suffix = {Instant: "Instant", Words: "Json", Document: "Json"}.get(type(field.type), "Raw")
    whole = kind if field.required else f"{kind} | null"
    yield ""
    yield from ([f"  /** {field.help} */"] if field.help else [])
    yield f"  get {name}(): {whole} {{"
    yield f"    return read{suffix}<{whole}>(this, '{field.name}')"
    yield "  }"
    if field.derived or entity.phone is Phone.DOWN:
        return
    yield f"  set {name}(value: {whole}) {{"
    yield f"    write{suffix}(this, '{field.name}', value)"
    yield "  }"


def _type(entity: Entity, field: Field) -> str:
    match field.type:
        case Choice():
            return choice_name(entity, field)
        case Words():
            return f"{choice_name(entity, field) if _choice(field) else 'string'}[]"
        case Document():
            return "Record<string, unknown>"
        case Instant():
            return "Date"
        case other:
            return other.plain_kind


def _choice(field: Field) -> bool:
    return isinstance(field.type, Choice) or (isinstance(field.type, Words) and field.type.allowed is not None)


def _relation(field: Field, target: Entity, taken: set[str]) -> Iterator[str]:
    stem = camel(field.name.removesuffix("_id"))
    name = f"{stem}Row" if stem in taken or stem in RESERVED else stem
    yield ""
    yield f"  get {name}(): Relation<{pascal(target.name)}> {{"
    yield f"    return relation<{pascal(target.name)}>(this, '{target.table}', '{field.name}')"
    yield "  }"
