"""What newsletters call things, in the languages they are written in: "read more", "unsubscribe", "here".

Every pattern is held against ``plain`` text: case folded, without arrows, emoji and punctuation around it.
"""

# ruff: noqa: RUF001 - other languages have other letters

import re

_EDGE_PUNCTUATION = re.compile(r"^[\W_]+|[\W_]+$")
_WHITESPACE = re.compile(r"\s+")


def normalize(text: str) -> str:
    """Fold case and cut everything but letters and digits from both ends."""
    return _EDGE_PUNCTUATION.sub("", _WHITESPACE.sub(" ", text.replace("’", "'"))).casefold()


def _alternatives(patterns: str) -> str:
    """One alternative a line."""
    return "|".join(line.strip() for line in patterns.strip().splitlines())


def _whole_text_pattern(patterns: str) -> re.Pattern[str]:
    return re.compile(rf"\A(?:{_alternatives(patterns)})\Z")


def _substring_pattern(patterns: str) -> re.Pattern[str]:
    return re.compile(_alternatives(patterns))


READ_MORE = _whole_text_pattern(r"""
    (?:read|see|view|watch|listen|learn|find out|discover|get|show)(?: me)? more
    (?:read|see|view|watch|learn|find out|discover|get) more (?:about|on|here|at|in|from|over|now)\b.{0,40}
    more(?: (?:here|info|information|details|about .{1,25}|on .{1,25}))?
    (?:continue|keep) (?:reading|watching|listening)\b.{0,40}
    read (?:on|it|now|here|this|online|in full|article|post|story|in .{1,20}|at .{1,20}|via .{1,20})
    read (?:the |this )?(?:full|whole|entire|original)(?: (?:article|post|story|paper|text|report|interview))?.{0,20}
    read (?:the |this )(?:rest|article|post|story|paper|report|essay|interview|piece|announcement|guide)
    read (?:the |this )(?:rest|article|post|story|paper|report|essay|interview) (?:of|here|on|at|now)\b.{0,30}
    (?:view|see|open) (?:the )?(?:full )?(?:article|post|story|details|paper|project|thread)
    (?:watch|listen)(?: (?:now|here|it))?
    full (?:story|article|post|text|report|interview)(?: here)?
    (?:more )?details
    dive in
    go deeper
    check it out
    learn how
    \d+ ?-?min(?:ute)?s? read
    (?:点击|點擊)?(?:继续|繼續)?(?:阅读|閱讀|查看|了解|瞭解)(?:更多|全文|原文|详情|詳情|完整.{0,6}).{0,4}
    (?:继续|繼續)?(?:阅读|閱讀)
    更多(?:内容|內容|详情|詳情)?
    全文|详情|詳情|展开
    続きを(?:読む|見る)|続きはこちら|もっと(?:読む|見る)|詳しく(?:は|見る|読む)?.{0,6}|詳細.{0,8}
    記事(?:を|全文を)読む|全文を読む
    더 ?(?:읽기|보기|알아보기)|계속 ?읽기|자세히 ?(?:보기|알아보기)?|전문 ?보기|기사 ?보기
    weiter ?lesen.{0,15}|mehr (?:lesen|erfahren|dazu|infos?|informationen|details).{0,15}|mehr
    zum (?:artikel|beitrag|blog.{0,10})|jetzt (?:lesen|ansehen|anhören)|hier (?:weiter)?lesen
    (?:ganzen|vollständigen) artikel lesen
    lees (?:meer|verder|het .{1,20})|meer (?:lezen|weten|info)|verder lezen
    läs (?:mer|vidare|hela .{1,15})|læs (?:mere|videre)|les (?:mer|videre)|lue lisää|jatka lukemista
    lire (?:la suite|plus|l'article|le .{1,15})|en savoir plus|voir (?:plus|l'article)|(?:la )?suite
    (?:leer|ver|saber|conocer|lee|descubre) más.{0,10}|leer (?:el )?artículo.{0,10}
    (?:seguir|continuar|sigue) leyendo|más información
    ler? mais|leia (?:mais|o .{1,20}|a .{1,20})|continu(?:e|ar)(?: a)? l(?:endo|er)
    (?:saiba|ver|veja) mais|mais informações
    leggi(?: di più| tutto| l'articolo| ancora)?|continua(?: a leggere)?|scopri di più|per saperne di più
    citește mai (?:mult|departe)|află mai multe?|llegir més
    читать(?: далее| дальше| полностью| статью| ещё| еще)?|подробнее|узнать больше|далее
    читати (?:далі|більше)|докладніше
    czytaj (?:więcej|dalej|całość)|więcej|dowiedz się więcej|číst (?:dále|více|dál)|více
    čítať (?:ďalej|viac)
    pročitaj više|devamını oku|daha fazla(?:sı)?|διαβάστε (?:περισσότερα|τη συνέχεια)|περισσότερα
    tovább(?: olvasom)?|olvass tovább
    اقرأ المزيد|المزيد|ادامه مطلب|بیشتر بخوانید|קרא עוד|להמשך קריאה|המשך לקרוא|और पढ़ें|अधिक पढ़ें|อ่านต่อ
    baca selengkapnya|baca lebih lanjut|selengkapnya|đọc (?:tiếp|thêm)|xem thêm
""")
"""Links that lead on to what stands above them."""

