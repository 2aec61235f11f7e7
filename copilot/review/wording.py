"""Every text a report writes itself, in English and Chinese. What people said, and what authors wrote, stays as it is.

``FINDINGS`` and ``LABELS`` go into the report (both languages); ``WORDS`` are the headings of its pages.
"""

from __future__ import annotations

from copilot.review.model import Measure, Severity, Text

# code: (title en, title zh, advice en, advice zh)
FINDINGS: dict[str, tuple[str, str, str, str]] = {
    "step.missing": (
        "“{title}” was not said",
        "没有做到“{title}”",
        "Say it between {start} and {end} of the call. {hint}",
        "应在通话的 {start} 到 {end} 之间说到。{hint}",
    ),
    "step.undetermined": (
        "“{title}”: cannot be judged",
        "“{title}”：无法判定",
        "The call broke off or was not heard well enough. Listen to it, or ask the rep.",
        "通话中断或没有听清。请回听录音，或向销售本人核实。",
    ),
    "step.late": (
        "“{title}” came {late} late",
        "“{title}”晚了 {late}",
        "It was due by {deadline} and was said at {at}. Bring it forward.",
        "应在 {deadline} 之前说到，实际在 {at}。请提前。",
    ),
    "step.too_early": (
        "“{title}” came before {others}",
        "“{title}”早于{others}",
        "Do {others} first; the customer is not ready for this step yet.",
        "先完成{others}，客户还没有准备好进入这一步。",
    ),
    "step.too_late": (
        "“{title}” came only after {others}",
        "“{title}”晚于{others}才说到",
        "Bring it forward: it belongs before {others}.",
        "请提前：它应在{others}之前。",
    ),
    "step.unprepared": (
        "“{title}” was done before what it requires: {others}",
        "“{title}”的前提还没有完成：{others}",
        "Finish {others} first.",
        "请先完成{others}。",
    ),
    "promise.forbidden": (
        "Forbidden wording, {count} ×: {label}",
        "违规表述 {count} 次：{label}",
        "Never promise this. Say what is certain and name the conditions; correct it with the customer in writing.",
        "不得作此承诺。只说确定的事实并讲明条件，并以书面形式向客户更正。",
    ),
    "objection.unanswered": (
        "Objection left unanswered: {label}",
        "异议没有得到回应：{label}",
        "Acknowledge it, ask one question about it, then answer it before going on.",
        "先认同，再追问一句，回应之后再继续。",
    ),
    "objection.not_recovered": (
        "Objection not resolved: {label}",
        "异议没有化解：{label}",
        "The customer still said no after the answer. Compare with an answer that worked, and ask what is behind it.",
        "回应之后客户仍然拒绝。对照成功的应对，问清背后的原因。",
    ),
    "talk_ratio": (
        "The rep spoke {value} of the time",
        "销售说话占 {value}",
        "Aim for 60 % or less: ask an open question after each point, and wait for the answer.",
        "目标是 60% 以内：每讲完一点就问一个开放式问题，并等客户回答。",
    ),
    "monologue": (
        "Monologue of {value}",
        "连续独白 {value}",
        "Stop after about a minute at the latest and check: “How does that sound?”",
        "最多讲一分钟就停下来确认：“您觉得怎么样？”",
    ),
    "interruptions": (
        "Interrupted the customer {value} times within a minute",
        "一分钟内打断客户 {value} 次",
        "Let the customer finish, count to one, then speak.",
        "让客户把话说完，停一秒再开口。",
    ),
    "dead_air": (
        "Silence of {value}",
        "冷场 {value}",
        "Say what you are doing (“one moment, I am looking that up”) or ask a question.",
        "说明你在做什么（“稍等，我查一下”），或者问一个问题。",
    ),
    "pace": (
        "Too fast: {value}",
        "语速过快：{value}",
        "Slow down and pause after numbers and names. The limit is {limit}.",
        "放慢语速，说到数字和名称后稍作停顿。上限为 {limit}。",
    ),
    "patience": (
        "Answers after only {value}",
        "只隔 {value} 就接话",
        "Wait half a second: what comes after the pause is often what matters.",
        "等半秒再回应：客户停顿之后的话往往最重要。",
    ),
}

