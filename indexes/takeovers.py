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
    r"(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|overrule|bypass(?:ing)?|overlook"
    r"|discard|neglect|set aside|drop|skip|abandon|erase|cancel|stop following|(?:do not|don't)"
    r" (?:follow|obey)|pay no attention to|supersedes?|overwrite)"
)
_DROP_WORDS = (
    "ignore ignoring disregard disregarding forget override overriding overrule bypass bypassing"
    " overlook discard neglect aside drop skip abandon erase cancel following follow obey attention"
    " supersede supersedes overwrite"
)
_BEFORE = (
    r"(?:previous|prior|above|earlier|preceding|foregoing|original|initial|existing|current|past|former"
    r"|system|developer|hidden|aforementioned|given)"
)
_MUTE = r"(?:do not|don't|never|without|avoid|refrain from|must not|should not|shouldn't|mustn't|not to)"
_MUTE_WORDS = "not don never without avoid refrain shouldn mustn"
_TELL = (
    r"(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|alert|alerting|notify"
    r"|notifying|disclose|disclosing|warn|warning|say|saying|show|showing|let|letting)"
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
        f" current past former system developer hidden aforementioned given & {INSTRUCTION_WORDS}",
        rf"\b{_DROP}(?: (?:all|any|every|each|of|the|these|those|your|my|our|his|her|its|and|or|both"
        rf"|about|whatever|other))* {_BEFORE}(?:,? (?:(?:and|or) )?(?:any |all |the )?{_BEFORE})*(?:"
        rf" \w+)? {INSTRUCTIONS}\b",
    ),
    rule(
        "override",
        f"{_DROP_WORDS} & your & {INSTRUCTION_WORDS}",
        rf"\b{_DROP}(?: (?:all|any|every|each|of|the|these|those))* your (?:\w+ )?(?:instructions?"
        rf"|prompts?"
        r"|directives?|commands?|guidelines?|programming|training|restrictions?|constraints?|safety \w+"
        r"|rules)\b",
    ),
    rule(
        "override",
        "ignore ignoring disregard forget discard erase aside & everything anything all what whatever",
        rf"\b{_DROP} (?:everything|anything|all|all of that|what|whatever|all that)"
        r" (?:(?:that )?(?:you (?:were|have been|are) (?:told|given|asked|instructed|trained)|you know"
        r"|(?:was|is|came|has been) (?:said|told|written) (?:before|above|so far)|i (?:said|told|asked"
        r"|wrote))|above|before (?:this|now)|so far)\b",
    ),
    rule(
        "override",
        "new updated real actual additional special secret above previous prior earlier original initial"
        " & instruction instructions prompt prompts task objective goal order orders directive"
        " directives mission question",
        r"\b(?:your|follow(?:ing)? (?:these|this|my)) (?:only |real |actual |true )?new (?:instructions?"
        r"|prompt|task|objective|goal|orders?|directives?|mission)(?:\s?:| (?:is|are) to\b|,| from now)"
        r"|^\W*(?:new|updated|real|actual|additional|special|secret) (?:system )?(?:instructions?|prompt"
        r"|orders|directives?)(?: for you)?\s?:|\b(?:instructions?|prompts?) (?:above|before this) (?:is"
        r"|are|was|were) (?:now )?(?:void|invalid|outdated|obsolete|cancel|a test|fake|wrong)|\b(?:above"
        r"|previous|prior|earlier|original|initial) (?:instructions?|prompts?|task|question) (?:is|are"
        r"|was|were|has been|have been) (?:now )?(?:void|null|invalid|cancel|obsolete|a test|fake|wrong"
        r"|replaced|overrid|superseded|complete|solved|done)",
    ),
    rule(
        "override",
        "task job goal purpose objective mission & only sole real actual true new & your",
        r"\byour (?:only|sole|real|actual|true|new) (?:remaining )?(?:task|job|goal|purpose|objective"
        r"|mission)(?: now| from now on)? is (?:now )?to\b|\byour (?:only|sole|real|actual|true|new)"
        r" (?:remaining )?(?:task|job|goal|purpose|objective|mission) now\b",
    ),
    rule(
        "override",
        "ignore ignoring disregard forget & what whatever everything & user",
        rf"\b{_DROP} (?:what|whatever|everything|anything) (?:that )?the user\b",
    ),
    rule(
        "override",
        "instead rather stop not don & user users original & question questions query queries request"
        " requests task tasks prompt prompts",
        r"\b(?:instead of|rather than|stop|do not|don't) (?:answer(?:ing)?|respond(?:ing)? to"
        r"|address(?:ing)?|complet(?:e|ing)|process(?:ing)?|summari[sz](?:e|ing)) (?:the |this |that "
        r"|their )?(?:users?(?:'s)?|original) (?:question|query|queries|request|task|prompt)s?\b",
    ),
    # The commonest sentence of all, in German, French, Spanish, Italian, Dutch, Portuguese.
    rule(
        "override",
        "ignorieren ignoriere ignorier vergiss missachte ignore ignorez oublie oubliez ignora olvida"
        " olvide dimentica negeer vergeet desconsidere & anweisungen anweisung befehle befehl"
        " instruktionen vorgaben instructions consignes directives instrucciones indicaciones istruzioni"
        " instructies opdrachten instruções",
        r"\b(?:ignoriere?n?|vergiss|missachte) (?:sie )?(?:bitte )?(?:alle )?(?:die |deine |ihre"
        r" )?(?:vorherigen|bisherigen|vorigen|obigen|früheren) (?:anweisung|befehl|instruktion|vorgabe)"
        r"|\b(?:ignore[zr]?|oublie[zr]?) (?:toutes )?(?:les |tes |vos )(?:instructions|consignes"
        r"|directives)|\b(?:ignora|olvida|ignore|olvide) (?:todas )?(?:las |tus |sus )(?:instrucciones"
        r"|indicaciones)|\b(?:ignora|dimentica) (?:tutte )?(?:le |tue )+istruzioni|\b(?:negeer|vergeet)"
        r" (?:alle )?(?:de )?(?:vorige|eerdere|bovenstaande) (?:instructies|opdrachten)|\b(?:ignore"
        r"|desconsidere) (?:todas )?as instruções",
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
        r"|instructions?|notice|note|alert|command|update))?\s?[:>\]]+\W*(?:\w+ ){0,3}?(?:you (?:are"
        r"|must|will|should|shall|may|have)|ignore|disregard|override|new (?:instructions?|task)|from"
        r" now on|do not|all (?:previous|prior|safety)|sure[,!]|of course|reveal|print|send|reply"
        r"|respond|answer|output)\b|^[\W_]*#{2,}\s?(?:system|instruction|assistant|human)s?\s?:",
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
        r"\b(?:you are|you're|act as|acting as|pretend to be|pretend (?:that )?you(?: are|'re)|imagine"
        r" (?:that )?you(?: are|'re)|role-? ?play as|behave (?:like|as)|simulate)(?: now| no longer)?"
        rf"(?: an?| the| my)?(?: [\w-]+){{0,3}}? (?:{MODEL}\b|dan\b|unrestricted|jailbroken|uncensored"
        r"|(?:evil|amoral) \w+|linux terminal|in (?:developer|god|debug|admin|dan) mode)|\byou are (?:no"
        r" longer|not) bound by\b",
    ),
    rule(
        "impersonation",
        "now here point & on onward onwards & you your every all reply respond answer always only act"
        " speak call talk",
        r"\bfrom (?:now|here|this point) on(?:wards?)?,? (?:you (?:are|will be|must|shall|act)|(?:your"
        r"|every|all) (?:\w+ )?(?:answer|response|reply|name)|reply|respond|answer|always|only|act|speak"
        r"|call me|talk)\b",
    ),
)

