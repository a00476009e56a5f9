"""Words that turn a statement round when one stands for the other: a plain list of English."""

from functools import cache

_OPPOSITES = """
increase increased increases increasing rise rises rose risen rising grew grow grows grown growing growth up
  climbed gained improved higher / decrease decreased decreases decreasing fall falls fell fallen falling
  shrank decline declined declines declining down dropped drop drops reduced reduction lost worsened lower
before prior preceding / after following
above over exceeding exceeds exceeded more-than / below under less-than fewer-than
more greater higher larger longer bigger most / less fewer lower smaller shorter least
minimum at-least / maximum at-most up-to
allow allows allowed permit permits permitted may can / forbid forbids forbidden prohibit prohibits prohibited
  banned disallowed
include includes included including / exclude excludes excluded excluding except excepting
approve approves approved approval accept accepts accepted acceptance agree agreed / reject rejects rejected
  rejection refuse refuses refused refusal denied deny denies declined disagree disagreed
mandatory compulsory required must shall obligatory necessary / optional voluntary may unnecessary
internal internally / external externally
first earliest initial beginning / last latest final end
open opens opened opening / close closes closed closing shut
paid / unpaid
always / never sometimes rarely seldom
often frequently usually / rarely seldom
valid / invalid expired
enable enables enabled / disable disables disabled
profit profits gain gains gained surplus / loss losses lost deficit
buy buys bought purchase purchased purchases / sell sells sold sale
employer employers / employee employees
gross / net
start starts started begin begins began begun starting beginning launched / end ends ended ending finish
  finished finishes stop stops stopped ceased concluded
early earlier earliest sooner / late later latest
old older oldest / new newer newest young younger youngest
high highest upper top maximum / low lowest lower bottom minimum
largest biggest longest tallest greatest / smallest shortest least
long / short
big large major / small minor little
majority / minority
best better / worst worse
good positive positively / bad negative negatively
strong stronger strength / weak weaker weakness
public publicly / private privately
inside within indoors / outside outdoors
north northern northwards / south southern southwards
east eastern eastwards / west western westwards
northeast northeastern / southwest southwestern
northwest northwestern / southeast southeastern
left / right
front / back rear
win wins won winning winner victory / lose loses lost losing loser defeat
success successful successfully succeed succeeded succeeds / failure unsuccessful fail failed fails
add adds added / remove removes removed deleted
join joins joined joining enter entered / leave leaves left leaving quit exited
arrive arrives arrived / depart departs departed
import imports imported / export exports exported
asset assets / liability liabilities
income revenue revenues / expense expenses cost costs
credit credits / debit debits
debt / equity
borrow borrowed borrower / lend lent lender
current currently present / former formerly previous previously past
same identical equal / different differing unequal
similar alike / dissimilar unlike different
legal legally lawful / illegal illegally unlawful
possible / impossible
likely / unlikely
able / unable
true / false
right correct correctly / wrong incorrect incorrectly
male man men boy husband father son brother king he / female woman women girl wife mother daughter sister
  queen she
parent parents / child children
day / night
hot warm / cold cool
wet / dry
full / empty
fast faster quick quickly / slow slower slowly
easy easily simple / difficult hard complex
safe safely / dangerous unsafe
rich wealthy / poor
cheap cheaper inexpensive / expensive costly
domestic national / foreign international
local / remote global
temporary temporarily / permanent permanently
partial partially partly / complete completely full fully entire entirely
direct directly / indirect indirectly
active / inactive passive
alive living lived / dead died
birth born / death died
friend ally allies / enemy enemies
love loved loves / hate hated hates
encourage encourages encouraged / discourage discourages discouraged
support supports supported / oppose opposes opposed
attack attacked / defend defended
attract attracts / repel repels
expand expands expanded expansion / contract contracted contraction
appear appears appeared / disappear disappears disappeared vanished
create creates created built / destroy destroys destroyed demolished
connect connected / disconnect disconnected
lock locked / unlock unlocked
visible / invisible hidden
known / unknown
common / rare uncommon
single / multiple double married
simultaneously together / separately apart
horizontal horizontally / vertical vertically
input / output
supply / demand
supplier vendor seller / customer buyer
landlord / tenant
teacher / student
doctor / patient
plaintiff / defendant
guilty / innocent
voluntary / involuntary
manual manually / automatic automatically
upstream / downstream
ascending / descending
urban / rural
ancient / modern
rough / smooth
thick / thin
wide / narrow
deep / shallow
heavy / light
dark / light bright
solid / liquid
inhale / exhale
acidic acid / alkaline alkali
northernmost / southernmost
easternmost / westernmost
favorable favourable favorably favourably / unfavorable unfavourable adverse adversely unfavorably
exceed exceeds exceeded / miss missed
extend extends extended / shorten shortened
accelerate accelerated / slow slowed delayed
hire hired hires / fire fired dismissed
appoint appointed / dismiss dismissed removed
send sends sent / receive receives received
give gives gave given / take takes took taken
push / pull
ascend ascended / descend descended
agree agreed agrees / disagree disagreed disagrees
confirmed confirm confirms / denied deny denies
without / with
neither / both
fixed / variable
written / oral verbal
primary / secondary
senior / junior
superior / inferior
prevent prevents prevented / cause causes caused
"""
# One may stand for several of the other, never the other way: "some" follows from "all".
_ONE_WAY = """
all every each always entirely everyone everything only / some many most several few usually often sometimes
  generally typically normally frequently mostly partly almost nearly primarily largely mainly
will must shall / may might could should can
certainly definitely / possibly probably perhaps likely
"""
HEDGES = frozenset(
    """may might could possibly perhaps probably presumably allegedly reportedly supposedly likely unlikely
    believed alleged claimed supposed thought rumored rumoured speculated purportedly apparently expected
    expects expect potentially""".split()
)
SOFT = HEDGES | frozenset(
    """can can't cannot couldn't would should seem seems seemed appear appears indicate indicates some
    sometimes often usually generally typically possible potential uncertain unclear tend tends must not
    never no""".split()
)
"""Words of a claim that leave it open as a hedge does, or negate it."""
_PREFIXES = ("un", "non", "dis", "in", "im", "ir", "il", "mis")
_MIN_ROOT = 5  # letters: "come" is no opposite of "income"
_NO_OPPOSITE = frozenset("cover covered covers count counted counts strict tribute charge charged".split())