LABELS: dict[str, tuple[str, str]] = {
    "objection.price": ("Price", "价格"),
    "objection.no_need": ("No need", "没有需求"),
    "objection.not_now": ("Not now", "暂时不考虑"),
    "objection.competitor": ("Competitor", "竞争对手"),
    "objection.trust": ("Trust", "信任"),
    "objection.authority": ("Has to ask somebody", "需与他人商量"),
    "objection.send_info": ("Send me something", "先发资料"),
    "objection.complaint": ("Complaint", "抱怨投诉"),
    "compliance.forbidden": ("unfounded promise", "不当承诺"),
}

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Call diagnosis", "对话诊断报告"),
    "rep": ("Rep", "销售"),
    "customer": ("Customer", "客户"),
    "playbook": ("Playbook", "话术手册"),
    "campaign": ("Campaign", "活动"),
    "started": ("Started", "开始时间"),
    "duration": ("Duration", "通话时长"),
    "call_id": ("Call", "通话编号"),
    "external_id": ("External id", "外部编号"),
    "direction": ("Direction", "方向"),
    "outbound": ("outbound", "呼出"),
    "inbound": ("inbound", "呼入"),
    "ended": ("Ended", "结束方式"),
    "completed": ("completed", "正常结束"),
    "interrupted": ("interrupted", "中断"),
    "idle": ("idle", "长时间无声"),
    "limit": ("time limit", "超过时限"),
    "incomplete": (
        "This call did not run to its end. Steps that were still to come are not judged.",
        "这通电话没有正常结束，尚未到时的步骤不作判定。",
    ),
    "roles_swapped": ("Speakers were swapped during the call", "通话中更正过说话人"),
    "same_channels": (
        "Both channels carried the same sound: who said what is not certain.",
        "两个声道的声音相同，无法确定每句话是谁说的。",
    ),
    "maturity": ("SOP maturity", "销售成熟度"),
    "provisional": ("provisional", "暂定"),
    "undetermined": ("undetermined", "无法判定"),
    "coverage": ("Coverage", "覆盖率"),
    "order": ("Order", "顺序"),
    "timeliness": ("Timeliness", "及时性"),
    "critical_missed": ("Critical steps missed", "缺失的关键步骤"),
    "timeline": ("The call at a glance", "通话一览"),
    "deviations": ("Deviations", "偏差"),
    "content": ("Content: what was said", "内容偏差：谈什么"),
    "behaviour": ("Behaviour: how it was said", "行为偏差：如何谈"),
    "nothing_found": ("Nothing to object to.", "没有发现偏差。"),
    "not_judged": ("Could not be judged", "无法判定"),
    "what_to_do": ("What to do", "建议"),
    "said_instead": ("Last thing the rep said in that time", "该时段内销售最后说的话"),
    "high": ("serious", "严重"),
    "medium": ("notable", "一般"),
    "low": ("minor", "轻微"),
    "procedure": ("Procedure (SOP)", "销售流程（SOP）"),
    "step": ("Step", "步骤"),
    "stage": ("Stage", "阶段"),
    "state": ("State", "状态"),
    "when": ("When", "时间"),
    "deadline": ("Due by", "截止"),
    "evidence": ("Evidence", "依据"),
    "critical": ("critical", "关键"),
    "out_of_order": ("out of order", "顺序不对"),
    "by_hand": ("ticked by {by}", "由 {by} 手动勾选"),
    "done": ("done", "已完成"),
    "done_late": ("done late", "迟到完成"),
    "missing": ("missing", "缺失"),
    "not_applicable": ("not applicable", "不适用"),
    "waived": ("waived", "已豁免"),
    "objections": ("Objections", "异议"),
    "no_objections": ("No objections were heard.", "没有听到异议。"),
    "objection_recovery": ("Recovered", "化解率"),
    "answer": ("Rep's answer", "销售回应"),
    "reaction": ("Customer's next turn", "客户下一句"),
    "no_answer": ("no answer", "没有回应"),
    "no_reaction": ("the customer did not speak again", "客户没有再说话"),
    "recovered": ("recovered", "已化解"),
    "not_recovered": ("not recovered", "未化解"),
    "talk": ("How it was said", "如何谈"),
    "listening": ("Listening", "倾听"),
    "stating": ("Stating", "陈述"),
    "asking": ("Asking", "提问"),
    "flow": ("Flow", "节奏"),
    "length": ("Length", "时长"),
    "stages": ("Stages", "阶段"),
    "cards": ("Cards", "提示卡"),
    "no_cards": ("No cards were raised.", "没有出现提示卡。"),
    "held_back": ("Held back ({count})", "未显示（{count}）"),
    "card": ("Card", "提示卡"),
    "triggered_by": ("Triggered by", "触发语句"),
    "outcome": ("Outcome", "结果"),
    "feedback": ("Feedback", "反馈"),
    "latency": ("Latency", "延迟"),
    "revised_since": ("heard live, revised since", "实时听到，之后已更正"),
    "no_words": ("from silence or time", "由沉默或时间触发"),
    "raised": ("raised", "已触发"),
    "shown": ("shown", "已显示"),
    "acked": ("used", "已采用"),
    "dismissed": ("dismissed", "已关闭"),
    "expired": ("expired", "已过期"),
    "superseded": ("superseded", "被取代"),
    "withdrawn": ("withdrawn", "已撤回"),
    "suppressed": ("held back", "未显示"),
    "adhered": ("acted on", "已照做"),
    "not_adhered": ("not acted on", "未照做"),
    "too_late": ("too late", "太晚"),
    "used": ("used", "已采用"),
    "snoozed": ("snoozed", "稍后"),
    "wrong": ("wrong", "有误"),
    "useful": ("useful", "有用"),
    "transcript": ("Transcript", "通话文本"),
    "no_transcript": ("Nobody was heard in this call.", "这通电话里没有听到任何人说话。"),
    "revised": ("revised", "已更正"),
    "notes": ("Marks and messages", "标记与消息"),
    "mark": ("Mark", "标记"),
    "supervisor": ("Supervisor", "主管"),
    "quality": ("How well the copilot heard", "识别与响应质量"),
    "gaps": ("Audio lost", "音频缺失"),
    "silence": ("Silence", "冷场"),
    "pauses": ("Pauses", "暂停"),
    "hold": ("hold", "保持"),
    "consent": ("no consent", "未同意录音"),
    "pci": ("payment data", "支付信息"),
    "impairments": ("Impaired service", "服务降级"),
    "transcript_lag": ("Transcript after the words", "文本延迟"),
    "median": ("median", "中位数"),
    "p95": ("95th percentile", "95 分位"),
    "count": ("Number", "数量"),
    "recognise_ms": ("recognised", "识别"),
    "match_ms": ("matched", "匹配"),
    "decide_ms": ("decided", "决定"),
    "send_ms": ("sent", "发送"),
    "render_ms": ("rendered", "呈现"),
    "ack_ms": ("answered by the rep", "销售确认"),
    "phrase_to_sent_ms": ("phrase to card sent", "语句到发送"),
    "phrase_to_rendered_ms": ("phrase to card on screen", "语句到上屏"),
    "measure": ("Measure", "指标"),
    "value": ("Value", "数值"),
    "formula": ("From", "计算"),
    "talk_ratio": ("Talk ratio", "说话占比"),
    "talk_share": ("Rep speech of the whole call", "销售说话占全程"),
    "customer_share": ("Customer speech of the whole call", "客户说话占全程"),
    "longest_monologue_ms": ("Longest monologue", "最长独白"),
    "longest_customer_story_ms": ("Longest customer story", "客户最长讲述"),
    "interactivity": ("Speaker switches", "互动频次"),
    "patience_ms": ("Patience", "耐心（停顿）"),
    "interruptions_per_min": ("Interruptions by the rep", "打断客户"),
    "interrupted_per_min": ("Interruptions by the customer", "被客户打断"),
    "dead_air_ms": ("Dead air, sum", "冷场合计"),
    "longest_silence_ms": ("Longest silence", "最长冷场"),
    "dead_air_share": ("Dead air of the whole call", "冷场占全程"),
    "speech_rate": ("Speech rate", "语速"),
    "speech_rate_peak": ("Fastest 30 s", "最快 30 秒"),
    "question_rate": ("Questions", "提问"),
    "open_question_rate": ("Open questions", "开放式提问"),
    "closed_question_rate": ("Closed questions", "封闭式提问"),
    "open_question_share": ("Share of open questions", "开放式占比"),
    "made_from": (
        "Everything here is derived from the event log of this call.",
        "本报告全部内容由该通话的事件日志推导而来。",
    ),
}

