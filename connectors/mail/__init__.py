"""Mail as a source: an mbox file, a Maildir folder, or folders of an IMAP server."""
