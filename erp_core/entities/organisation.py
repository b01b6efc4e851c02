"""The organisation: the trading house itself, owner of every row and of one clock."""
from erp_core.language import Entity, Field, Phone
from erp_core.values import Text

ORGANISATION = Entity(
    name="organisation",
    table="organisations",
    title="Organisation",
    phone=Phone.DOWN,
    fields=(Field("legal_name", Text(200), required=True),),
)