@cache
def _index() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in _lines(_OPPOSITES):
        one, other = (side.split() for side in line.split("/"))
        for said, meant in ((one, other), (other, one)):
            for word in said:
                found.setdefault(word, set()).update(meant)
    return {word: frozenset(others) for word, others in found.items()}


def _lines(listed: str) -> list[str]:
    """Return the entries: a line that begins with a blank goes on with the one before."""
    return [line for line in listed.strip().replace("\n  ", " ").split("\n") if line]


def _one_way() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in _lines(_ONE_WAY):
        firm, weak = (frozenset(side.split()) for side in line.split("/"))
        found |= dict.fromkeys(firm, weak)
    return found


FIRMER = _one_way()


def sides(word: str) -> frozenset[str]:
    """Return the listed opposites of a word in lower case; none for most."""
    return _index().get(word, frozenset())


def negative_of(word: str) -> frozenset[str]:
    """Return what the word would be with a negating prefix, or without the one it has."""
    bare = {
        word.removeprefix(prefix)
        for prefix in _PREFIXES
        if word.startswith(prefix) and len(word) - len(prefix) >= _MIN_ROOT
    }
    made = {prefix + word for prefix in _PREFIXES} if len(word) >= _MIN_ROOT else set()
    return frozenset(made | bare) - _NO_OPPOSITE
