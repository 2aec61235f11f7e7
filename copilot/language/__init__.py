"""English and Mandarin as they are spoken: words, stems, syllables, numbers, backchannels."""
