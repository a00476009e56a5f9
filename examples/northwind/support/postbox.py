"""A mail server for the demo: ``python postbox.py PORT FOLDER`` keeps each mail it is sent as a file.

It listens on this machine alone and speaks just enough SMTP for one plain mail at a time.
"""

import os
import socketserver
import sys
from pathlib import Path

_ANSWERS = {b"EHLO": b"250 postbox", b"HELO": b"250 postbox", b"MAIL": b"250 ok", b"RCPT": b"250 ok"}


class Session(socketserver.StreamRequestHandler):
    """One client."""

    def handle(self) -> None:
        """Answer each command until the client leaves."""
        self.wfile.write(b"220 postbox\r\n")
        while line := self.rfile.readline():
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                answer = self._kept()
            else:
                answer = b"221 bye" if command == b"QUIT" else _ANSWERS.get(command, b"502 unknown")
            self.wfile.write(answer + b"\r\n")
            if command == b"QUIT":
                return

    def _kept(self) -> bytes:
        """Keep a mail when all of it is there."""
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return b"451 half a mail"
            lines.append(line.removeprefix(b"."))
        folder: Path = self.server.folder  # type: ignore[attr-defined]
        (folder / f"{len(list(folder.glob('*.eml'))) + 1}.eml").write_bytes(b"".join(lines))
        return b"250 kept"


def main() -> None:
    """Serve until killed; ``FOLDER/pid`` holds the process's number once it listens."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(exist_ok=True)
    with socketserver.TCPServer(("127.0.0.1", port), Session, bind_and_activate=False) as server:
        server.allow_reuse_address = True
        try:
            server.server_bind()
        except OSError as error:
            sys.exit(f"postbox: port {port} cannot be had: {error.strerror}; set another one in ragflow.yaml")
        server.server_activate()
        server.folder = folder  # type: ignore[attr-defined]
        (folder / "pid").write_text(str(os.getpid()))
        server.serve_forever()


if __name__ == "__main__":
    main()
