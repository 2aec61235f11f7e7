/** Two short sales calls as message logs, for looking at the screens without a server. Not shipped. */

import type { CallMessage, CardView, Ledger, Speaker, StepState } from "copilot-client";

interface Card {
  cue: string;
  kind: string;
  headline: string;
  lines: string[];
  quote: string;
  why: string;
  priority?: number;
  critical?: boolean;
  material?: string;
  suggestion?: string;
  end?: { state: string; reason: string; outcome: string };
}

interface Turn {
  who: Speaker;
  from: number;
  to: number;
  text: string;
  stage?: string;
  done?: string[];
  state?: [string, StepState][];
  card?: Card;
  held?: Card;
  ratio?: number;
}

export interface Script {
  id: string;
  rep: string;
  customer: string;
  language: string;
  playbook: string;
  stages: [string, string][];
  steps: [string, string, string, boolean?][];
  turns: Turn[];
}

export const EN: Script = {
  id: "01jd-harbour-en",
  rep: "marcus",
  customer: "Ms Bennett",
  language: "en",
  playbook: "outbound-en",
  stages: [
    ["opening", "Opening"],
    ["rapport", "Rapport"],
    ["discovery_pitch", "Needs and pitch"],
    ["trial_close", "Trial close"],
    ["objection", "Objections"],
    ["close", "Close"],
  ],
  steps: [
    ["opening.intro", "Say your name and company", "opening", true],
    ["opening.recording_notice", "Say that the call is recorded", "opening", true],
    ["opening.permission", "Ask whether now is a good time", "opening"],
    ["rapport.small_talk", "Find common ground", "rapport"],
    ["needs.question", "Ask about the need", "discovery_pitch"],
    ["needs.budget", "Ask about the budget", "discovery_pitch"],
    ["pitch.value", "Say what it brings them", "discovery_pitch"],
    ["trial.close", "Test the interest", "trial_close"],
    ["objection.handled", "Answer the objection", "objection"],
    ["close.ask", "Ask for the business", "close"],
    ["close.next_step", "Agree on a dated next step", "close", true],
    ["close.recap", "Sum up", "close"],
  ],
  turns: [
    { who: "customer", from: 600, to: 1200, text: "Hello?" },
    { who: "rep", from: 1500, to: 5200, text: "Good afternoon, this is Marcus from Harbour Energy. Is that Ms Bennett?", stage: "opening", done: ["opening.intro"], ratio: 0.86 },
    { who: "customer", from: 5600, to: 6900, text: "Yes, speaking. What is it about?" },
    { who: "rep", from: 7200, to: 10600, text: "Just so you know, this call is recorded. Have you got two minutes?", done: ["opening.recording_notice", "opening.permission"], ratio: 0.8 },
    { who: "customer", from: 11000, to: 12400, text: "Two minutes, yes." },
    { who: "rep", from: 12800, to: 19800, text: "Lovely. How was the garden this summer, did you get some sunshine at last? Ours was all rain until August.", stage: "rapport", done: ["rapport.small_talk"], ratio: 0.83 },
    { who: "customer", from: 20200, to: 22900, text: "We did, the tomatoes were wonderful." },
    { who: "rep", from: 23300, to: 28400, text: "What does your electricity bill look like these days, and what would you like to change about it?", stage: "discovery_pitch", done: ["needs.question"], ratio: 0.76 },
    { who: "customer", from: 28900, to: 34600, text: "It has doubled in two years, to be honest. But a neighbour had panels fitted and the company disappeared with her deposit.", card: { cue: "objection.trust", kind: "objection", headline: "Take the worry seriously, then prove", lines: ["“I would be careful too. What happened exactly?”", "Deposit is held by the bank until the panels run", "Offer the number of a customer in her street"], quote: "the company disappeared with her deposit", why: "customer doubts the company", end: { state: "acked", reason: "used", outcome: "adhered" } } },
    { who: "rep", from: 35200, to: 43500, text: "I would be careful too. With us the deposit stays with the bank until your panels are running, and you can talk to the Millers on Elm Road.", stage: "objection", done: ["objection.handled"], ratio: 0.66 },
    { who: "customer", from: 44000, to: 46800, text: "All right, that does sound better. And how much would it be?", card: { cue: "knowledge.answer", kind: "knowledge", headline: "What a roof of eight panels costs", lines: ["Eight panels with battery cost 8,940 pounds fitted, scaffolding and the electrician are included", "Without the battery it is 6,310 pounds; the battery can be added within five years at today's price"], material: "prices.md › Packages", why: "prices.md › Packages", quote: "how much would it be", priority: 40, suggestion: "For a roof like yours it is eight thousand nine hundred and forty with the battery, everything fitted. Or would you rather start without the battery?" }, held: { cue: "behaviour.talk_ratio", kind: "behaviour", headline: "Let her talk", lines: [], quote: "that does sound better", why: "talk ratio above 0.60" } },
    { who: "rep", from: 47300, to: 56400, text: "You save about ninety pounds a month. Honestly there is zero risk, the return is guaranteed, rain or shine, every single year.", stage: "discovery_pitch", done: ["pitch.value"], ratio: 0.68, card: { cue: "compliance.forbidden", kind: "compliance", critical: true, priority: 95, headline: "Do not promise: correct it now", lines: ["“Let me be exact: savings depend on the weather.”", "Never say guaranteed or zero risk"], quote: "zero risk, the return is guaranteed", why: "forbidden promise" } },
    { who: "customer", from: 57000, to: 61200, text: "Nine thousand is too expensive for us right now, I have to say.", card: { cue: "objection.price", kind: "objection", headline: "Price: ask what it is compared with", lines: ["“Too expensive compared with what?”", "Per month it is less than the bill", "Offer the instalment plan"], quote: "too expensive for us", why: "customer says the price is too high", priority: 60 }, state: [["needs.budget", "overdue"]] },
    { who: "rep", from: 61800, to: 66100, text: "I understand. Compared with what you pay today, what would be comfortable each month?", stage: "objection", done: ["needs.budget"], ratio: 0.67 },
    { who: "customer", from: 66700, to: 70800, text: "Maybe sixty pounds. When could somebody come and have a look at the roof?", card: { cue: "signal.buying", kind: "signal", headline: "Buying signal: offer two dates", lines: ["“Thursday at ten, or Friday at two?”", "Then stop talking"], quote: "When could somebody come", why: "customer asks about the next step", priority: 70 } },
    { who: "rep", from: 71300, to: 77600, text: "Sixty works with the instalment plan. Thursday at ten or Friday at two, which suits you better?", stage: "close", done: ["close.ask", "close.next_step"], ratio: 0.64, state: [["trial.close", "skipped"], ["close.recap", "warned"]] },
    { who: "customer", from: 78200, to: 81000, text: "Thursday at ten is fine. Thank you, Marcus." },
  ],
};