GENERIC_TEXT = _whole_text_pattern(r"""
    here|this|that|it|these|those|links?|click here|right here|over here|read|see|watch|source|via|more|full
    (?:this|the|that|my|our|his|her|their|its) (?:\w+ )?(?:article|post|paper|link|one|video|thread|project)
    (?:this|the|that|my|our|his|her|their|its) (?:\w+ )?(?:book|piece|page|site|website|blog|report|study|story)
    (?:this|the|that|my|our|his|her|their|its) (?:\w+ )?(?:essay|repo|tool|podcast|episode|talk|tweet|guide)
    (?:this|the|that|my|our|his|her|their|its) (?:\w+ )?(?:tutorial|list|course|newsletter|event|interview)
    an? (?:article|post|paper|video|thread|project|book|report|study|talk|guide|interview|few|couple)
    blog|article|post|paper|pdf|video|code|github|website|site|slides|thread|tweet|demo|repo|podcast
    arxiv|docs
    (?:这|這|本|该|該|此)?(?:个|個|篇|本|里|裡|處|处|份|项|項)?(?:文章|链接|鏈接|連結|项目|專案|论文|論文|书|書|視頻|视频)
    (?:这|這|本|该|該|此)?(?:个|個|篇|本|份|项|項)?(?:网站|網站|報告|报告|博客|研究论文|代码|指南|教程)
    (?:这|這)(?:里|裡|个|個|篇)|此处|此處|点击这里|點擊這裡|(?:这|這|本|该|該|此)文|(?:这|這)篇.{0,4}文章|出处|来源|來源
    こちら|ここ|この記事|リンク|여기|링크|이 ?글
    hier|dieser artikel|ici|cet article|aqu[ií]|este artículo|este artigo|qui|questo articolo|tutaj|zde
    тут|здесь|сюда|ссылка|buraya|εδώ|هنا|כאן|यहाँ
""")
"""Link texts that say nothing about where they lead."""