_UNITS: dict[str, tuple[str, str]] = {
    "per_min": ("{0} per min", "{0} 次/分钟"),
    "per_10_min": ("{0} per 10 min", "{0} 次/10 分钟"),
    "words_per_min": ("{0} words/min", "{0} 词/分钟"),
    "chars_per_min": ("{0} characters/min", "{0} 字/分钟"),
    "count": ("{0}", "{0}"),
}


def word(key: str, language: str, **values: object) -> str:
    """A heading; a key that is not in the table (a playbook's own term) stands for itself."""
    pair = WORDS.get(key)
    text = (pair[1] if language == "zh" else pair[0]) if pair else key
    return text.format(**values) if values else text


def finding_texts(code: str, values: dict[str, Text | str]) -> tuple[Text, Text]:
    """Title and advice of a finding, in both languages."""
    title_en, title_zh, advice_en, advice_zh = FINDINGS[code]
    english = {key: value.en if isinstance(value, Text) else value for key, value in values.items()}
    chinese = {key: value.zh if isinstance(value, Text) else value for key, value in values.items()}
    return (
        Text(en=title_en.format(**english), zh=title_zh.format(**chinese)),
        Text(en=advice_en.format(**english).strip(), zh=advice_zh.format(**chinese).strip()),
    )


def label_title(label: str, authored: str = "") -> Text:
    """What a label is called: the author's title, the shipped one, or the label itself."""
    if authored:
        return Text(en=authored, zh=authored)
    en, zh = LABELS.get(label, (label, label))
    return Text(en=en, zh=zh)


