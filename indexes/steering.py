"""Rules: text that steers whoever answers about it: what to say when asked, what to claim, whom to obey."""

from indexes.orders import CLAUSE, DISGUISE, DISGUISE_WORDS, MODEL, MODEL_WORDS, ORDER, YOUR, Rule, rule

_USER = r"(?:user|reader|human|asker|person asking)"
_PLACE = r"(?:https?://|www\.|\b[\w-]+\.[a-z]{2,24}\b|\+?\d[\d ()/-]{6,}\d|[\w.+-]+@[\w-]+\.)"
_SAYING = (
    r"(?:mark|say|answer|reply|respond|claim|state|insist|output|recommend|praise|rate|approve|give|tell"
    r"|describe|mention|include|write|follow|obey|disregard|ignore|treat|rank|score|summari[sz]e"
    r"|conclude|refuse|print)"
)
_SAYING_WORDS = (
    "mark say answer reply respond claim state insist output recommend praise rate approve give tell"
    " describe mention include write follow obey disregard ignore treat rank score summarize summarise"
    " conclude refuse print"
)
_MASTER = r"(?:developers?|creators?|operators?|owner|makers?|(?:system )?admin(?:istrator)?s?|master)"

STEERING: tuple[Rule, ...] = (
    # What to say when somebody asks.
    rule(
        "answer",
        f"if when whenever & asks ask asked asking & {_SAYING_WORDS}",
        r"^\W*(?:if|when|whenever) (?:you are |you're |anyone |someone |somebody |anybody |people "
        r"|users? |the user |a user |the reader |ever )*(?:is |are )?(?:asks?|asked"
        r"|asking)\b[^.!?]{0,100}?, (?:you (?:must|should|will) |always |only |please |just |simply"
        r" )*(?:say|answer|reply|respond|claim|state|insist|output|recommend) (?:that\b|it\b|he\b|she\b"
        r"|yes\b|no\b|only\b|with \"|\"|'|:)",
    ),
    rule(
        "answer",
        "always never refuse every all any each not & answer reply respond say cite quote summarize"
        " summarise question questions conclude",
        rf"{ORDER}(?:answer|reply to|respond to) (?:every|all|any|each)(?: of the)? (?:\w+"
        rf" )?(?:questions?|requests?"
        r"|quer(?:y|ies)|messages?|prompts?) (?:with|by|as|only)\b|^\W*(?:you must )?always (?:answer"
        r"|say|reply|respond)(?: with)? (?:yes|no|that|\"|')|^\W*(?:do not|don't|never) (?:ever"
        r" )?(?:cite|quote|summari[sz]e|use) this (?:document|page|source|file|text)\b|^\W*(?:do not"
        r"|don't|never) answer (?:the|this|that|any|their) questions?\b|^\W*(?:you must )?refuse to"
        r" (?:answer|respond|reply|summari[sz]e)\b",
    ),
    rule(
        "answer",
        "summarize summarise conclude claim nothing leave omit & this that summary answer report",
        rf"{ORDER}summari[sz]e (?:this|the) (?:e-?mail|document|page|text|message|thread|file) (?:as|by"
        rf" saying)\b|{ORDER}(?:conclude|claim|pretend|insist) that\b|{ORDER}(?:say nothing|do not say"
        rf" anything|leave out everything) (?:about|of)\b[^.!?]{{0,60}}\bin your"
        r" (?:summary|answer|report|reply|response)\b",
    ),
    rule(
        "answer",
        "positive good favorable favourable glowing perfect excellent high five best top & review rating"
        " score grade recommendation",
        rf"{CLAUSE}(?:give|write|leave|assign|award|produce|submit) (?:it |this \w+ |us |me |only"
        rf" )*(?:an? |the )?(?:very )?"
        r"(?:positive|good|favou?rable|glowing|perfect|excellent|high|best|top|five.star"
        r"|5.star)(?:est)?(?: possible)? (?:review|rating|score|grade|recommendation)s?(?: only\b"
        r"|[.!]*$)",
    ),
    rule(
        "answer",
        "everything outputs answers replies responses summaries output answer reply response summary &"
        " include add append insert put place use write mention",
        rf"{CLAUSE}(?:include|add|append|insert|put|place|use|write|mention"
        rf"|embed)\b[^.!?]{{0,100}}?\b(?:in|to|into|with|at the"
        r" (?:end|start|beginning|top|bottom) of) (?:(?:everything|anything) you (?:write|say|output"
        r"|answer|produce)|(?:all|every|any|each)(?: of)?(?: your)? (?:future |other )?(?:outputs?"
        r"|answers?|replies|reply|responses?|summar(?:y|ies)))\b",
    ),
    rule(
        "answer",
        "your & answer response reply output & must should shall has needs is contains includes mentions"
        " ends begins starts",
        rf"\b{YOUR}(?:answer|response|reply|output) (?:must|should|shall|has to|needs to|is to)(?:"
        rf" always| only| also)? (?:be (?:in|written|given|an?)|begin|start|end|contain|include|mention"
        rf"|recommend|say|use|have)\b|\bthat {YOUR}(?:answer|response|reply|output) (?:contains|includes"
        rf"|mentions|ends|begins|starts|recommends)\b",
    ),
    rule(
        "answer",
        "answer answers response responses reply output outputs everything text texts & in as using &"
        f" {DISGUISE_WORDS} limerick poem",
        rf"{ORDER}[a-z]+ (?:me )?(?:the|your|this|every|all|an?) (?:\w+ )?(?:answer|response|reply"
        rf"|output|everything|text)s?\b[^.!?]{{0,20}} (?:in|as|using) (?:an? |the )?(?:form of an?"
        rf" )?(?:{DISGUISE}|limerick|poem)",
    ),
    rule(
        "answer",
        "speak talk write respond reply answer & like as",
        rf"{ORDER}(?:speak|talk|write|respond|reply|answer) (?:to (?:me|the user) )?(?:as (?:if|though)"
        rf" you\b"
        r"|like an? (?:\w+ )?(?:pirate|sailor|child|baby|drunk\w*|cat|dog|robot|villain|gangster|cowboy"
        r"|poet|rapper)\b)",
    ),
    # Whoever the orders come from, and whomever they are for.
    rule(
        "addressed",
        f"{MODEL_WORDS} & must should shall has have required needs will & {_SAYING_WORDS}",
        rf"^\W*(?:p\.?s\.?[:,]? )?(?:(?:the |all |any |every |dear )?(?:{MODEL})s?"
        rf"|assistants?)\b[^.,!?]{{0,50}}? (?:must|should|shall|has to|have to|is required to|are"
        rf" required to|needs? to) (?:always |only |never |not |now )*{_SAYING}\b",
    ),
    rule(
        "addressed",
        f"to hi hey hello dear reviewers readers & {MODEL_WORDS} bing siri alexa cortana",
        rf"^\W*(?:p\.?s\.?:?|note|message|memo)?,? ?(?:to|for) (?:the |all |any )?(?:{MODEL}"
        rf"|assistant)s?\b[^:.]{{0,30}}:"
        r"|^\W*(?:hi|hey|hello|dear|ok|okay) (?:bing|siri|alexa|cortana|copilot|gemini|claude|chatgpt"
        r"|gpt)\b"
        rf"|^\W*(?:{MODEL}) (?:reviewers?|readers?|graders?|judges?|raters?)\s?:",
    ),
    rule(
        "addressed",
        "automated automatic machine artificial & reader readers reviewer reviewers system systems"
        " processor processors agent agents intelligence",
        r"^\W*(?:notes?|message|notice|memo|instructions?|attention|warning|information)?:?,? ?(?:to"
        r"|for) (?:the |all |any )?(?:automated|automatic|machine|artificial) (?:\w+ )?(?:readers?"
        r"|reviewers?|systems?|processors?|agents?|intelligences?)\s?[:,]",
    ),
    rule(
        "impersonation",
        "are & who that & always never no",
        r"\byou are (?:now )?an? (?:[\w-]+ ){1,4}(?:who|that) (?:always (?:complies|obeys|answers|agrees"
        r"|says)|never refuses|has no (?:rules|limits|restrictions|filters?))\b",
    ),
    rule(
        "bait",
        "developer developers creator creators operator operators owner maker makers admin administrator"
        " master & your",
        rf"\b(?:as|i am|i'm|this is) your {_MASTER}\b|\b(?:come|comes|came|is|are) (?:directly |straight"
        rf" )?from your {_MASTER}\b",
    ),
    rule(
        "override",
        "priority override overrides supersede supersedes precedence replaces & instruction instructions"
        " order orders prompt prompts directive directives rule command commands admin access safety",
        r"\b(?:higher|highest|top|maximum|absolute|overriding).priority (?:instructions?|orders?"
        r"|directives?|commands?)\b|\b(?:overrides?|supersedes?|takes? precedence over|has priority over"
        r"|replaces?) (?:all|any|every|the|your) (?:\w+ )?(?:instructions?|prompts?|directives?)\b"
        r"|^\W*(?:system |admin )?override\s?:",
    ),
    rule(
        "override",
        "your & task role goal orders order instructions rules job persona character & changed cancelled"
        " canceled void suspended replaced forget real true actual drop here over",
        r"\byour (?:\w+ )?(?:task|role|goal|orders?|instructions?|rules|job) (?:has|have|is|are)(?: been"
        r"| now| hereby)* (?:changed\b(?! (?:since|in|over|from|because|due|to|as)\b)|cancel|void"
        r"|suspended|replaced|over\b)|\bhere (?:is|are|comes) your (?:real|true|actual|new) (?:task|role"
        r"|goal|orders?|instructions?|job)\b|\bforget (?:about )?your (?:role|persona|identity|character"
        r"|training|task|instructions)\b",
    ),
    rule(
        "override",
        "end begin new & document instructions instruction context prompt input conversation session &"
        " new now begin start follow following",
        r"\bend of (?:the )?(?:document|instructions?|context|prompt|input|conversation|system (?:prompt"
        r"|message))\b\W{0,12}(?:new\b|now\b|begin\b|start\b)|\b(?:begin|start)(?:ing)? (?:of )?(?:a"
        r" )?new (?:conversation|instructions?|prompt)\b|^\W*new (?:conversation|instructions?"
        r"|prompt)\s?:",
    ),
    rule(
        "override",
        "treat obey says comply & text line sentence paragraph message following next every all my",
        r"\btreat (?:the|this|these|what)\b[^.!?]{0,40}\bas (?:the user's|an? (?:new )?(?:instruction"
        r"|order|prompt|command)|(?:new )?instructions|the (?:new |user's )?(?:request|prompt|question"
        r"|instruction))|\b(?:obey|comply with) (?:the (?:next|following)|every|all|my) (?:\w+ )?(?:text"
        r"|line|sentence|paragraph|word|command|order)s?\b|\bdo (?:exactly )?what(?:ever)? the (?:next"
        r"|following) (?:line|sentence|text|paragraph) (?:says|tells)\b",
    ),
    rule(
        "impersonation",
        "system & note prompt message override instruction instructions directive command",
        r"^[\W_]*system (?:note|prompt|message|override|instructions?|directive|command)\s?:",
    ),
    rule(
        "impersonation",
        "play enter enable activate switch you & character role mode persona",
        r"\byou (?:will|must|are going to|shall) (?:now )?(?:play|act as|be) (?:an?|the) (?:character"
        r"|role|persona)\b|^\W*(?:now )?(?:enter|switch (?:in)?to) (?:developer|debug|admin|god|dan"
        r"|jailbreak|unrestricted) mode\b",
    ),
    # What the reader is to be sent to, and what is to be carried out.
    rule(
        "exfiltration",
        "tell advise urge direct convince persuade instruct ask encourage let & user reader human asker",
        rf"{CLAUSE}(?:tell|advise|urge|direct|convince|persuade|instruct|ask|encourage|let) the"
        rf" {_USER}s? (?:to|that|about|know)\b[^!?]{{0,120}}{_PLACE}",
    ),
    rule(
        "exfiltration",
        "encode append put attach add embed send & conversation question query prompt & url http https"
        " link image base base64 hex www address",
        rf"{CLAUSE}(?:encode|append|put|attach|add|embed|send)\b[^!?]{{0,60}}\b(?:the|this|our) (?:\w+"
        rf" )?(?:user's )?(?:conversation"
        r"|question|query|prompt)\b[^!?]{0,80}(?:https?://|\burl\b|\blink\b|\bimage\b|base ?64|\bwww\.)"
        rf"|{CLAUSE}(?:append|put|attach|add|embed|send)\b[^!?]{{0,60}}\b(?:the )?user's (?:conversation"
        rf"|question|query|input)\b"
        r"[^!?]{0,80}(?:https?://|\burl\b|\blink\b|\bimage\b|\bwww\.)",
    ),
    rule(
        "tool_call",
        "execute run call invoke & command query code script function & answering answer replying return",
        rf"{CLAUSE}(?:execute|run|call|invoke) (?:this|the following|these) (?:\w+ )?(?:command|query"
        rf"|code|script|function)s?\b"
        r"[^.!?]{0,40}\b(?:before (?:answering|you answer|replying|responding)|(?:and|then) (?:return"
        r"|answer|reply|include))\b",
    ),
    rule(
        "tool_call",
        "call invoke execute & with & _",
        rf"{ORDER}(?:call|invoke|execute) [`'\"]?(?:send|delete|transfer|create|update|pay|post|email"
        rf"|forward|reset|add|remove"
        r"|share|read|get)_[a-z_]+[`'\"]?(?:\(| with\b)",
    ),
)
"""Read by ``injection``; the order does not matter."""
