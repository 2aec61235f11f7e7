"""Run by the peer's own Python: WhisperLive's server as its run_server.py starts it, on loopback.

whisperlive_server.py PORT MODEL_FOLDER
"""

import sys

from whisper_live.server import TranscriptionServer

TranscriptionServer().run(
    "127.0.0.1",
    port=int(sys.argv[1]),
    backend="faster_whisper",
    faster_whisper_custom_model_path=sys.argv[2],
    single_model=True,
    max_clients=16,
    max_connection_time=3600,
)
