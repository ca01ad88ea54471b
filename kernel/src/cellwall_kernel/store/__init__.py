"""Conversations and their log: one SQLite file, `logs.db` in the user folder.

    with Store.open(paths) as store:
        response_id = store.begin(PromptRow(model="…", plugin="…", messages=[…]))   # before the child sees
        the prompt store.append(response_id, items)            # what arrived, before it is printed; items as
        they came off the wire store.finish(response_id, Outcome(status="done", finish="stop", usage=…))

The prompt, and every batch of what arrives, is committed at once, so that a killed host loses nothing and a
power cut a second at most. A map of the package:

    records     what callers give and get
    log         Store: the one class that callers use
    write       begin, append, finish; what a dead host left behind
    read        lists, one conversation's messages, counts
    answer      stream items to parts
    content     messages and parts to rows and back, attachments by hash
    schema      the tables and their migrations
    connection  opening the file: modes, pragmas, read-only, and errors as sentences
    host        which process writes a row, and whether it still lives
    ulid        ids that sort by time
"""

from __future__ import annotations

from cellwall_kernel.store.log import Store
from cellwall_kernel.store.records import (
    Conversation,
    LoggedAttachment,
    LoggedResponse,
    LogStatus,
    LogToolCall,
    Outcome,
    PromptRow,
    ResponseFilter,
    Status,
)

__all__ = [
    "Conversation",
    "LogStatus",
    "LogToolCall",
    "LoggedAttachment",
    "LoggedResponse",
    "Outcome",
    "PromptRow",
    "ResponseFilter",
    "Status",
    "Store",
]
