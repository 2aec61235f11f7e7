"""(3) Windows -> utterances -> words: when somebody speaks, what to recognise and when, and what to believe."""
