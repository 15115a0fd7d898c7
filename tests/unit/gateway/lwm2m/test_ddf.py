from __future__ import annotations

import pytest

from gateway.lwm2m import ddf
from gateway.lwm2m.ddf import decode_definitions
from gateway.lwm2m.definitions import ResourceDefinition
from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.values import Type

SAMPLE = """<?xml version="1.0" encoding="UTF-8"?>
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <Object ObjectType="MODefinition">
  <Name> Kettle
   Control </Name><Description1>A <![CDATA[kettle & more]]></Description1>
  <ObjectID>32800</ObjectID><ObjectURN>urn:oma:lwm2m:x:32800:2.1</ObjectURN>
  <LWM2MVersion>1.1</LWM2MVersion><ObjectVersion>2.1</ObjectVersion>
  <MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>
  <Resources>
   <Item ID="0"><Name>Boil</Name><Operations>E</Operations><MultipleInstances>Single</MultipleInstances>
    <Mandatory>Mandatory</Mandatory><Type></Type><RangeEnumeration/><Units/><Description/></Item>
   <Item ID="5700"><Name>Water</Name><Operations>WR</Operations>
    <MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory>
    <Type>Unsigned Integer</Type><RangeEnumeration>0..2</RangeEnumeration>
    <Units>l</Units></Item>
   <Item ID="7"><Name>Key</Name></Item>
  </Resources>
 </Object>
</LWM2M>
"""


def test_object_is_read():
    [found] = decode_definitions(SAMPLE.encode())
    assert (found.id, found.name, found.version) == (32800, "Kettle Control", "2.1")
    assert found.is_multiple
    assert not found.is_mandatory
    assert dict(found.resources) == {
        0: ResourceDefinition(0, "Boil", "E", False, True, Type.NONE),
        5700: ResourceDefinition(5700, "Water", "RW", True, False, Type.UNSIGNED, "0..2", "l"),
        7: ResourceDefinition(7, "Key", "", False, False, Type.NONE),
    }


def test_version_may_be_left_out_and_files_may_hold_none_or_several():
    def object_(number):
        return f"<Object><ObjectID>{number}</ObjectID></Object>"

    [found] = decode_definitions(object_(5).encode())
    assert found.version == "1.0"
    several = decode_definitions(f"<LWM2M>{object_(5)}{object_(6)}</LWM2M>".encode("utf-16"))
    assert [definition.id for definition in several] == [5, 6]
    reusable = '<LWM2M><Object><Resources><Item ID="5"/></Resources></Object></LWM2M>'
    assert decode_definitions(reusable.encode()) == ()
    assert decode_definitions(b"<units/>") == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<ObjectID>32800<", "<ObjectID>x<"),
        ("<ObjectID>32800<", "<ObjectID>65535<"),
        ("<ObjectVersion>2.1<", "<ObjectVersion>two<"),
        ('ID="0"', 'ID=""'),
        ('<Item ID="0"', "<Item"),
        ('ID="7"', 'ID="0"'),
        ("Unsigned Integer", "Colour"),
        (">WR<", ">RX<"),
        (">Water<", f">{'w' * (ddf.MAX_TEXT + 1)}<"),
        ("</LWM2M>", ""),
        ("<LWM2M ", '<!DOCTYPE LWM2M [<!ENTITY a "b">]><LWM2M '),
        ("<LWM2M ", '<!DOCTYPE LWM2M SYSTEM "file:///etc/passwd"><LWM2M '),
        ("kettle & more]]>", "x]]>&undeclared;"),
        ('encoding="UTF-8"', 'encoding="no-such-thing"'),
        ('encoding="UTF-8"', 'encoding="utf-7"'),
    ],
)
def test_other_files_are_refused(before, after):
    assert before in SAMPLE
    with pytest.raises(DecodeError):
        decode_definitions(SAMPLE.replace(before, after, 1).encode())


def test_nothing_and_too_much_are_refused(monkeypatch):
    with pytest.raises(DecodeError):
        decode_definitions(b"")
    monkeypatch.setattr(ddf, "MAX_BYTES", 3)
    with pytest.raises(TooLarge):
        decode_definitions(b"<a/>")
