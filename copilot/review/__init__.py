"""After the call: what the event log of one call amounts to. Pure functions; the log is the only input.

model        what a report says
story        the log, read once into lines, cards, steps and stages
forms        what the form of a sentence tells: backchannel, question, refusal
evidence     quotes, and the lock that keeps them true
metrics      the published numbers, with numerator and denominator
procedure    the SOP table and the maturity level
objections   each objection, the answer, and whether the customer came back
deviations   what went wrong in content and in behaviour, with evidence
report       all of it together
wording      every text of a report in English and Chinese
page, markdown, chart, style   a report as something to read
"""
