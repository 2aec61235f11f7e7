"""A real-time call copilot. A call is a state machine: events in, effects out, time passed in.

The rooms, in the order a call flows through them:

    errors      the exception tree; each error has a stable code and says whose fault it is
    events      the vocabulary: frozen structs that pass between rooms
    complaint   what types complain of, in plain words
    clock       the only place that reads a clock
    config      settings, one struct per room
    logs        structured logs on stderr, never what was said
    language    English and Mandarin: words, stems, syllables, numbers, backchannels
    wire        the promise to clients: messages, codec, schema
    playbook    what authors write: model, load, lint, packs
    access      who may do what
    ingress     (1) protocol messages -> events and replies
    audio       (2) encoded bytes -> 16 kHz mono float32 on a media timeline
    speech      (3) windows -> utterances -> words
    transcript  (4) words -> an ordered two-speaker transcript
    signals     (5) transcript -> signals: phrases, examples, pace
    knowledge   (5) questions -> answers from documents
    sop         (6) signals -> where we are in the procedure
    cues        (7) signals and steps -> cards
    call        (1)-(7) in order, recorded and replayable
    review      after the call: metrics, report
    backtest    playbooks against scenarios and recorded calls
    engines     the models
    store       sessions on disk
    bus         fan-out between nodes
    server      the sockets and the REST API
    cli         the command line
"""

__version__ = "0.1.0"

import os

# Before anything imports numpy: its matrix library would keep every core spinning between the small products we ask
# for. Recognition then takes twice the processor time and a fifth longer (measured on two cores).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
