"""Sessions on disk: the journal while a call is live, FLAC and a recording after it, SQL for everything listed.

layout      the data directory: where a call's files are, the lock, free space
records     the journal's format: framing, checksums, reading the valid prefix
journal     one append-only file per call, one writer thread for all calls
recording   the log of (now, event): entries in the journal, and the sealed form without audio
seal        journal -> FLAC + recording, verified before the journal goes
rows        what the database holds, and the promise every store keeps
tables      the same as SQL
database    SQLite or PostgreSQL behind one writer thread with group commit
memory      the same promise without a disk
"""
