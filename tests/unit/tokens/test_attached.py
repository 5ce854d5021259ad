"""Sizes of attached parts, read from files' heads."""

from __future__ import annotations

import base64
import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.tokens.attached import AttachedPart, attached, attached_block

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 1_024, 768) + bytes(9)
GIF = b"GIF89a" + struct.pack("<HH", 320, 200) + bytes(20)
JPEG = (
    b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14) + b"\xff\xe1" + struct.pack(">H", 400) + bytes(398)
    + b"\xff\xc2" + struct.pack(">HBHH", 17, 8, 600, 800) + bytes(30)
)  # fmt: skip
WEBP_X = (
    b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + (1_279).to_bytes(3, "little") + (719).to_bytes(3, "little") + b"\0"
)
WEBP_L = b"RIFF" + bytes(4) + b"WEBPVP8L" + bytes(4) + b"\x2f" + struct.pack("<I", (99) | (49 << 14)) + bytes(9)
WEBP = b"RIFF" + bytes(4) + b"WEBPVP8 " + bytes(10) + struct.pack("<HH", 640, 480) + bytes(9)
PDF = b"%PDF-1.7\n" + b"<< /Type /Page /Parent 2 0 R >>\n" * 7 + b"<< /Type /Pages /Count 7 >>"


def sound(seconds: float) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(int(32_000 * seconds)))
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (1_024, 768)),
        (GIF, (320, 200)),
        (JPEG, (800, 600)),
        (WEBP_X, (1_280, 720)),
        (WEBP_L, (100, 50)),
        (WEBP, (640, 480)),
    ],
)
def test_an_images_size_in_every_form_its_bytes_come_in(data: bytes, size: tuple[int, int]) -> None:
    coded = base64.b64encode(data)
    for form in (data, coded, coded.decode(), f"data:image/png;base64,{coded.decode()}"):
        found = attached("image", form)
        assert (found.width, found.height) == size


@pytest.mark.parametrize(
    "data", [None, "", "https://example.org/a.png", "data:,text", "not base64!", b"\xff\xd8", PNG[:20], 7]
)
def test_what_tells_no_size_has_none(data: object) -> None:
    assert attached("image", data) == AttachedPart("image")


def test_pages_are_counted_and_where_they_cannot_be_the_bytes_tell() -> None:
    assert attached("pdf", PDF).pages == 7
    assert attached("pdf", b"%PDF-1.7" + bytes(500_000)).pages == 10
    assert attached("pdf", PDF + bytes(100)).pages == 7


def test_the_length_of_a_sound() -> None:
    assert attached("audio", base64.b64encode(sound(2.5)).decode()).seconds == pytest.approx(2.5, rel=0.01)
    assert attached("audio", b"ID3" + bytes(160_000)).seconds == pytest.approx(10, rel=0.01)


@pytest.mark.parametrize("rate", [0, 1])
def test_a_sound_whose_head_tells_of_no_possible_rate_is_measured_by_its_size(rate: int) -> None:
    head = b"RIFF1234WAVEfmt " + struct.pack("<IHHII", 16, 1, 1, 8_000, rate)
    assert attached("audio", head + bytes(160_000 - len(head))).seconds == 10


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", PNG[:8], b"GIF89a", b"\xff\xd8", WEBP[:16], b"RIFF1234WAVEfmt ", b"%PDF"]),
)
def test_no_bytes_are_too_strange(rest: bytes, magic: bytes) -> None:
    for kind in ("image", "pdf", "audio", "video"):
        for data in (magic + rest, base64.b64encode(magic + rest), base64.b64encode(magic + rest).decode()):
            found = attached(kind, data)
            assert min(found.width, found.height, found.pages, found.seconds) >= 0


def test_a_large_file_is_read_only_at_its_head() -> None:
    class Watched(bytes):
        read = 0

        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]  # only slices are taken
            found = super().__getitem__(key)  # type: ignore[index]  # as above
            Watched.read += len(found) if isinstance(found, bytes) else 1
            return found  # type: ignore[return-value]  # as above

    attached("image", Watched(base64.b64encode(PNG + bytes(3_000_000))))
    assert 0 < Watched.read < 100_000


CODED = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CODED}", "detail": "high"}},
        {"type": "input_image", "image_url": f"data:image/png;base64,{CODED}", "detail": "high"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": CODED}, "detail": "high"},
        {"type": "image", "base64": CODED, "mime_type": "image/png", "detail": "high"},
        {"type": "image", "source_type": "base64", "data": CODED, "detail": "high"},
        {"image": {"format": "png", "source": {"bytes": PNG}}, "detail": "high"},
        {"type": "media", "inline_data": {"mime_type": "image/png", "data": PNG}, "detail": "high"},
    ],
)
def test_blocks_of_every_shape(block: dict[str, object]) -> None:
    assert attached_block("image", block) == AttachedPart("image", 1_024, 768, detail="high")


def test_a_block_that_only_points_somewhere_has_no_size() -> None:
    block = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
    assert attached_block("image", block) == AttachedPart("image", detail="low")
    assert attached_block("image", {"type": "image", "file_id": "f1"}) == AttachedPart("image")
