"""Rules: what a program that was taken over is to do: change its answer, leak, call tools, do other work."""

from indexes.orders import CLAUSE, DISGUISE, DISGUISE_WORDS, ORDER, OUTPUT, POLITE, VERB, YOUR, Rule, rule

_OUTPUT_WORDS = "answer response responses reply replies output completion generated"
_CODE = r"(?:code(?:base)?|solution|implementation|algorithm|program|script|function|application)"
_SNIPPET = (
    r"(?:code )?(?:snippet|block|excerpt|section|segment|fragment|passage|portion|piece|chunk)(?: of"
    r" (?:the )?code)?"
)
_FOLLOWING = r"(?:following|subsequent|below|next|ensuing|given|provided|succeeding|attached|upcoming)"
_HOLD = r"(?:password|passphrase|credential|secret|token|api[ _-]?key|private key|cookie|session)s?"
_GENRE = (
    r"(?:poem|poetry|verse|haiku|limerick|sonnet|song|lyrics|joke|riddle|(?:short |fairy |bedtime"
    r" )?(?:story|tale)|essay|speech|recipe|novel|fable|screenplay|monologue|rap|(?:cover |love )?letter"
    r"|diary entry|eulogy|toast)s?"
)

_ALONE = (
    r"^[\"'(]?(?:please |kindly )?(?!.*\b(?:you|your|we|our|us|i|my|this|these|below|above|following|it"
    r"|its|them|their|they|if|each|all|any)\b)(?!.*(?:[`\[\]{}<>$_*#/|:;]|\d\d))"
)
_PIECE = (
    r"(?:the|an?|some|how|why|what|who|which|where|when|two|three|five|ten|\d|information|details"
    r"|instructions|tips|advice|directions)\b.{3,140}[.?!]\W*$"
)

ANSWER = (
    rule(
        "answer",
        f"your & {_OUTPUT_WORDS}",
        rf"(?:{ORDER}|[:;]\s(?:{POLITE}[, ]+){{0,3}}){VERB}.{{0,200}}?\b{YOUR}{OUTPUT}",
        verb=True,
    ),
    rule(
        "answer",
        f"your & {_OUTPUT_WORDS} & add append end begin start finish conclude close insert embed prefix"
        f" prepend"
        " translate encode format phrase reverse scramble disguise replace",
        r"(?:\band|\bthen|\bto|,) (?:\w+ly )?(?:add|append|end|begin|start|finish|conclude|close|insert"
        r"|embed|prefix|prepend|translate|encode|format|phrase|reverse|scramble|disguise|replace)"
        r" .{0,120}?"
        rf"\b{YOUR}{OUTPUT}",
    ),
    rule(
        "answer",
        f"your & {_OUTPUT_WORDS}",
        r"^\W*(?:\w+ )?(?:in|within|into|to|throughout|at the (?:end|beginning|start|top|bottom) of|as"
        r" part of|when (?:writing|giving|creating|composing)|for|before|after) (?:each of )?"
        rf"{YOUR}{OUTPUT},? (?:{POLITE}[, ]+){{0,2}}{VERB}",
        verb=True,
    ),
    rule(
        "answer",
        f"reply respond answer output speak write communicate talk print & {DISGUISE_WORDS}",
        rf"{CLAUSE}(?:reply|respond|answer|output|speak|write|communicate|talk|print)"
        r"(?: (?:to (?:the user|everything|all \w+|this|me)|back|everything|it|the (?:text|answer)))?(?:"
        r" (?:only|solely|exclusively|just|entirely|always))*(?: (?:in|with|using|as|by using))?"
        rf"(?: (?:only|just|exclusively|an?|the))* {DISGUISE}",
    ),
    rule(
        "answer",
        "the this each every & answer response reply output & add append insert include end begin start"
        " finish conclude close embed prefix prepend translate encode format write use replace"
        " substitute change render express present spell hide rewrite",
        rf"{ORDER}(?:add|append|insert|include|end|begin|start|finish|conclude|close|embed|prefix"
        rf"|prepend|translate"
        r"|encode|format|write|use|replace|substitute|change|render|express|present|spell|hide"
        r"|rewrite)\b.{0,120}?(?:\b(?:to|in|into|within|of|throughout|by) )?\b(?:the|this|each|every)"
        r" (?:final |next )?(?:answer|response|reply)\b(?! (?:to|that|from|of|is|on|for)\b)",
    ),
    rule(
        "answer",
        "reply respond answer & with using in by as only like without",
        rf"{ORDER}(?:respond|reply|answer) (?:only )?(?:with|using|in|by|as|only|like|without) (?!the "
        rf"|your |a (?:thread"
        r"|comment|link)|(?:thread|time|writing|person|public|private|detail)s?\b|an? (?:\w+ )?(?:way"
        r"|manner|tone)\b)",
    ),
    rule(
        "answer",
        "translate rewrite paraphrase write rephrase say & french german spanish italian chinese"
        " japanese russian arabic portuguese dutch korean hindi latin greek polish turkish swedish"
        " mandarin cantonese hebrew vietnamese thai",
        rf"{ORDER}(?:translate|rewrite|paraphrase|rephrase|write|say) (?!your )[^.!?]{{0,80}}\b(?:to"
        rf"|into|in) (?:the )?"
        r"(?:french|german|spanish|italian|chinese|japanese|russian|arabic|portuguese|dutch|korean|hindi"
        r"|latin|greek|polish|turkish|swedish|mandarin|cantonese|hebrew|vietnamese|thai)\b",
    ),
    rule(
        "answer",
        "reply respond answer output say print return & only exactly solely exclusively just but literally",
        rf"{CLAUSE}(?:reply|respond|answer|output|say|print|return)"
        r"(?: to (?:the user|every(?:thing| question)|all questions|any question|this))?(?: back)?(?:"
        r" with)? (?:only|exactly|solely|exclusively|just|nothing but|literally)(?: (?:with|by|the|this"
        r"|saying|words?|phrase|text|sentence))* ?(?:\"|: ?\"?|')",
    ),
)