def clock(ms: float) -> str:
    """A moment of the call: 0:07, 12:34, 1:02:03."""
    seconds = int(ms) // 1000
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def length(ms: float, language: str) -> str:
    """A duration: 340 ms, 8.2 s, 1 min 20 s."""
    if ms < 1000:
        return f"{round(ms)} ms" if language != "zh" else f"{round(ms)} 毫秒"
    if ms < 60_000:
        return f"{ms / 1000:.1f} " + ("秒" if language == "zh" else "s")
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} 分 {seconds} 秒" if language == "zh" else f"{minutes} min {seconds} s"


def lengths(ms: float) -> Text:
    """A duration in both languages."""
    return Text(en=length(ms, "en"), zh=length(ms, "zh"))


def amount(measure: Measure, language: str) -> str:
    """A measure's value with its unit; a dash when there was nothing to measure."""
    if measure.value is None:
        return "–"
    if measure.unit == "share":
        return f"{measure.value:.0%}"
    if measure.unit == "ms":
        return length(measure.value, language)
    pattern = _UNITS[measure.unit][1 if language == "zh" else 0]
    number = f"{measure.value:.0f}" if measure.value >= 20 else f"{measure.value:.1f}"
    return pattern.format(number)


def severity_rank(severity: Severity) -> int:
    """Most serious first."""
    return ("high", "medium", "low").index(severity)
