"""Which text encoding a file is in: UTF-8 is proven by reading all of it, anything else is guessed and said."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path
from typing import IO, cast

from leadline.base.errors import InputError
from leadline.record.facts import Guess

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BLOCK = 1 << 20
SAMPLE = 1 << 18
# Encodings that tables really come in; the full list of the detector holds look-alikes that nobody writes.
LIKELY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r", "mac_roman", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it ends in .gz."""
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb"))


def find_encoding(path: Path, given: str | None) -> tuple[str, Guess | None]:
    """The encoding's codec name, and the guess to tell the user when it is not plain UTF-8.

    Raises InputError LL005 when the encoding the user gave does not exist or does not fit the file's bytes.
    """
    if given is not None:
        return _checked(path, given), None
    with open_bytes(path) as stream:
        head = stream.read(4)
    for mark, name in MARKS:
        if head.startswith(mark):
            return name, Guess(f"encoding {name}", f"{path.name} begins with its byte-order mark", "data.encoding=NAME")
    strange = _not_utf8(path)
    if strange is None:
        return "utf-8", None
    name, others = _likely(strange)
    evidence = f"{path.name} is not UTF-8; the bytes read best as {name}" + (f", next {', '.join(others)}" if others else "")
    return _checked(path, name, found=True), Guess(f"encoding {name}", evidence, "data.encoding=NAME")


def _checked(path: Path, name: str, *, found: bool = False) -> str:
    """name, when all bytes of the file are of that encoding; LL005 otherwise. found: it is our guess, not the user's word."""
    try:
        decoder = codecs.getincrementaldecoder(name)()
    except LookupError:
        raise InputError("LL005", f"there is no text encoding '{name}'", where="data.encoding", help="data.encoding=cp1252") from None
    offset = 0
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                strange = f"byte {error.object[error.start]:#04x} near {offset + error.start}"
                raise _not_of_it(path, name, strange, found=found) from None
            offset += len(block)
    return name


def _not_of_it(path: Path, name: str, strange: str, *, found: bool) -> InputError:
    if found:
        text = f"{path.name} reads as no text: it is neither UTF-8 nor {name} ({strange})"
        remedy = "check that it is a table; if it is, name its encoding with data.encoding=NAME"
    else:
        text = f"{path.name} is not {name}: {strange} is none of it"
        remedy = "leave data.encoding out to have it found, or name another"
    return InputError("LL005", text, where=str(path), help=remedy)


def _not_utf8(path: Path) -> bytes | None:
    """None when the whole file is UTF-8, else lines around the bytes that are not."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                rest = block + stream.read(BLOCK)
                lines = [line for line in rest.split(b"\n") if not line.isascii()]
                return b"\n".join(lines)[:SAMPLE] or rest[:SAMPLE]
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return error.object[:SAMPLE]
    return None


def _likely(sample: bytes) -> tuple[str, list[str]]:
    from charset_normalizer import from_bytes

    ranked = [match.encoding for match in from_bytes(sample, cp_isolation=LIKELY)]
    # The detector ranks cp1250 before cp1252 whenever both fit; Western European files are by far the more common.
    western = {"cp1250", "cp1252", "cp1254", "mac_roman"}
    if not ranked or (ranked[0] in western and _reads_western(sample)):
        ranked = ["cp1252", *[name for name in ranked if name != "cp1252"]]
    return ranked[0], ranked[1:3]


def _reads_western(sample: bytes) -> bool:
    """Whether all letters beyond ASCII are those of Western European languages when read as cp1252."""
    try:
        letters = {sign for sign in sample.decode("cp1252") if not sign.isascii()}
    except UnicodeDecodeError:
        return False
    return letters <= set("äöüÄÖÜßéèêëÉÈÊËàâáãåÀÂÁÃÅçÇîïíìÎÏÍÌôóòõÔÓÒÕùûúÙÛÚñÑøØæÆœŒÿýÝ€£§°²³µ·’‘“”„–—«»¿¡ªº´…½¼¾×±®©\u00a0")
