"""Small files of each format, made by the libraries of that format or by hand."""

import io
import zipfile
from email.message import EmailMessage

import pytest


class Samples:
    """Bytes of small files."""

    @staticmethod
    def pdf(*pages: str, title: str = "") -> bytes:
        """A pdf with one line of text a page; an empty page has no text at all."""
        streams = []
        for text in pages:
            shown = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            streams.append(b"BT /F1 12 Tf 72 700 Td (" + shown + b") Tj ET" if text else b"")
        return Samples.drawn(*streams, title=title)

    @staticmethod
    def drawn(*pages: bytes, title: str = "") -> bytes:
        """A pdf whose pages are drawn by these content streams; /F1 is Helvetica."""
        bodies = [b"<< /Type /Catalog /Pages 2 0 R >>"]
        kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
        bodies.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
        bodies.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
        for number, stream in enumerate(pages):
            bodies.append(
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
                + f" /Contents {5 + 2 * number} 0 R >>".encode()
            )
            bodies.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
        bodies.append(f"<< /Title ({title}) >>".encode())
        out, places = b"%PDF-1.4\n", []
        for number, body in enumerate(bodies, start=1):
            places.append(len(out))
            out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
        table = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n" + "".join(
            f"{at:010} 00000 n \n" for at in places
        )
        end = f"<< /Size {len(bodies) + 1} /Root 1 0 R /Info {len(bodies)} 0 R >>"
        trailer = f"trailer\n{end}\nstartxref\n{len(out)}\n%%EOF\n"
        return out + table.encode() + trailer.encode()

    @staticmethod
    def zipped(members: dict[str, bytes]) -> bytes:
        """A zip file with these members, packed."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()

    @staticmethod
    def saved(document: object) -> bytes:
        """The bytes of a document, workbook or presentation object."""
        buffer = io.BytesIO()
        document.save(buffer)  # type: ignore[attr-defined]
        return buffer.getvalue()

    @staticmethod
    def mail(subject: str, body: str, **attachments: bytes) -> bytes:
        """A message with attachments named by keyword, `_dot_` standing for the dot."""
        message = EmailMessage()
        message["From"] = "Ann Lee <ann@example.com>"
        message["To"] = "Bo Kim <bo@example.com>"
        message["Date"] = "Tue, 03 Mar 2026 09:30:00 +0200"
        message["Subject"] = subject
        message.set_content(body)
        for name, data in attachments.items():
            message.add_attachment(
                data, maintype="application", subtype="octet-stream", filename=name.replace("_dot_", ".")
            )
        return message.as_bytes()


@pytest.fixture(scope="session")
def samples() -> type[Samples]:
    """Makers of small files."""
    return Samples
