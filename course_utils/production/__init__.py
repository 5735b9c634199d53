"""What changes when it must run every day: caches, stores, servers.

- ``cache``: an encoder that never encodes the same text twice.
- ``storage``: where cached values are kept: SQLite, Redis.
- ``pipeline``: batches to a server that fails now and then; nothing lost.
- ``endpoint``: an encoder behind HTTP, with faults on request.
- ``server``: real servers for as long as their process lives.
- ``compression``: fewer numbers, or fewer bits for each.
- ``migration``: from one encoder to the next.
- ``monitoring``: alarms with a known share of false ones.
- ``store``: vectors in PostgreSQL, with the encoder's fingerprint in the schema.
"""

# fmt: off
from course_utils.production import (
    cache, compression, endpoint, migration, monitoring, pipeline, server, storage,
    store,
)
from course_utils.production.cache import CachedEncoder, Memory
