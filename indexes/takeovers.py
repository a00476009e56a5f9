"""Rules: text that takes a program over, by dropping its instructions, or by being somebody else."""

from indexes.orders import (
    INSTRUCTION_WORDS,
    INSTRUCTIONS,
    MODEL,
    MODEL_WORDS,
    POLITE,
    VERB,
    Rule,
    rule,
)

_DROP = (
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|overrule|bypass(?:ing)?|overlook|discard"
    r"|neglect|set aside|drop|skip|abandon|erase|cancel|stop following|(?:do not|don't) (?:follow|obey)"
    r"|pay no attention to|supersedes?|overwrite)"
)
_DROP_WORDS = (
    "ignore ignoring disregard disregarding forget override overriding overrule bypass bypassing overlook"
    " discard neglect aside drop skip abandon erase cancel following follow obey attention supersede"
    " supersedes"
    " overwrite"
)
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|original|initial|existing|current|past|former"
    r"|system|developer|hidden|aforementioned|given)"
)
_MUTE = r"(?:do not|don't|never|without|avoid|refrain from|must not|should not|shouldn't|mustn't|not to)"
_MUTE_WORDS = "not don never without avoid refrain shouldn mustn"
_TELL = (
    r"(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|alert|alerting|notify|notifying"
    r"|disclose|disclosing|warn|warning|say|saying|show|showing|let|letting)"
)
_TELL_WORDS = (
    "tell telling inform informing mention mentioning reveal revealing alert alerting notify notifying"
    " disclose disclosing warn warning say saying show showing let letting"
)
_USER = r"(?:user|human|reader|asker|operator)"

OVERRIDE = (
    rule(
        "override",
        f"{_DROP_WORDS} & previous prior above earlier preceding foregoing original initial existing"
        f" current"
        f" past former system developer hidden aforementioned given & {INSTRUCTION_WORDS}",
        rf"\b{_DROP}(?: (?:all|any|every|each|of|the|these|those|your|my|our|his|her|its|and|or|both|about"
        rf"|whatever|other))* {_BEFORE}(?:,? (?:(?:and|or) )?(?:any |all |the )?{_BEFORE})*(?: \w+)?"
        rf" {INSTRUCTIONS}\b",
    ),
    rule(
        "override",
        f"{_DROP_WORDS} & your & {INSTRUCTION_WORDS}",
        rf"\b{_DROP}(?: (?:all|any|every|each|of|the|these|those))* your (?:\w+ )?(?:instructions?|prompts?"
        r"|directives?|commands?|guidelines?|programming|training|restrictions?|constraints?|safety \w+"
        r"|rules)\b",
    ),
    rule(
        "override",
        "ignore ignoring disregard forget discard erase & everything anything all what whatever",
        rf"\b{_DROP} (?:everything|anything|all|all of that|what|whatever|all that)"
        r" (?:(?:that )?(?:you (?:were|have been|are) (?:told|given|asked|instructed|trained)|you know"
        r"|(?:was|is|came|has been) (?:said|told|written) (?:before|above|so far)"
        r"|i (?:said|told|asked|wrote))|above|before (?:this|now)|so far)\b",
    ),
    rule(
        "override",
        "new updated real actual additional special secret above previous prior earlier original initial"
        " & instruction instructions prompt prompts task objective goal order orders directive directives"
        " mission question",
        r"\b(?:your|follow(?:ing)? (?:these|this|my)) (?:only |real |actual |true )?new"
        r" (?:instructions?|prompt"
        r"|task|objective|goal|orders?|directives?|mission)(?:\s?:| (?:is|are) to\b|,| from now)"
        r"|^\W*(?:new|updated|real|actual|additional|special|secret) (?:system )?(?:instructions?"
        r"|prompt|orders"
        r"|directives?)(?: for you)?\s?:"
        r"|\b(?:above|previous|prior|earlier|original|initial) (?:instructions?|prompts?|task|question)"
        r" (?:is|are|was|were|has been|have been) (?:now )?(?:void|null|invalid|cancel|obsolete|a test|fake"
        r"|wrong|replaced|overrid|superseded|complete|solved|done)",
    ),
    rule(
        "override",
        "instead rather stop not don & user users original & question questions query queries request"
        " requests task tasks prompt prompts",
        r"\b(?:instead of|rather than|stop|do not|don't) (?:answer(?:ing)?|respond(?:ing)? to"
        r"|address(?:ing)?"
        r"|complet(?:e|ing)|process(?:ing)?|summari[sz](?:e|ing)) (?:the |this |that |their )?"
        r"(?:users?(?:'s)?|original) (?:question|query|queries|request|task|prompt)s?\b",
    ),
    # The commonest sentence of all, in German, French, Spanish, Italian, Dutch, Portuguese.
    rule(
        "override",
        "ignorieren ignoriere ignorier vergiss missachte ignore ignorez oublie oubliez ignora olvida olvide"
        " dimentica negeer vergeet desconsidere"
        " & anweisungen anweisung befehle befehl instruktionen vorgaben instructions consignes directives"
        " instrucciones indicaciones istruzioni instructies opdrachten instruções",
        r"\b(?:ignoriere?n?|vergiss|missachte) (?:sie )?(?:bitte )?(?:alle )?(?:die |deine |ihre )?"
        r"(?:vorherigen|bisherigen|vorigen|obigen|früheren) (?:anweisung|befehl|instruktion|vorgabe)"
        r"|\b(?:ignore[zr]?|oublie[zr]?) (?:toutes )?(?:les |tes |vos )(?:instructions|consignes"
        r"|directives)"
        r"|\b(?:ignora|olvida|ignore|olvide) (?:todas )?(?:las |tus |sus )(?:instrucciones|indicaciones)"
        r"|\b(?:ignora|dimentica) (?:tutte )?(?:le |tue )+istruzioni"
        r"|\b(?:negeer|vergeet) (?:alle )?(?:de )?(?:vorige|eerdere|bovenstaande) (?:instructies"
        r"|opdrachten)"
        r"|\b(?:ignore|desconsidere) (?:todas )?as instruções",
    ),
)