ADDRESSED = (
    rule(
        "addressed",
        MODEL_WORDS,
        r"^\W*(?:(?:attention|dear|hey|hi|hello|note|message|notice|instructions?|important|directive"
        r"|reminder|request)(?: (?:to|for))?(?: (?:the|any|all|every|our))?(?: \w+)? )?"
        rf"(?:{MODEL}|assistant)s?(?: (?:reading|processing|summari[sz]ing)"
        rf" this\b[^:,]{{0,30}})?\s?[:,!]\s?\W*(?:{POLITE}[, ]+){{0,3}}{VERB}",
        verb=True,
    ),
    rule(
        "addressed",
        f"if instruction instructions note notes message notice directive attention & {MODEL_WORDS}",
        rf"\bif (?:you are|you're) (?:an? |the |any )?(?:\w+ )?{MODEL}\b"
        r"|\b(?:instructions?|notes?|message|notice|directive|attention) (?:to|for) (?:an?y? |the |all "
        r"|every"
        rf" |whichever )?(?:\w+ )?{MODEL}\b",
    ),
    rule(
        "addressed",
        f"you that which who & {MODEL_WORDS}",
        rf"\byou, (?:an? |the |my |our |dear )?(?:\w+ )?(?:{MODEL}|assistant|model|agent)\b|\b(?:the|any"
        rf"|every|an?|all) (?:\w+ )?(?:{MODEL}|model|assistant|bot|agent)s? (?:that|which|who)"
        r" (?:is |are |may be |will )?(?:read|process|summari[sz]|pars|answer|quot|see)(?:e?s|ing|e)?"
        r" (?:this|these)\b",
    ),
    rule(
        "addressed",
        "whoever whatever whichever anyone anything system program & this these",
        r"\b(?:whoever|whatever|whichever|any(?:one|thing)|(?:any|the|every) (?:system|program|software"
        r"|tool|machine)) (?:\w+ )?(?:that |which |who )?(?:is )?(?:summari[sz]|pars|process|quot"
        r"|translat|answer)(?:e?s|ing) (?:\w+ ){0,3}?(?:this|these) (?:text|page|document|mail|e-?mail"
        r"|message|file|content|line|note)s?\b[^.!?]{0,20}\b(?:must|should|shall|has to|have to|needs?"
        r" to|is to|please|will)\b",
    ),
    rule(
        "addressed",
        "assistant assistants model models agent agents bot ai llm & instruction instructions note"
        " message notice task request order orders reminder urgent important attention dear",
        r"^\W*(?:(?:new|urgent|important|further|special|secret|additional|private) )*(?:instructions?"
        r"|notes?|message|notice|task|request|orders?|reminder|urgent|important|attention|dear),?"
        rf"(?: (?:to|for))?(?: (?:the|any|all|every|my|our))?(?: \w+)? ?\b(?:{MODEL}|assistant|model"
        rf"|agent|bot)s?\b"
        r"(?: [^.:,!]{0,30})?[:,!]",
    ),
    rule(
        "addressed",
        "this & when while before after if & summarize summarizing summarise summarising answer"
        " answering process processing parse parsing asked quote quoting translate translating",
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
        rf"\b{_MUTE}\b(?: \w+){{0,3}}? {_TELL}\b (?:to )?(?:(?:any of )?(?:this|these|that|it|anything"
        rf"|about)\b[^.!?]{{0,30}} to )?(?:the {_USER}s?|the person you)\b"
        r"(?: (?:about|of|that|know|see|this|what|anything|these|the)|[.!,;:]|$)",
    ),
    rule(
        "secrecy",
        "user human reader operator asker & keep hide conceal without so",
        rf"\b(?:keep|hide|conceal)\b[^.!?]{{0,50}}\bfrom the {_USER}\b|\b(?:without|so that) the"
        rf" {_USER}(?:'s)? (?:\w+ ){{0,3}}?(?:knowing|noticing|knowledge|aware|know"
        r"|notice|suspect)",
    ),
    rule(
        "secrecy",
        f"{_MUTE_WORDS} & this these & instruction instructions prompt note order orders",
        rf"\b{_MUTE}\b(?: \w+){{0,2}}? (?:mention|reveal|disclos|acknowledg|quot|refer|repeat)(?:e|ing"
        rf"|ring)?"
        r"(?: to)? (?:(?:the )?(?:existence|content|presence|receipt)s? of )?(?:this|these) (?:hidden "
        r"|secret |\w+ )?(?:instructions?|prompt|note|orders?)\b",
    ),
    rule(
        "secrecy",
        "not don without never keep & mention mentioning quiet secret silent & it this",
        r"\band (?:then )?(?:do not|don't|never) (?:mention|reveal|disclose) (?:it|this)\b(?! (?:to|in"
        r"|on|at|until|if))|\bwithout (?:ever )?(?:mentioning|revealing|disclosing) (?:it|this)\b|\bkeep"
        r" (?:quiet|silent|secret) about (?:it|this)\b",
    ),
)

