"""XMP packets of any content are cleaned in a time that grows with their length alone."""

from __future__ import annotations

import time

import pytest

from imgai.images.xmp import cleaned

PACKET = (
    b'<rdf:Description dc:rights="mine"\n   GCamera:MicroVideo="1" hdrgm:Version=\'1.0\' dc:title="a">\n'
    b"  <Container:Directory><rdf:Seq><Container:Item/></rdf:Seq></Container:Directory>\n"
    b'  <GDepth:Data a="b"/> <dc:creator>me</dc:creator></rdf:Description>'
)


def test_what_speaks_of_other_bytes_goes_and_all_else_stays() -> None:
    kept, changed = cleaned(PACKET)
    assert changed
    assert kept == (b'<rdf:Description dc:rights="mine" dc:title="a"> <dc:creator>me</dc:creator></rdf:Description>')
    assert cleaned(kept) == (kept, False)


def test_an_element_that_never_ends_stays() -> None:
    assert cleaned(b"<GDepth:Data><dc:a/>") == (b"<GDepth:Data><dc:a/>", False)


@pytest.mark.parametrize(
    "piece",
    [b" ", b"<GCamera:a>", b"<GCamera:a ", b" GCamera:a=", b' GCamera:a="', b"</GCamera:a>", b" GCamera:a ", b"<"],
)
def test_a_packet_of_a_megabyte_takes_no_time(piece: bytes) -> None:
    begun = time.thread_time()
    cleaned(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - begun < 5  # a hundred times what it takes; with the square of the length, hours
