"""The forms of test_not_working: what customers write when something does not work, and what only sounds like it."""

ENGLISH = """
your app doesn't work
The app does not work.
app doesnt work at all
the app still won't work
my wifi isn't working
The internet is not working again
router ain't working
internet not working since 6am
My router has stopped working
the site stopped loading
The tv just quit working on me
your app no longer works
the site never works when I need it
wifi hardly works upstairs
The app barely functions
my router isn't functioning properly
The website isn't responding
your site does not respond
The app is broken
my screen broke after two days
app is broken AGAIN
The router died last night
my router is dead
internet has been dead since yesterday
The internet is down
internet down in Leeds
your site has been down all morning
The wifi went down again
broadband goes down every evening
our internet went out at noon
wifi keeps cutting out
The internet cuts out every ten minutes
my broadband keeps dropping
the wifi drops out constantly
Our tv has packed up
my router has conked out
The router gave up the ghost
my modem is fine but the router is playing up
The app is acting up today
The router is on the blink
my tv is on the fritz
The chat is out of order
The app keeps crashing
the app crashes every time I open it
App crashed three times today
the site freezes on the payment page
my screen froze again
The app just hangs
Your website keeps failing
the app fails to load
The app refuses to open
router refuses to connect
the app won't open
Site won't load
your website isn't loading for me
my router won't turn on
The router doesn't even switch on, won't power on
tv won't start since the storm
the wifi won't connect
my internet isn't stable
The router does nothing
app does absolutely nothing when I tap it
The site gives me an error
your app throws errors all day
the website shows a blank page
app error every single time
Your site is unavailable
the chat is offline
the site is unreachable from here
The app is completely unusable
The app is useless
the router is faulty
received a defective router
You sent me a faulty router
the wifi is flaky
my broadband is patchy
The internet is intermittent
internet on and off all day
the wifi is hit and miss
My app is stuck
the screen is frozen
this app is so glitchy
The website is buggy as hell
router is malfunctioning
my wifi went haywire
I can't use the app
Cannot open the app on my phone
I couldn't load your website
I am unable to access the site
can't get the app to work
cannot get my wifi working
I have no working internet
three days without a working router
having problems with my wifi
We have issues with the internet again
I'm having trouble accessing your website
the internet has been having problems all week
internet problems once more
something is wrong with the app
what's going on with your site
whats up with the wifi today
we lost our internet
lost wifi again
the app disconnects all the time
internet keeps buffering
The wifi is no longer available
""".strip().splitlines()

DUTCH = """
de app doet het niet
Internet doet het weer eens niet
mijn router doet het al dagen niet meer
app doet 't niet
Vandaag doet mijn internet het niet
sinds gisteren doet de wifi het niet meer
omdat de app het niet doet kan ik niks
als klant zeg ik: de site doet het nooit
mijn internet, dat het sinds maandag niet doet... de router die het niet doet
De router heeft het nooit goed gedaan, internet heeft het niet gedaan vandaag
De app doet niks
De router doet raar
de tv doet moeilijk
De app werkt niet
jullie site werkt niet
mijn wifi werkt al een week niet
App werkt niet meer sinds de update
de website werkte gisteren ook al niet
Waarom werkt de app niet
nu werkt mijn internet ook al niet
De app werkt voor geen meter
de wifi werkt slecht op zolder
het internet werkt nauwelijks
zo balen dat de app niet werkt
omdat internet weer niet werkte
mijn router heeft nog nooit gewerkt, nooit gewerkt
de router functioneert niet
De app laadt niet
De site laadt nooit
de app opent niet
mijn modem start niet op
De modem reageert niet
De website reageert nergens meer op, de site reageert niet
De wifi wil niet
verbinding is niet stabiel
de app is niet te gebruiken
de site is niet bereikbaar
internet is niet vooruit te branden
de router is niet aan de praat te krijgen
ik krijg de app niet aan de praat
Krijg de modem niet aan
krijg mijn internet niet werkend
de app is stuk
Mijn router is kapot
de modem is kaduuk
Het scherm is defect
een kapotte router gekregen
De site ligt plat
de site ligt eruit
internet ligt er weer uit
Vanmorgen lag de site alweer plat
internet ligt al uren plat
de website is uit de lucht
De site is down
Jullie app is offline
internet is weg
Nu is mijn internet alweer weg
De tv is uitgevallen
internet valt steeds uit
Internet viel gisteren alweer uit
de tv is gisteren uitgevallen
de wifi begint nu elke avond uit te vallen
omdat de tv telkens uitviel
elke avond dat internet uitvalt
De verbinding valt weg
steeds valt de verbinding weg
de verbinding is weggevallen
toen de verbinding weer wegviel
gisteren viel de tv zomaar uit
Het internet vliegt er steeds uit
De app klapt er telkens uit
de app loopt vast
De app liep gisteren weer vast
omdat de app vastloopt
mijn app is vastgelopen
Steeds loopt de app vast
het scherm zit vast
de app blijft vastlopen, de app loopt steeds vast
de app crasht
Elke keer crasht de app
de app is weer gecrasht
De wifi hapert
het internet hapert al de hele week
De app bevriest
De app weigert dienst
sinds de update weigert de app
De router laat het afweten
Nu laat de router het ook al afweten
mijn modem begeeft het
mijn router heeft het begeven
De modem gaf vannacht de geest
mijn router heeft de geest gegeven
mijn modem houdt ermee op
de router hield er vanochtend mee op, de modem is ermee gestopt
de modem is ermee opgehouden
De app geeft een foutmelding
steeds geeft de site een error
mijn tv geeft geen beeld
de modem geeft geen kik
internet storing in Almelo
alweer een storing met de wifi
Heb problemen met internet
altijd gedoe met die app
Ik kan de app niet openen
ik kan niet op de site
Kom niet in de app
al drie dagen zonder werkend internet
er is iets mis met de app
het gaat mis met de site
de site is onbereikbaar
de app is onbruikbaar
wifi is instabiel
""".strip().splitlines()