CODE = (
    rule(
        "code",
        "snippet block excerpt section segment fragment passage portion piece chunk & following"
        " subsequent below next ensuing given provided succeeding attached upcoming follows & your you",
        rf"\b(?:{_FOLLOWING} {_SNIPPET}|{_SNIPPET} (?:below|that follows))\b[^.!?]{{0,80}}\b(?:your|you)"
        rf" (?:\w+ ){{0,2}}?(?:{_CODE}|{OUTPUT}|develop|write|produce|create)\b|\b(?:your|you) (?:\w+"
        rf" ){{0,2}}?(?:{_CODE}|{OUTPUT})\b[^.!?]{{0,80}}\b{_FOLLOWING} {_SNIPPET}\b",
    ),
)

EXFILTRATION = (
    rule(
        "exfiltration",
        "prompt instructions conversation chat dialogue memory context user everything & reveal print"
        " repeat output show display disclose leak send share post forward email mail upload transmit"
        " write give tell quote copy paste dump return summarize summarise",
        rf"{CLAUSE}(?:reveal|print|repeat|output|show|display|disclose|leak|send|share|post"
        r"|forward|e-?mail|upload|transmit|write|give|tell|quote|copy|paste|dump|return|summari[sz]e)(?:"
        r" (?:me|us|out|back|him|her|them))? (?:\w+ ){0,3}?(?:system prompt|(?:hidden|initial|original"
        r"|secret|your) (?:system )?(?:prompt|instructions)(?! (?:for|on|about|of|regarding|when|if)\b)"
        r"|conversation (?:history|so far|above)|this (?:whole |entire )?(?:conversation|chat|dialogue)"
        r" to|contents? of your (?:context|memory|prompt|instructions?)|entire (?:conversation|context"
        r"|prompt)|user's (?:question|query|input|messages?|history)|user's (?:\w+ ){0,3}(?:name|address"
        r"|number|data|password|location|details|e-?mail)\b(?: \w+){0,4} (?:to|with) (?:https?:|www"
        r"|[\w.+-]+@)|everything you (?:know|have|were))\b",
    ),
    rule(
        "exfiltration",
        "password passwords passphrase credential credentials secret secrets token tokens key keys"
        " cookie cookies session sessions & send forward email mail post upload transmit leak exfiltrate"
        " publish copy deliver transfer append include embed & user users s their all every any stored"
        " found",
        rf"{ORDER}(?:send|forward|e-?mail|post|upload|transmit|leak|exfiltrate|publish"
        r"|copy|deliver|transfer|append|include|embed)\b[^.!?]{0,60}\b(?:users?'?s?|their|all|every|any"
        r"|stored"
        rf"|found)\b[^.!?]{{0,30}}\b{_HOLD}\b[^!?]{{0,60}}"
        r"(?:https?://|www\.|[\w.+-]+@[\w-]+\.\w|\.(?:com|net|org|io|xyz|ru)\b)",
    ),
    rule(
        "exfiltration",
        "![ & ](http & =) ={ =[ =< =% =$ =_ /{ /[ /< /% /$",
        r"!\[[^\]]{0,200}\]\(https?://[^)\s]{1,300}?(?:=(?:\)"
        r"|\{|\[|<|%7b|\$|_{2,})|/(?:\{|\[|<|%7b|\$\{))",
    ),
)

