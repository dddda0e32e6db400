"""Keywords as an XMP sidecar (ISO 16684-1), which photo programs read beside a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

_TOOL = 'x:xmptk="imgai"'
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" {tool}>
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:subject>
    <rdf:Bag>
{items}
    </rdf:Bag>
   </dc:subject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def sidecar(keywords: Sequence[str]) -> bytes:
    """Return an XMP packet with the keywords as `dc:subject`, in UTF-8."""
    items = "\n".join(f"     <rdf:li>{escape(word)}</rdf:li>" for word in keywords)
    return _PACKET.format(tool=_TOOL, items=items).encode()


def is_foreign(path: Path) -> bool:
    """Whether a sidecar exists that another program wrote; it must not be replaced."""
    try:
        return _TOOL.encode() not in path.read_bytes()
    except FileNotFoundError:
        return False