BAIT = (
    rule(
        "bait",
        "message note notice letter information & from & you",
        r"\b(?:message|note|notice|letter|information) from (?:me|\w+)\b[^.!?]{0,60}\bto you,",
    ),
    rule(
        "bait",
        "before & task tasks question questions query queries prompt prompts instruction instructions",
        r"\bbefore (?:you )?(?:can |may |are able to |will be able to |do |start |begin |proceed(?:ing)?"
        r" (?:to|with) |try to |attempt to )?(?:solve|solving|answer|answering|complete|completing"
        r"|respond to|responding to|continue with|finish|fulfil?l?|handle|help with|perform|work on"
        r"|summari[sz]e) (?:the|this|that|my|any) (?:\w+ )?(?:task|question|query|prompt"
        r"|instruction)s?\b(?: (?:that )?(?:i|the user|you|he|she|they)\b|,| above)",
    ),
    rule(
        "bait",
        "before & answer answering reply replying respond responding summarize summarise summarizing"
        " summarising finish finishing continue continuing go do",
        r"^\W*before (?:you )?(?:answer|reply|respond|summari[sz]|continu|finish|go on|do anything"
        r" else)(?:e|ing)?"
        rf"(?: (?:it|this|anything|that|here))?, (?:{POLITE}[, ]+){{0,3}}{VERB}",
        verb=True,
    ),
    rule(
        "bait",
        "to & task question request & must first need have",
        r"^\W*(?:in order )?to (?:finish|complete|continue|answer|solve|fulfil|fulfill) (?:the|this|that"
        r"|my|your) (?:\w+ )?(?:task|question|request|query),? (?:you|please) (?:must|have to|need to"
        r"|will have to|first)\b",
    ),
    rule(
        "bait",
        "user & wants wanted asked asks would changed longer needs",
        r"\bthe user (?:now |really |actually |also )?(?:wants|asked|asks|needs|would like) you to\b"
        r"|\bthe user (?:has|had) changed (?:his|her|their) mind\b",
    ),
    rule(
        "bait",
        "after once & task question request query",
        r"\b(?:after|once) (?:you (?:do|did|have done|are done with|'ve done|finish|complete)|doing"
        r"|completing|finishing) (?:that|this|it|so),? (?:you (?:can|may|should) )?(?:then )?(?:solve"
        r"|answer|continue|go on|resume)\b[^.!?]{0,30}\b(?:task|question|request|query)\b",
    ),
    rule(
        "bait",
        "developer developers creator creators administrator operator operators owner maker makers"
        " system openai anthropic user & this am m are from by as",
        r"\b(?:this is|i am|i'm|we are|message from|by order of|speaking as) (?:\w+ )?(?:your"
        r" (?:developers?|creators?|system administrator|administrator|operators?|owner|makers?|system)"
        r"|openai|anthropic|the user you are (?:helping|talking|assisting))\b",
    ),
    rule(
        "bait",
        "<information> </information> <important> </important> <urgent> </urgent>",
        r"^\W*</?(?:information|important|urgent)>",
    ),
)

# Read by ``injection``; the order does not matter.
TAKEOVERS: tuple[Rule, ...] = (*OVERRIDE, *IMPERSONATION, *ADDRESSED, *SECRECY, *BAIT)