export const ZH: Script = {
  id: "01jd-car-zh",
  rep: "wangli",
  customer: "陈先生",
  language: "zh",
  playbook: "outbound-zh",
  stages: [
    ["opening", "开场白"],
    ["rapport", "话天地"],
    ["discovery_pitch", "入主题"],
    ["trial_close", "试水温"],
    ["objection", "解决异议"],
    ["close", "缔结"],
  ],
  steps: [
    ["opening.intro", "介绍姓名和公司", "opening", true],
    ["opening.recording_notice", "告知通话录音", "opening", true],
    ["opening.permission", "确认是否方便", "opening"],
    ["rapport.small_talk", "拉近距离", "rapport"],
    ["needs.question", "询问需求", "discovery_pitch"],
    ["needs.budget", "询问预算", "discovery_pitch"],
    ["pitch.value", "说明价值", "discovery_pitch"],
    ["trial.close", "试探意向", "trial_close"],
    ["objection.handled", "回应异议", "objection"],
    ["close.next_step", "约定下一步和时间", "close", true],
  ],
  turns: [
    { who: "customer", from: 500, to: 1000, text: "喂，你好。" },
    { who: "rep", from: 1300, to: 5400, text: "陈先生您好，我是远航汽车的王丽，这通电话会录音，您现在方便吗？", stage: "opening", done: ["opening.intro", "opening.recording_notice", "opening.permission"], ratio: 0.85 },
    { who: "customer", from: 5900, to: 7200, text: "方便，你说吧。" },
    { who: "rep", from: 7600, to: 12800, text: "上次您来店里看的那款，孩子还挺喜欢后排的，最近周末还带他去露营吗？", stage: "rapport", done: ["rapport.small_talk"], ratio: 0.82 },
    { who: "customer", from: 13300, to: 16900, text: "去啊，就是现在这台车后备箱太小，装不下帐篷。你们那款有多大？", card: { cue: "knowledge.answer", kind: "knowledge", headline: "后备箱容积", lines: ["后备箱常规容积为六百二十升，可以平放两只二十八寸行李箱和一辆儿童推车", "第二排座椅按四六比例放倒以后容积为一千六百升，长度一米八，可以躺下一个成年人"], material: "车型手册.md › 空间", why: "车型手册.md › 空间", quote: "你们那款有多大", priority: 40, suggestion: "平时就有六百二十升，两个大箱子随便放；后排一放倒，帐篷、睡袋全进去，孩子还能躺着睡一觉，您看是不是正好？" } },
    { who: "rep", from: 17400, to: 22100, text: "那您换车最看重的是空间，还是油耗呢？", stage: "discovery_pitch", done: ["needs.question"], ratio: 0.71 },
    { who: "customer", from: 22600, to: 28000, text: "空间吧。不过你们这个价格太贵了，隔壁品牌便宜两万多。", card: { cue: "objection.price", kind: "objection", headline: "先认同，再算总账", lines: ["“您说得对，价格确实要比。”", "五年油费省一万八", "置换补贴本月八千"], quote: "价格太贵了", why: "客户认为价格高", priority: 60 } },
    { who: "rep", from: 28600, to: 36900, text: "您说得对，价格确实要比一比。我们五年的油费能省一万八，这个月置换还有八千补贴。", stage: "objection", done: ["objection.handled", "pitch.value"], ratio: 0.68, state: [["needs.budget", "overdue"]] },
    { who: "customer", from: 37400, to: 41000, text: "嗯，那周六能试驾吗？", card: { cue: "signal.buying", kind: "signal", headline: "购买信号：给两个时间", lines: ["“周六上午十点，还是下午两点？”", "说完停下来等"], quote: "周六能试驾吗", why: "客户询问下一步", priority: 70 } },
  ],
};