NOT_ENGLISH = """
the app works
The app works fine
my internet works like a charm now
Does the app work abroad?
does it work?
Will the site work on Windows 11?
Is the internet working in Leeds yet?
How does the app work?
Does your app work without wifi?
the internet is working again
The site is back up, thanks
the app is working perfectly
internet has never been down
my wifi never goes down
The router has never failed me
the app hasn't crashed once
never had a problem with the internet
no problems with the app
No issues with my wifi so far
I have had no trouble with the site
the internet hasn't stopped working since 2019
the app not only works, it flies
The router isn't broken
the app is not down
the site is not broken any more
if the app doesn't work I will let you know
what should I do if the internet is down?
I hope it helps unless the router is faulty
Hopefully the app works
whether the app is down I cannot tell
should the router break, call them
if my wifi stops working, who do I call?
my husband doesn't work on Mondays
I don't work for them
your colleague isn't working today
My car broke down on the way, love the app though
The plane was late, the app is lovely
I broke my leg and the site cheered me up
my phone is dead, so I use the site on my laptop
the lift is out of order but the internet is great
My dog died. Your app helped me.
the market crashed today
Great app, the price has dropped
Prices went down and the app is free
your fixed my broken router within an hour, and fixed the app
they replaced the faulty router the same day
you solved the problem with my internet, thank you
the app used to crash, not now
The app no longer crashes, brilliant update
the wifi no longer drops
I wouldn't work without this app
couldn't live without the app
I can't wait for the new app
can't fault the app
This app is a lifesaver
Nothing but praise for the site
the internet is fast and the tv is sharp
I read it on the site: trains are not running
we went out with the app and had fun
The screen is bright and the box is nice
Where can I find the app?
how do I turn the router off at night
please send me a router
my broadband contract ends in May
""".strip().splitlines()

NOT_DUTCH = """
de app werkt
De app werkt prima
mijn internet doet het weer
Internet doet het weer, dank!
Werkt de app ook in het buitenland?
doet het internet het al?
Werkt het?
Werkt de site ook op mijn telefoon?
Werkt de app ook als ik niet thuis ben?
Hoe werkt de app?
Doet de wifi het ook in de tuin?
de app crasht nooit
De app crasht niet meer
mijn internet valt nooit uit
Internet valt niet uit
de tv is nog nooit uitgevallen
mijn wifi hapert nooit
de router is niet kapot
de site is niet down
geen storing met internet hier
nooit problemen met de app
Geen problemen met internet gehad
nog nooit gedoe met de wifi gehad
zonder gedoe met de app
De app loopt nooit vast
de app werkt niet alleen snel maar ook mooi
de site was plat maar is weer in de lucht
internet viel uit maar doet het inmiddels weer, internet doet het weer
de storing met internet is opgelost
mijn kapotte router is vervangen
jullie hebben de router snel gerepareerd
De problemen met de app zijn verholpen
als de app niet werkt, laat ik het weten
wat moet ik doen als internet uitvalt
mocht het internet uitvallen, wie bel ik dan
Mocht de app niet werken, meld het dan
indien de router kapot is
tenzij de app crasht
stel de app crasht
als het internet er uit ligt
Mijn man werkt niet op maandag
ik werk niet bij jullie
de monteur werkt vandaag niet
mijn auto is kapot, gelukkig heb ik de app
De lift is stuk maar het internet is top
Het licht viel uit. De app bleef het doen.
mijn telefoon is stuk, dus gebruik ik de site
De trein viel uit, de app waarschuwde op tijd
mijn oma is gevallen, de app was handig
ik val uit mijn stoel, wat een mooie app
Kan niet zonder de app
ik kan niet wachten op de nieuwe app
Niks dan lof voor de site
de tv hangt aan de muur en het beeld is scherp
waar vind ik de app
Hoe zet ik de router 's nachts uit
stuur mij een nieuwe router
wat kost internet bij jullie
De prijs viel mee en de site is fijn
Het pakket viel op de grond, jullie site hielp
het internet is snel en de tv ook
de app is nooit weg
De website is overzichtelijk
de app is mooi, en mijn dochter wil niet slapen
""".strip().splitlines()
