"""Reduce metadata to rights, so that published pictures do not reveal where they were taken."""

from __future__ import annotations

import dataclasses
import struct
import warnings
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from imgai.images.exif import PREFIX
from imgai.plugin import Metadata

_EXIF_TAGS = (0x013B, 0x8298)  # artist, copyright
_IPTC = frozenset((80, 85, 110, 115, 116))  # by-line, its title, credit, source, copyright
_TEXTS = frozenset(("author", "artist", "copyright"))
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
_XMP = ("dc:creator", "dc:rights", "xmpRights:UsageTerms", "xmpRights:WebStatement", "photoshop:Credit")
_CONTAINERS = {"dc:creator": "Seq", "dc:rights": "Alt", "xmpRights:UsageTerms": "Alt"}
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def kept(metadata: Metadata, which: str) -> Metadata:
    """Return the metadata to write: "all"; "rights": creator, copyright and terms of use; or "none".

    The colour profile, the resolution and the timing of animations are always kept, because they define the pixels.
    """
    if which == "all":
        return metadata
    if which == "none":
        return dataclasses.replace(metadata, exif=None, xmp=None, iptc=None, texts=())
    return dataclasses.replace(
        metadata,
        exif=_exif(metadata.exif),
        xmp=_xmp(metadata.xmp),
        iptc=_iptc(metadata.iptc),
        texts=tuple((key, value) for key, value in metadata.texts if key.lower() in _TEXTS),
    )


def _exif(block: bytes | None) -> bytes | None:
    if block is None:
        return None
    from PIL import Image

    given, made = Image.Exif(), Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of entries that are damaged: what it can read of them counts
            given.load(block)
            for tag in _EXIF_TAGS:
                if value := given.get(tag):
                    made[tag] = value
    except Exception:  # Pillow raises various exceptions for damaged blocks
        return None
    return PREFIX + made.tobytes().removeprefix(PREFIX) if len(made) else None


def _iptc(records: bytes | None) -> bytes | None:
    return b"".join(record for number, record in _records(records or b"") if number in _IPTC) or None


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the IPTC IIM application records with their numbers; stops at damaged data."""
    at = 0
    while at + 5 <= len(content) and content[at] == 0x1C:
        _, record, number, length = struct.unpack_from(">BBBH", content, at)
        end = at + 5 + length
        if length & 0x8000 or end > len(content):
            return
        if record == 2:
            yield number, content[at:end]
        at = end


def _xmp(packet: bytes | None) -> bytes | None:
    """Return a new packet with the entries about rights; None if there are none or the packet cannot be read."""
    if packet is None or b"<!ENTITY" in packet:
        return None
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \t\r\n"))
    except (ElementTree.ParseError, ValueError, LookupError):
        return None
    parts = []
    for name in _XMP:
        values = list(_values(root, name))
        if not values:
            continue
        text = escape(values[0])
        if container := _CONTAINERS.get(name):
            lang = ' xml:lang="x-default"' if container == "Alt" else ""
            items = values[:1] if container == "Alt" else values
            text = "".join(f"<rdf:li{lang}>{escape(each)}</rdf:li>" for each in items)
            text = f"<rdf:{container}>{text}</rdf:{container}>"
        parts.append(f"<{name}>{text}</{name}>")
    if not parts:
        return None
    spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    described = f'<rdf:Description rdf:about=""{spaces}>{"".join(parts)}</rdf:Description>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">{described}</rdf:RDF></x:xmpmeta>'.encode()


def _values(root: ElementTree.Element, name: str) -> Iterator[str]:
    """Yield the texts of a property, which may be an element, its items, or an attribute."""
    prefix, _, local = name.partition(":")
    tag = f"{{{_NAMESPACES[prefix]}}}{local}"
    for element in root.iter():
        if value := element.get(tag, "").strip():
            yield value
        if element.tag == tag:
            items = [each.text for each in element.iter(f"{{{_RDF}}}li")] or [element.text]
            yield from (text.strip() for text in items if text and text.strip())