IMPERSONATION = (
    rule(
        "impersonation",
        "<| [inst] [/inst] <<sys>> <</sys>> <system> </system> <start_of_turn> <end_of_turn> [system]",
        r"<\|[a-z_]{2,24}\|>|\[/?inst\]|<</?sys>>|</?system>|<(?:start|end)_of_turn>|^\W*\[system\]",
    ),
    rule(
        "impersonation",
        "system developer admin administrator assistant instruction instructions human humans",
        r"^[\W_]*(?:system|developer|admin(?:istrator)?|assistant)(?: (?:prompt|message|override"
        r"|instructions?"
        r"|notice|note|alert|command|update))?\s?[:>\]]+\W*(?:\w+ ){0,3}?"
        r"(?:you (?:are|must|will|should|shall|may|have)|ignore|disregard|override|new"
        r" (?:instructions?|task)"
        r"|from now on|do not|all (?:previous|prior|safety)|sure[,!]|of course|reveal|print|send"
        r"|reply|respond"
        r"|answer|output)\b"
        r"|^[\W_]*#{2,}\s?(?:system|instruction|assistant|human)s?\s?:",
    ),
    rule(
        "impersonation",
        "override mode & system god dan jailbreak",
        r"\bsystem override\b|\b(?:enter|enable|activate|switch to) (?:god|dan|jailbreak) mode\b",
    ),
    rule(
        "impersonation",
        "are re act acting pretend imagine role roleplay behave simulate"
        f" & {MODEL_WORDS} dan unrestricted jailbroken uncensored evil amoral terminal bound mode",
        r"\b(?:you are|you're|act as|acting as|pretend to be|pretend (?:that )?you(?: are|'re)"
        r"|imagine (?:that )?you(?: are|'re)|role-? ?play as|behave (?:like|as)|simulate)(?: now| no"
        r" longer)?"
        rf"(?: an?| the| my)?(?: [\w-]+){{0,3}}? (?:{MODEL}\b|dan\b|unrestricted|jailbroken|uncensored"
        r"|(?:evil|amoral) \w+|linux terminal|in (?:developer|god|debug|admin|dan) mode)"
        r"|\byou are (?:no longer|not) bound by\b",
    ),
    rule(
        "impersonation",
        "now here point & on onward onwards & you your every all reply respond answer always only act"
        " speak call"
        " talk",
        r"\bfrom (?:now|here|this point) on(?:wards?)?,? (?:you (?:are|will be|must|shall|act)"
        r"|(?:your|every|all)"
        r" (?:\w+ )?(?:answer|response|reply|name)|reply|respond|answer|always|only|act|speak|call me"
        r"|talk)\b",
    ),
)