HIDDEN = (
    rule(
        "hidden",
        "style & display visibility font color opacity",
        r"<\w+[^>]{0,200}style ?= ?[\"'][^\"']{0,200}(?:display: ?none|visibility: ?hidden|font-size:"
        r" ?0(?![.\d])|(?<![\w-])color: ?transparent|opacity: ?0(?![.\d])|(?<![\w-])color: ?(white"
        r"|#fff(?:fff)?)\b[^\"']{0,80}background(?:-color)?: ?\1\b|background(?:-color)?: ?(white"
        r"|#fff(?:fff)?)\b[^\"']{0,80}(?<![\w-])color: ?\2\b)",
    ),
)

TOOL_CALL = (
    rule(
        "tool_call",
        '<tool_ </tool_ <function </function <invoke "tool_ "function_',
        r"</?(?:tool_(?:call|use|code|response)s?|function_(?:call|results?)s?|function=|invoke name=)"
        r"|\"(?:tool_calls?|function_call|tool_use)\" ?:",
    ),
    rule(
        "tool_call",
        'arguments parameters args action & input "',
        r"\{ ?\"(?:name|function|tool|action)\" ?: ?\"[\w.-]+\" ?,"
        r" *\"(?:arguments|parameters|args|action_input)\" ?: ?[{\"]|\baction input ?:",
    ),
    rule(
        "tool_call",
        "call invoke execute trigger use run & tool tools function functions plugin plugins",
        rf"{ORDER}(?:call|invoke|execute|trigger|use|run) (?:the |your )"
        r"(?:[`'\"]?[\w.-]+[`'\"]? )?(?:tool|function|plugin)s?\b[^.!?]{0,60}\b(?:with (?:the"
        r" )?(?:argument|parameter)|to (?:send|delete|transfer|e-?mail|forward|post|upload|pay|book"
        r"|invite)\b)",
    ),
)

TASK = (
    rule(
        "task",
        "poem poems poetry verse verses haiku haikus limerick limericks sonnet song songs lyrics joke"
        " jokes riddle riddles story stories tale tales essay essays speech speeches recipe recipes"
        " novel novels fable fables screenplay monologue rap letter letters diary eulogy toast & write"
        " compose draft create generate develop provide give tell craft produce prepare pen invent sing"
        " recite share make design suggest",
        rf"{ORDER}(?:write|compose|draft|create|generate|develop|provide|give|tell|craft|produce"
        r"|prepare|pen|invent|sing|recite|share|make|design|suggest)(?: (?:me|us|out|up))?(?: (?:an?|the"
        r"|some|one|two|three|five|\d+|an introduction (?:for|to) an?|a summary of an?|the (?:opening"
        r"|beginning|ending"
        rf"|first \w+) of an?))?(?: (?!user )[\w-]+){{0,2}}? {_GENRE} (?:about|on|of|for|describing"
        rf"|based|that"
        r"|in which|with|set|explaining|from|using|where|titled|called|to an?)\b",
    ),
    rule(
        "task",
        "my & write compose draft & email mail letter message text post tweet speech",
        rf"{ORDER}(?:write|compose|draft) (?:me )?an? (?:\w+ )?(?:e-?mail|letter|message|text|post|tweet"
        rf"|speech) (?:to|for|about) my\b",
    ),
    # An order for a piece of writing or knowledge that has nothing of the reader's world in it: no "you" or
    # "we", no "this", "below" or "each", no number, mark or name of a field. People's orders hardly lack all.
    rule(
        "task",
        "explain describe summarize summarise outline define discuss compare calculate compute solve"
        " translate break illustrate analyze analyse recommend suggest",
        rf"{_ALONE}(?:explain|describe|summari[sz]e|outline|define|discuss|compare|calculate|compute"
        rf"|solve|translate|break down|illustrate|analy[sz]e|recommend|suggest) {_PIECE}",
    ),
    rule(
        "task",
        "teach tell give show help provide & me summary overview explanation description definition list"
        " information instructions tips advice directions",
        rf"{_ALONE}(?:teach me|tell me|give me|show me|help me|provide me(?: with)?|provide (?=an?"
        rf" (?:summary"
        r"|overview|explanation|description|definition|list)|information|instructions|tips|advice"
        r"|directions))"
        rf"(?: about| out)* ?{_PIECE}",
    ),
)

# Read by ``injection``; the order does not matter.
DEMANDS: tuple[Rule, ...] = (*ANSWER, *CODE, *EXFILTRATION, *HIDDEN, *TOOL_CALL, *TASK)