SERVICE_TEXT = _substring_pattern(r"""
    \A.{0,25}\bunsubscrib(?:e|ing)?(?: (?:here|now|link|me|instantly|at any time))?\Z
    \A.{0,25}\bunsubscribe (?:from|or|and|via|to stop) .{1,40}\Z
    \A(?:click (?:here )?to )?opt[- ]?out\b.{0,20}\Z
    (?:view|open|read|see|display|trouble|click|load).{0,40}\bbrowser
    \A(?:in )?(?:your |a |the )?(?:web ?)?browser(?: version)?\Z
    (?:view|read|open|see|display)\b.{0,15}\bonline\b
    \A.{0,12}(?:web|online) version\Z
    view (?:this |it )?(?:email |issue )?(?:as a|on the) web
    (?:email|e-mail|mail|subscription|notification|communication) (?:preference|setting)s?
    manage (?:your |my )?(?:subscription|preference|email|account|notification)
    (?:update|change|edit) (?:your |my )?(?:profile|preference|email|subscription|details)
    preference cent(?:er|re)
    \Aforward(?: .{0,40})?\Z
    tell a friend|add (?:us|me) to your (?:address|contacts)|report (?:spam|abuse)
    \A.{0,6}(?:退订|退訂|取消订阅|取消訂閱|管理(?:订阅|訂閱)|更新(?:偏好|资料)).{0,4}\Z
    \A.{0,6}(?:网络|网页|網頁)?(?:浏览器|瀏覽器).{0,6}\Z
    在线(?:查看|阅读)|線上閱讀|转发给|轉寄
    配信停止|登録解除|購読(?:解除|停止)|ブラウザで(?:表示|見る|読む|開く|ご覧)
    수신 ?거부|구독 ?취소|브라우저(?:에서|로) ?.{0,6}(?:보기|열기)
    abmelden\Z|abbestellen|im browser (?:ansehen|anzeigen|öffnen|lesen|betrachten)
    (?:online|web)-?(?:version|ansicht)\Z
    désabonn|désinscri|(?:voir|lire|afficher|ouvrir|consulter|visualiser).{0,40}navigateur|version en ligne
    dar(?:s?e|me|te)? de baja|cancelar (?:la |mi |tu )?suscripci|desuscri
    (?:ver|abrir|visualizar|leer|lee|veja|visualize).{0,40}navegador
    cancelar (?:a |minha |sua )?(?:inscri|assinatura)|descadastr
    disiscri|annulla (?:l')?iscrizione|(?:visualizza|apri|leggi|vedi).{0,40}browser
    uitschrijven|afmelden|(?:bekijk|lees).{0,40}browser|webversie
    отписаться|отписка|(?:открыть|посмотреть|читать|смотреть).{0,30}браузере
    wypisz|zrezygnuj|(?:otwórz|zobacz).{0,30}przeglądarce
    avregistrera|avprenumerera|afmeld|(?:visa|öppna|vis|se|åpne).{0,30}(?:webbläsare|browser|nettleser)
    abonelikten|tarayıcı(?:da|nızda)|odhlásit|zobrazit v prohlížeči|peruuta tilaus|leiratkoz
""")
"""Links for the mail itself, not its matter: stop it, see it in a browser, pass it on."""

BOILERPLATE_TEXT = _whole_text_pattern(r"""
    (?:subscribe|sign ?up|register|join)(?: (?:now|here|today|free|for free|us|to .{1,40}))?
    (?:subscribe|sign ?up|register) for (?:the|our|free) .{1,30}
    subscribed|subscribers?|privacy(?: (?:policy|notice|statement))?|terms(?: (?:of|and|&) .{1,20})?
    cookies?(?: policy)?|legal(?: notice)?|imprint|disclaimer
    (?:contact|about|follow|support|hire|email|tell|ask)(?: (?:us|me))|contact|about|faq
    help(?: cent(?:er|re))?
    careers|we're hiring|let us know|feedback|(?:give|send) (?:us )?feedback|(?:hit )?reply
    take (?:the|our) survey
    (?:sponsors?|advertise|advertising|partner)(?: (?:us|with us|here|now|this .{1,15}|your .{1,15}))?
    (?:sponsor|advertise in) .{1,20}newsletter
    become an? .{0,15}(?:sponsor|member|patron|partner|supporter|subscriber)(?: .{1,20})?
    shop|store|merch(?:andise)?|our (?:shop|store)|buy (?:me|us) a coffee|tip jar|donate|patreon
    go (?:pro|paid|premium)|upgrade(?: (?:now|today|to .{1,20}))?
    (?:join|become)(?: (?:us|now|the (?:community|club|discord|slack)))?|members?(?:hip)?
    refer(?: (?:a friend|friends))?|referral.{0,20}|gift a subscription
    share(?: (?:this|via|on) .{0,30})?|like|restack|tweet(?: this)?|retweet|(?:leave a )?comments?
    \d+ comments?
    discuss|\d+ points?|hn|lobsters|reactions?|\d+
    past issues|archives?|all issues|previous (?:issue|edition)s?|next issue
    browse (?:all|the archive).{0,15}
    home ?page|home|website
    facebook|twitter|x|instagram|linkedin|youtube|tiktok|mastodon|bluesky|threads|telegram|discord|whatsapp
    pinterest|reddit|slack|rss|weibo|wechat|insta ?gram
    (?:我们的)?(?:订阅|訂閱)(?:链接|者|我们|本刊|列表)?|立即订阅|关注我们|關注我們|告诉我们|告訴我們
    反馈|反饋
    联系我们|聯絡我們|分享|转发|推特|脸书|微博|微信|隐私(?:政策|条款)?|隱私|条款
    (?:成为|成為)?(?:我们的)?(?:会员|會員|赞助商?|贊助商?|赞助我们)|广告合作|商务合作|店铺|商店|店鋪
    加入(?:我们|我們)(?:吧)?
    購読(?:する|はこちら)?|登録(?:する|はこちら)?|お問い合わせ|フォロー|プライバシー.{0,6}|공유
    구독(?:하기)?|문의
    (?:jetzt )?(?:abonnieren|anmelden)|folge(?:n sie)? uns|kontakt|impressum|agb
    datenschutz(?:erklärung|hinweis)?
    s'abonner|s'inscrire|contactez-nous|suivez-nous|partager|mentions légales|politique de confidentialité
    suscr[ií]bete|suscribirse|síguenos|contacto|compartir|privacidad|política de privacidade?|aviso legal
    inscreva-se|assine|siga-nos|compartilhar|iscriviti|seguici|condividi
    подписаться|подписка|поделиться|контакты|реклама|abonneer|inschrijven|zapisz się|udostępnij|prenumerera
    tilmeld|abone ol|paylaş
""")
"""Link texts of what surrounds the matter: subscribing, following, buying, paying, talking back."""

