"""Compiling takes the words out of a playbook and leaves labels behind."""

import msgspec

from copilot.playbook.compile import compile_playbook
from copilot.playbook.load import parse_playbook
from copilot.playbook.model import TEXT_LEAVES, ContextTest, Trigger
from copilot.playbook.schema import playbook_schema
from copilot.playbook.walk import form, is_met, known_from, listens, roots, walk
from tests.playbook.samples import FULL, changed


def compiled(text=FULL):
    return compile_playbook(parse_playbook(text))


def test_rules_bear_the_promised_labels():
    rules = {rule.label: rule for rule in compiled().rules}
    assert set(rules) == {
        "price", "greeting", "answer", "ask", "stage:objection", "applies:answer", "ending",
        "cue:price#1", "cue:price#2", "cue:everything#1", "cue:everything#2",
        "cue:everything#3", "cue:everything#4", "cue:everything#5", "cue:everything#6",
    }  # fmt: skip
    assert rules["price"].speaker == "customer"
    assert rules["answer"].speaker == "rep", "a step is done by the rep unless told otherwise"
    assert rules["ask"].speaker == "customer"
    assert rules["cue:everything#2"].speaker == "rep"


def test_no_words_are_left_outside_the_signals():
    for path, root in roots(compiled().playbook):
        for _, trigger in walk(root):
            assert path.startswith("$.signals") or form(trigger) not in TEXT_LEAVES


def test_what_replaces_words_keeps_their_scope():
    playbook = compiled().playbook
    assert playbook.cues[0].close_when.any[0] == Trigger(signal="cue:price#1", speaker="customer")
    assert playbook.cues[0].expected.trigger == Trigger(signal="cue:price#2")
    assert playbook.steps[1].done_when == Trigger(signal="answer")
    assert playbook.steps[1].applies_when == Trigger(signal="applies:answer")
    assert playbook.steps[2].applies_when.context, "a context test needs no ears"
    assert playbook.stages[1].enter_when == Trigger(signal="stage:objection")
    assert playbook.ending == Trigger(signal="ending")


def test_a_step_that_is_its_signal_is_listened_for_once():
    assert [rule.label for rule in compiled().rules].count("greeting") == 1


def test_every_rule_comes_after_those_it_needs():
    text = changed("- id: price\n    speaker", "- id: first\n    when: {signal: price}\n  - id: price\n    speaker")
    order = [rule.label for rule in compiled(text).rules]
    assert order.index("price") < order.index("first")
    assert order.index("price") < order.index("stage:objection")


def test_a_leaf_that_names_a_lexicon_gets_its_words():
    leaves = {rule.label: rule.trigger.entity for rule in compiled().rules if rule.trigger.entity}
    assert leaves["cue:everything#3"].any == (), "a price has no words"
    assert leaves["cue:everything#4"].any == ("Acme",), "the author's choice of them stays"
    assert leaves["cue:everything#5"].any == ("Fibre",)


def test_hotwords_are_the_authors_then_the_names_in_lexicons():
    assert compiled().hotwords == ("Northlink", "Acme", "Bolt", "Fibre")


def test_hotwords_are_few():
    book = parse_playbook(FULL)
    many = msgspec.structs.replace(book, hotwords=tuple(f"Name{number}" for number in range(50)))
    assert len(compile_playbook(many).hotwords) == 12


def test_a_playbook_without_an_ending():
    assert compiled(changed("ending: {phrase: {any: [bye]}}\n", "")).playbook.ending is None


def test_listening():
    assert listens(Trigger(any=(Trigger(signal="x"),)))
    assert not listens(Trigger())
    assert form(Trigger()) == ""


def test_what_the_context_alone_decides():
    gold, tin = ContextTest(field="tier", equals="gold"), ContextTest(field="tier", one_of=("tin", "zinc"))
    absent = ContextTest(field="tier", present=False)
    assert is_met(gold, {"tier": "gold"})
    assert not is_met(gold, {})
    assert is_met(tin, {"tier": "zinc"})
    assert is_met(absent, {"tier": ""})
    assert not is_met(absent, {"tier": "gold"})
    yes, no, heard = Trigger(context=gold), Trigger(context=tin), Trigger(signal="x")
    known = {"tier": "gold"}
    assert known_from(Trigger(all=(yes, yes)), known)
    assert not known_from(Trigger(all=(yes, no)), known)
    assert known_from(Trigger(any=(no, yes)), known)
    assert known_from(Trigger(not_=no), known)
    assert not known_from(Trigger(not_=heard), known)
    assert not known_from(heard, known)


def test_the_schema_knows_that_a_trigger_is_one_thing():
    schema = playbook_schema()
    assert {"required": ["not"]} in schema["$defs"]["Trigger"]["oneOf"]
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_the_schema_accepts_the_packs_and_refuses_two_leaves():
    import jsonschema

    from copilot.playbook.load import find_source

    validator = jsonschema.Draft202012Validator(playbook_schema())
    for name in ("outbound-en", "outbound-zh"):
        validator.validate(find_source(name).value)
    wrong = find_source("outbound-en").value
    wrong["ending"] = {"regex": "a", "signal": "b"}
    assert not validator.is_valid(wrong)