/** The messages of a call, in order. */
export function play(script: Script, startedAt: Date): CallMessage[] {
  const log: CallMessage[] = [];
  const put = (type: CallMessage["type"], pos: number, rest: object) =>
    log.push({ type, seq: log.length + 1, call_id: script.id, pos_ms: pos, emitted_at: new Date(startedAt.getTime() + pos).toISOString(), ...rest } as CallMessage);
  const states = new Map<string, StepState>();
  put("call.opened", 0, {
    external_id: "", rep_id: script.rep, customer_ref: script.customer, campaign: "autumn", direction: "outbound",
    language: script.language, playbook: script.playbook, playbook_version: "1.0.0", started_at: startedAt.toISOString(),
    stages: script.stages.map(([id, title]) => ({ id, title })),
    steps: script.steps.map(([id, title, stage, critical]) => ({ id, title, stage, critical: critical ?? false, state: "pending" })),
  });
  const step = (id: string, state: StepState, pos: number, uid: string, quote: string) => {
    put("step.changed", pos, { step_id: id, state, previous: states.get(id) ?? "pending", utterance_id: uid, quote, by: "" });
    states.set(id, state);
  };
  let stage = "";
  script.turns.forEach((turn, index) => {
    const uid = `u${index + 1}`;
    const spoken = { utterance_id: uid, speaker: turn.who, start_ms: turn.from, text: turn.text };
    const units = script.language === "zh" ? [...turn.text] : turn.text.split(/(?<= )/);
    for (let at = turn.from + 700; at < turn.to; at += 700) {
      const shown = Math.floor((units.length * (at - turn.from)) / (turn.to - turn.from));
      const text = units.slice(0, shown).join("").trimEnd();
      if (text) put("transcript.interim", at, { ...spoken, end_ms: at, text, committed: units.slice(0, Math.max(0, shown - 2)).join("").length });
    }
    const at = turn.to + 420;
    put("transcript.final", at, { ...spoken, end_ms: turn.to, language: script.language, confidence: 0.93, lag_ms: 420, words: [] });
    if (turn.stage && turn.stage !== stage) put("stage.changed", at, { stage_id: turn.stage, previous: stage, utterance_id: uid });
    stage = turn.stage ?? stage;
    turn.done?.forEach((id) => step(id, states.get(id) === "overdue" ? "done_late" : "done", at, uid, turn.text.slice(0, 24)));
    turn.state?.forEach(([id, state]) => step(id, state, at, "", ""));
    if (turn.ratio) put("metric", at, { name: "talk_ratio", value: turn.ratio, speaker: null, attention: turn.ratio > 0.75 ? "red" : turn.ratio > 0.65 ? "amber" : "none" });
    if (turn.held) put("card.suppressed", at, { card: view(turn.held, `h${index}`), caused_by: { utterance_id: uid, phrase_end_ms: turn.to, quote: turn.held.quote, speaker: turn.who }, reason: "min_gap" });
    if (!turn.card) return;
    const id = `c${index}`;
    const ledger: Ledger = { phrase_end: turn.to, recognised: turn.to + 390, matched: turn.to + 402, decided: turn.to + 405, sent: turn.to + 412, rendered: null, acked: null };
    put("card.raised", at, { card: view(turn.card, id), caused_by: { utterance_id: uid, phrase_end_ms: turn.to, quote: turn.card.quote, speaker: turn.who }, ledger });
    const shown = { card_id: id, state: "shown", ledger: { ...ledger, rendered: turn.to + 450 }, feedback: "" };
    put("card.updated", at + 60, shown);
    if (turn.card.suggestion) put("card.updated", at + 900, { ...shown, suggestion: turn.card.suggestion });
    if (turn.card.end) put("card.closed", at + 6000, { card_id: id, ...turn.card.end });
  });
  log.sort((a, b) => a.pos_ms - b.pos_ms).forEach((message, index) => (message.seq = index + 1));
  return log;
}

function view(card: Card, id: string): CardView {
  return {
    id, cue_id: card.cue, kind: card.kind, state: "raised", priority: card.priority ?? 50, critical: card.critical ?? false,
    headline: card.headline, lines: card.lines, material: card.material ?? "", why: card.why, ttl_ms: 25000,
  };
}

export function ending(script: Script, log: readonly CallMessage[]): CallMessage {
  const last = log.at(-1)!;
  const cards = log.filter((message) => message.type === "card.raised").length;
  const done = new Set(log.flatMap((message) => (message.type === "step.changed" && message.state.startsWith("done") ? [message.step_id] : [])));
  return {
    type: "call.ended", seq: last.seq + 1, call_id: script.id, pos_ms: last.pos_ms + 1500, emitted_at: last.emitted_at, reason: "completed",
    totals: { duration_ms: last.pos_ms + 1500, utterances: script.turns.length, cards_raised: cards, cards_suppressed: 1, steps_done: done.size, steps: script.steps.length, gaps_ms: 0 },
    report_url: `/v1/calls/${script.id}/report`, sha256: [],
  };
}
