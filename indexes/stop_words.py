"""Words that say nothing of a text's subject, by language: the lexical index leaves them out.

Small on purpose. A word that is left out cannot be found, and BM25 weighs a frequent one at next to nothing
anyway; so words of time, place, amount and refusal stay in wherever a question may be about them.
"""

# "us", "no", "not" and the months are left in: the United States, refusals and dates are what people ask
# about.
_LISTS = {
    "en": """
    a about after again all also am an and any are aren't as at be because been before being both but by
    can can't cannot could couldn't did didn't do does doesn't doing don't during each either else ever
    for from further had hadn't has hasn't have haven't having he her here hers herself him himself his
    how however i i'd i'll i'm i've if in into is isn't it it'll itself its let me more most my myself
    neither nor of off on once one only onto or other our ours ourselves out over own shall shan't she
    should shouldn't since so some such than that the their theirs them themselves then there these they
    they'll they're they've this those though through thus to too under until up upon very was wasn't we
    we'd we'll we're we've were weren't what when where whether which while who whom whose why will with
    within without won't would wouldn't you you'd you'll you're you've your yours yourself
    """,
    "de": """
    ab aber als also am an ander andere anderem anderen anderer anderes auch auf aus bei beim bevor bin bis
    bist da dabei dadurch dafür daher dahin damit danach dann daran darauf darf darin darüber darum das dass
    davon dazu dein deine deinem deinen deiner deines dem den denen denn dennoch der deren derer des deshalb
    dessen desto dich die dies diese diesem diesen dieser dieses dir doch dort du durch dürfen ebenso ein
    eine einem einen einer eines er es etwa etwas euch euer eure eurem euren falls für gegen gibt hab habe
    haben hast hat hatte hatten hier hin ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres im in indem ins
    ist ja je jede jedem jeden jeder jedes jedoch jene jenem jenen jener kann kannst können könnte könnten
    man mein meine meinem meinen meiner meines mich mir mit muss musst müssen nach nachdem nämlich noch nun
    nur ob oder ohne schon sehr sei seid sein seine seinem seinen seiner seines seit selbst sich sie sind so
    sobald sofern sogar solche solchem solchen solcher soll sollen sollte sollten somit sondern sonst sowie
    sowohl über um und uns unser unsere unserem unseren unserer unter viel viele vielen vom von vor wann war
    waren warum was wegen weil welche welchem welchen welcher welches wem wen wenn wer werde werden wessen
    wie wieder will wir wird wirst wo wobei wodurch wofür woher wohin womit wovon wozu wurde wurden würde
    würden während zu zum zur zwar zwischen
    """,
    "fr": """
    à afin ai aie ait alors après as au aucun aucune aussi autre autres aux avais avait avant avec avez
    avoir avons ayant car ce ceci cela celle celles celui ces cet cette ceux chaque chez ci comme comment
    d dans de depuis des desquelles desquels dès doit doivent donc dont du durant elle elles en encore
    entre es est et étaient était étant été êtes être eu eux fait faire font furent fut grâce hors ici il
    ils j je l la là laquelle le lequel les lesquelles lesquels leur leurs lors lorsque lui m ma mais me
    même mêmes mes moi moins mon n ne ni nos notre nous on ont or ou où par parce pas pendant peut peuvent
    peux plus plusieurs pour pourquoi puis puisque qu quand que quel quelle quelles quels qui quoi s sa
    sans se selon sera serait seront ses si sinon soi soient soit sommes son sont sous suis sur t ta te
    tel telle telles tels tes toi ton toujours tous tout toute toutes très tu un une vers voici voilà vos
    votre vous vu y ça
    """,
    "es": """
    a al algo alguna algunas alguno algunos algún ambos ante antes aquel aquella aquellas aquellos aquí
    así aun aunque aún bajo bien cada casi como con contra cual cuales cualquier cuando cuanto cuyo cuya
    cuál cuáles cuándo cuánta cuántas cuánto cuántos cómo de debe deben del desde después donde dos
    durante dónde e el ella ellas ello ellos en entonces entre era eran es esa esas ese eso esos esta
    estaba estado estamos estar estas este esto estos está están estén fue fueron ha había habían hace
    hacer hacia han hasta hay he i la las le les lo los luego me mediante mi mientras mis misma mismo
    mismos muy más mí nada ni nos nosotros nuestra nuestras nuestro nuestros o os otra otras otro otros
    para pero poco por porque pues puede pueden puedo pueda que quien quienes quién quiénes qué se sea
    sean según ser será serán si sido siempre siendo sin sino sobre sola solo somos son soy su sus suya
    suyo sí sólo tal también tampoco tan tanto te tenemos tener tengo tenía ti tiene tienen toda todas
    todavía todo todos tras tu tus tú un una unas uno unos usted ustedes vosotros y ya yo él
    """,
    "it": """
    a abbia abbiamo ad agli ai al alla alle allo allora altra altre altri altro anche ancora avere aveva
    avevano avrà ben c che chi ci ciascun ciascuna ciascuno cioè ciò coi col come con contro cosa così cui
    d da dagli dai dal dalla dalle dallo degli dei del dell della delle dello dentro deve devo devono di
    dopo dov dove dovrà dunque durante e ecco ed egli era erano essa esse essendo essere essi esso fa fare
    fino fra fu furono già gli ha hai hanno ho i il in infatti io l la le lei li lo loro lui lungo ma me
    mediante mentre mi mia mie miei mio molto ne negli nei nel nell nella nelle nello noi nostra nostre
    nostri nostro o od ogni ognuno oltre oppure perché per perciò però più po poi poiché possa possano
    possiamo possono posso presso prima proprio può qual quale quali qualsiasi quando quanta quante quanti
    quanto quel quella quelle quelli quello quest questa queste questi questo qui quindi s sarà saranno se
    secondo sei sempre senza sia siamo siano siccome sino so solo sono sopra sotto sta stata state stati
    stato stesso su sua sue sugli sui sul sull sulla sulle sullo suo suoi t tale tali tanto te ti tra
    tramite tu tua tue tuo tuoi tutta tutte tutti tutto un una uno v vi viene vengono voi vostra vostre
    vostri vostro è
    """,
    "nl": """
    aan af al aldus alle alleen als alsof altijd andere anders ben bent bij bijna binnen boven daar daarbij
    daardoor daarin daarmee daarna daarom daaruit daarvan daarvoor dan dat de der deze dezelfde die dient
    dit doch doen door doordat dus echter een één eerst elk elke en enige enkele er ergens ervan even gaan
    geweest gij ging haar had hadden heb hebben hebt heeft hem hen het hier hierbij hierin hiervan hij hoe
    hoeveel hun iemand iets ik in indien is ja je jij jouw jouw jullie kan kon konden kun kunnen kunt maar
    me mede meer meest men met mij mijn moest moet moeten mogen na naar naast nadat nog nu of om omdat onder
    ons onze ook op over pas per sinds slechts steeds te tegen tenzij terwijl tijdens toch toe toen tot totdat
    tussen uit uw vaak van vanaf vanuit veel voor voordat vooral waar waarbij waardoor waarin waarmee
    waarom waarop waarvan waarvoor wanneer want waren was wat we weer wel welk welke werd werden wie wij wil
    worden wordt wordt ze zelf zich zij zijn zo zoals zodat zodra zou zouden zowel zulke zullen zult
    """,
    "pt": """
    a à ao aos aquela aquelas aquele aqueles aquilo as às assim até cada com como contra da das de dela
    delas dele deles depois desde dessa desse desta deste deve devem do dos durante e é ela elas ele eles em
    entre era eram essa essas esse esses esta estas este estes estou está estão eu faz fazer foi foram há
    isso isto já lhe lhes logo lo mais mas me mediante mesma mesmo meu meus minha minhas muito na nas nem
    nessa nesse nesta neste no nos nossa nossas nosso nossos num numa nós o onde os ou outra outras outro
    outros para pela pelas pelo pelos pode podem pois por porque portanto posso qual quais qualquer quando
    quanta quantas quanto quantos que quem quê se seja sejam sem sempre ser será serão seu seus seja sido
    sob sobre sua suas são só também tal te tem tendo tenho ter têm teu teus toda todas todo todos tu tua
    tuas um uma umas uns você vocês vos à é
    """,
    "sv": """
    alla allt att av blev bli blir bort både de dem den denna deras dess dessa det detta dig din dina ditt
    du där då efter ej eller en er era ett fast från för genom ha hade han hans har henne hennes hon honom hur
    här i in inom inte ja jag jämte kan kunde man med medan mellan men mer mig min mina mitt mot mycket
    ni nu någon något några när och också om oss på redan sedan sig sin sina sitt ska skall skulle som så
    sådan sådana till under upp ut utan vad var vara varför varit varje vars vart vem vi vid vilka vilken
    vilket är än åt över
    """,
    "da": """
    af alle alt anden at blev blive bliver da de dem den denne der deres det dette dig din dine disse dit
    dog du efter eller en end er et for fordi fra før ham han hans har havde have hende hendes her hos hun
    hvad hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor hvornår i ifølge ikke ind jeg jer jeres
    jo kan kunne man med meget mellem men mens mere mig min mine mit mod må ned nogen noget nogle nu når
    og også om op os over på samt selv sig sin sine sit skal skulle som sådan så til ud under var ved vi vil
    ville være været
    """,
    "no": """
    alle at av bare begge ble bli blir blitt både da de deg dem den denne der dere deres det dette din dine
    disse ditt du eller en enn er et ett etter for fordi fra før ha hadde han hans har hennes henne her hos
    hun hva hvem hver hvilke hvilken hvilket hvis hvor hvordan hvorfor i ifølge ikke inn jeg kan kunne man
    med meg mellom men mens mer min mine mitt mot må ned noe noen nå når og også om opp oss over på samme
    samt seg selv sin sine sitt skal skulle slik som så til ut uten under var ved vi vil ville vår våre være
    vært
    """,
    "fi": """
    ei eikä eivät ellei emme en ennen että ette hän he heidän hänen häntä itse ja joka jonka joita jotka
    jossa jolla jos joten jota koska kuin kuinka kuitenkin kun lisäksi me meidän mihin mikä miksi millä
    milloin minkä minun minä missä mistä miten mitä mitkä mukaan mutta myös ne niiden niin niitä nyt näiden
    nämä näin ole olen olet oli olivat olla on ovat se sekä sen siihen siinä sillä sinun sinä sitten sitä
    tai te tämä tämän tässä tätä vaan vai vain voi voivat voidaan
    """,
    "pl": """
    a aby albo ale ani bez bo był była było były by być czy czyli dla do gdy gdyby gdzie go i ich ile im
    inne inny innych ja jak jaka jaki jakie jako je jednak jego jej jest jeszcze jeśli już ją kiedy kto który
    która które którego której których którym którzy lub ma mają mi mnie może mogą można mój na nad nam nas
    nasz nasze nie nim niż o od on ona one oni oraz po pod ponieważ poza przed przez przy są się swoje swój
    ta tak także tam te tego tej ten to tu tylko tym tych u w we więc wszystko wszystkie z za ze że
    """,
    "ru": """
    а без более бы был была были было быть в вам вас ваш ваша вашего весь во вот все всё всего всех вы где
    да для до его ее её если есть еще ещё же за и из или им их к как какая какие какой какого когда кого
    который которая которое которые которого которой которых кто ли либо лишь между меня мне может могут
    можно мой моя мы на над нам нас наш наша не него нее неё ней нет ни них но о об однако он она они оно от
    по под после потому при про с свой своя свое своего себя со так также такой такие там те тем то того
    тоже той только том тот тут ты у уже чего чем что чтобы эта эти это этого этой этом этот этих я
    """,
}


STOP_WORDS = {language: frozenset(listed.split()) for language, listed in _LISTS.items()}
"""Language (ISO 639-1) -> its stop words in lower case, as they are spelled."""