ADDRESSED = (
    rule(
        "addressed",
        MODEL_WORDS,
        r"^\W*(?:(?:attention|dear|hey|hi|hello|note|message|notice|instructions?|important|directive"
        r"|reminder"
        r"|request)(?: (?:to|for))?(?: (?:the|any|all|every|our))?(?: \w+)? )?"
        rf"(?:{MODEL}|assistant)s?(?: (?:reading|processing|summari[sz]ing)"
        rf" this\b[^:,]{{0,30}})?\s?[:,!]\s?\W*"
        rf"(?:{POLITE}[, ]+){{0,3}}{VERB}",
        verb=True,
    ),
    rule(
        "addressed",
        f"if instruction instructions note notes message notice directive attention & {MODEL_WORDS}",
        rf"\bif (?:you are|you're) (?:an? |the |any )?(?:\w+ )?{MODEL}\b"
        r"|\b(?:instructions?|notes?|message|notice|directive|attention) (?:to|for) (?:an?y? |the "
        r"|all |every"
        rf" |whichever )?(?:\w+ )?{MODEL}\b",
    ),
    rule(
        "addressed",
        "this & when while before after if & summarize summarizing summarise summarising answer"
        " answering process"
        " processing parse parsing asked quote quoting translate translating",
        r"\b(?:when|while|before|after|if) (?:you (?:are )?)?(?:summari[sz](?:e|ing)|answer(?:ing)?"
        r"|process(?:ing)?|pars(?:e|ing)|asked about|quot(?:e|ing)|translat(?:e|ing)) (?:\w+ ){0,4}?this"
        r" (?:document|page|e-?mail|text|message|file|content|article),?"
        rf" (?:{POLITE}[, ]+){{0,2}}{VERB}",
        verb=True,
    ),
)

SECRECY = (
    rule(
        "secrecy",
        f"user users reader readers human humans operator asker person & {_MUTE_WORDS} & {_TELL_WORDS}",
        rf"\b{_MUTE}\b(?: \w+){{0,3}}? {_TELL}\b (?:(?:any of )?(?:this|these|that|it|anything|about)\b"
        rf"[^.!?]{{0,30}} to )?(?:the {_USER}s?|the person you)\b"
        r"(?: (?:about|of|that|know|see|this|what|anything|these|the)|[.!,;:]|$)",
    ),
    rule(
        "secrecy",
        "user human reader operator asker & keep hide conceal without so",
        rf"\b(?:keep|hide|conceal)\b[^.!?]{{0,50}}\bfrom the {_USER}\b"
        rf"|\b(?:without|so that) the {_USER}(?:'s)? (?:\w+ ){{0,3}}?(?:knowing|noticing|knowledge"
        rf"|aware|know"
        r"|notice|suspect)",
    ),
    rule(
        "secrecy",
        f"{_MUTE_WORDS} & this these & instruction instructions prompt note order orders",
        rf"\b{_MUTE}\b(?: \w+){{0,2}}? (?:mention|reveal|disclos|acknowledg|quot|refer|repeat)(?:e"
        rf"|ing|ring)?"
        r"(?: to)? (?:(?:the )?(?:existence|content|presence|receipt)s? of )?(?:this|these) (?:hidden"
        r" |secret"
        r" |\w+ )?(?:instructions?|prompt|note|orders?)\b",
    ),
)

BAIT = (
    rule("bait", "message & me & you", r"\bmessage from me\b[^.!?]{0,80}\bto you\b"),
    rule(
        "bait",
        "before & task tasks question questions query queries prompt prompts instruction instructions",
        r"\bbefore (?:you )?(?:can |may |are able to |will be able to |do |start |begin "
        r"|proceed(?:ing)? (?:to"
        r"|with) |try to |attempt to )?(?:solve|solving|answer|answering|complete|completing|respond to"
        r"|responding to|continue with|finish|fulfil?l?|handle|help with|perform|work on|summari[sz]e)"
        r" (?:the|this|that|my|any) (?:\w+ )?(?:task|question|query|prompt|instruction)s?\b"
        r"(?: (?:that )?(?:i|the user|you|he|she|they)\b|,| above)",
    ),
    rule(
        "bait",
        "after once & task question request query",
        r"\b(?:after|once) (?:you (?:do|did|have done|are done with|'ve done|finish|complete)|doing"
        r"|completing"
        r"|finishing) (?:that|this|it|so),? (?:you (?:can|may|should) )?(?:then )?(?:solve|answer|continue"
        r"|go on|resume)\b[^.!?]{0,30}\b(?:task|question|request|query)\b",
    ),
    rule(
        "bait",
        "developer developers creator creators administrator operator operators owner maker makers"
        " system openai"
        " anthropic user & this am m are from by as",
        r"\b(?:this is|i am|i'm|we are|message from|by order of|speaking as) (?:\w+ )?(?:your"
        r" (?:developers?"
        r"|creators?|system administrator|administrator|operators?|owner|makers?|system)|openai|anthropic"
        r"|the user you are (?:helping|talking|assisting))\b",
    ),
    rule(
        "bait",
        "<information> </information> <important> </important> <urgent> </urgent>",
        r"^\W*</?(?:information|important|urgent)>",
    ),
)

# Read by ``injection``; the order does not matter.
TAKEOVERS: tuple[Rule, ...] = (*OVERRIDE, *IMPERSONATION, *ADDRESSED, *SECRECY, *BAIT)