SPONSOR_LABEL = re.compile(
    _alternatives(r"""
    (?:this (?:issue|edition|newsletter|week.{0,20}) (?:is |was )?)?(?:sponsored|presented|brought to you) by\b
    sponsored(?: (?:post|content|link|message))?\Z
    (?:today's |our |this week's )?(?:sponsors?|advert(?:isement|orial)?|ads?|promoted|promotion)\Z
    partner content\Z
    paid (?:post|promotion)\Z
    (?:today's |our |this week's )?(?:sponsor(?:ed)?|promoted|advert(?:isement)?|ad)\s*[:：|–—-]
    (?:a (?:word|message) from|thanks to) \w
    (?:together with|in partnership with)\b
    anzeige\Z|werbung\Z|gesponsert|publicité\Z|sponsorisé|patrocinad[oa]|publicidade?\Z|sponsorizzato
    реклама\Z
    赞助商?(?:内容)?(?:\Z|[:：|])|广告\Z|推广\Z|本期由.{1,20}赞助|スポンサー|広告\Z|pr\Z|협찬|광고\Z
""")
)
"""The beginning of a heading or line that says that what follows was paid for."""

SPONSOR_TAG = re.compile(
    r"[(\[（【]\s*(?:sponsor(?:ed)?|ad|advert(?:isement)?|promoted|partner|赞助|广告|anzeige|pr)\s*[)\]）】]",
    re.I,
)
"""The mark of a paid title, as in "Title (Sponsor)"."""

BYLINE_WORDS = (
    r"(?:(?:written |words |story |text |article |posted |published )?by|von|par|por|di|door|av|af|przez|"
    r"от|автор|текст|autor(?:a|in|es)?|auteur|author|作者|撰文|著者|文|글|tác giả)"
)
"""Words before the name of an author."""

TITLE_AUTHOR_SEPARATOR = re.compile(
    rf"[\s,，(（·•|/—–-]*(?:{BYLINE_WORDS}|由|用|with|from|@)?[\s:：/／|·•—–-]*\Z", re.I
)
"""What may stand between a title and a link to its author."""

FOOTER_TEXT = _substring_pattern(r"""
    ©|\(c\) ?20\d\d|\bcopyright (?:20\d\d|\(c\))|all rights reserved|you(?:'re| are) receiving|you received this
    this (?:e-?mail|message) was sent|our mailing address|follow us
    关注我们|關注我們|感谢您(?:成为|的)|版权所有|diese e-?mail|sie erhalten diese|vous recevez
    has recibido|recibes este
    você (?:está )?receb|вы получили|配信され|받은 메일
""")
"""What the last part of a mail says of itself."""

CANONICAL_URL_LABEL = _whole_text_pattern(r"""
    原文(?:链接|鏈接|地址)?|original(?: (?:article|post|issue))?(?: url)?|canonical|permalink|online|archive
""")
"""A label in front of an issue's own address."""

BUTTON_VERB = re.compile(r"""(?x) \A(?:
    (?:get|download|register|try|start|watch|listen|buy|order|claim|book|explore|reserve|save|apply|vote|grab|play
    install|shop|join|view|see|learn|discover|take|check|read|go|rsvp|open|launch|jetzt|hier|télécharger
    découvrir
    |descargar|obtener|baixar|scarica|скачать)\b
    |立即|马上|点击)
""")
"""How the text of a button begins."""
