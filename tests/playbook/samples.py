"""A small playbook that uses every part of the format."""

FULL = """\
schema: 1
id: sample
version: 1.0.0
title: Sample
language: en
stages:
  - {id: opening, title: Opening}
  - id: objection
    title: Objection
    enter_when: {signal: price}
  - {id: close, title: Close}
signals:
  - id: price
    speaker: customer
    when: {interim: true, any: [{phrase: {any: [too expensive, too dear ... us]}}, {regex: 'cost\\w*'}]}
  - id: greeting
    when: {phrase: {any: [hello], all: [there], exclude: [goodbye]}}
steps:
  - id: greeting
    title: Greet
    stage: opening
    done_when: {signal: greeting}
    due: {within_s: 20, warn_s: 5, before_stage: close}
  - id: answer
    title: Answer
    stage: objection
    requires: [greeting]
    applies_when: {signal: price}
    due: {after: 'stage:objection', within_s: 30}
    done_when: {any: [{phrase: {any: [understand]}}, {examples: {like: [I see what you mean], threshold: 0.7}}]}
  - id: ask
    title: Ask
    stage: close
    applies_when: {context: {field: tier, equals: gold}}
    due: {after: 'step:answer', before_end: true}
    done_when: {phrase: {any: [shall we]}, speaker: customer}
cues:
  - id: price
    kind: objection
    when: {signal: price, interim: true}
    close_when: {any: [{phrase: {any: [never mind]}, speaker: customer}, {event: {is: step_done, step: answer}}]}
    expected: {trigger: {phrase: {any: [let me explain]}}, within_s: 20}
    card: {headline: Value first, lines: [Ask what they compare with]}
  - id: everything
    kind: info
    when:
      all:
        - seq: {within_s: 20, of: [{regex: one}, {not: {regex: two, speaker: rep}}]}
        - count: {n: 2, within_s: 9, of: {signal: price}}
        - after: {what: {signal: answer}, reference: {event: {is: stage_entered, stage: close}}}
        - before: {what: {signal: price}, reference: {signal: ask}, within_s: 5}
        - absence: {of: {signal: greeting}, within_s: 30, since: {signal: price}}
        - absence: {of: {signal: greeting}, within_s: 30}
        - {metric: {name: talk_ratio, above: 0.6}}
        - {event: {is: elapsed, at_s: 10}}
        - {context: {field: tier, one_of: [gold]}}
        - {context: {field: tier, present: true}, stage: [close]}
        - {entity: {kind: price, above: 10, below: 20}}
        - {entity: {kind: competitor, any: [Acme], negation: veto}}
        - {entity: {kind: product}}
        - {intent: {label: objection.price, above: 0.8}}
    card: {headline: All of it}
ending: {phrase: {any: [bye]}}
lexicons: {competitor: [Acme, Bolt], product: [Fibre]}
hotwords: [Northlink]
scenarios:
  - name: it works
    context: {tier: gold}
    turns: [{rep: hello there}, {customer: too expensive, wait_s: 1}]
    expect:
      - {card: price, after_turn: 2, within_s: 3}
      - {signal: price, stage: objection}
      - {step: greeting, state: done}
      - {no_card: everything, no_signal: answer}
"""


def changed(old, new):
    """The sample with one change; the change must apply."""
    assert old in FULL, old
    return FULL.replace(old, new, 1)
