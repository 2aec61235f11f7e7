"""(2) Encoded bytes -> 16 kHz mono float32 on a media timeline."""
