"""Reads what a refusal means from the parts of its sentences, for wordings that no phrase knows.

A sense names what has to stand together in one sentence: a thing (tokens, a balance, a model) and what is said of it
(exceeded, used up, not allowed). Where a request may say the same words, more is needed: quoted texts are left out, and
a sentence about a field's form tells nothing. Codes are read as sentences, too: `insufficient_user_quota`.

Texts are in lower case; their first kilobyte is read. Every repetition is bounded, so a sense takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from capability_router.faults.evidence import ExceptionLink


def _one(listed: str) -> str:
    """Any of the alternatives, which stand in lines or are parted by " | "."""
    return "|".join(part.strip() for part in re.split(r"\n| \| ", listed) if part.strip())


class SentencePattern(NamedTuple):
    """A kind of fault, the parts of which each has to be in the sentence, and what must not be in it.

    `spread`: the parts may be in several sentences of a text.
    """

    kind: str
    parts: tuple[re.Pattern[str], ...]
    without: re.Pattern[str]
    spread: bool = False

    def of(self, sentence: str) -> bool:
        """Whether the sentence has this sense."""
        return all(part.search(sentence) for part in self.parts) and not self.without.search(sentence)


_FORM = r"""\bmust (?:not )?(?:be|have|contain|match|start|come|follow|include|only)\b
\bshould (?:not )?(?:be|have|exceed|match)\b | \bexpected\b | \b(?:does|do|did) not match\b | \bmissing\b
\bfield\b | \bschema\b | \bpattern\b | \$defs | response_format
\b(?:failed|could not|unable) to (?:parse|decode|deserialize) | \bnot (?:parse|decode)\b | \b(?:is|are) no\b(?! longer)
\binvalid (?:value|type|json|role|param\w{0,8}|arguments?|enum|format|body)\b
\bis not (?:of type|a list|a string|valid json) | \bparameters?\b | \barguments?\b | \bkeyword\b | \bmcp\b
\btool ['\"`] | 参数 | パラメータ"""
"""How a sentence speaks of the form of a request's field."""

_PER = r"""(?<![a-z])per (?:second|minute|hour|day) | (?<![a-z])[rt]p[smd](?![a-z])
每(?:秒|分钟|小时)"""
_INPUT = r"""(?<![\w.])(?:prompt|input|message|conversation|chat|history)s?(?![a-z_])
(?<![\w.])(?:request|text|query|document|dialogue)s?(?![a-z_])
\b(?:eingabe|anfrage|nachricht|unterhaltung|gespräch)(?:en)?\b | \b(?:entrée|requête|invite|texte)s?\b
\b(?:entrada|mensaje|solicitud|conversación|consulta|texto)(?:e?s)?\b
输入 | 提示 | 消息 | 请求 | 对话 | 会话 | 内容 | 文本
入力 | プロンプト | メッセージ | 会話"""
_TOKENS = r"""(?<![a-z_.])tokens?(?![a-z_]) | \bcontext\b | \bkontext\w{0,20} | \bcontexte\b
\bcontexto\b | \bjetons\b | \bsequence length\b
上下文 | コンテキスト | 文脈 | トークン"""
_TOO_LONG = r"""\b(?:too|this|so) (?:long|large|big|many)\b | \bzu (?:lang|groß)
\btrop (?:long|grand|volumineu) | 過長 | 过长 | 太长 | 过大
\bdemasiado (?:larg|grand|extens) | \bdemasiad[oa]s? larg | 超长
超長 | 長すぎ | 大きすぎ"""
_EXCESS = (
    _TOO_LONG
    + r"""
\bexceed\w{0,3}\b | \bsurpass\w{0,3}\b | \boverfl\w{1,6}\b | \bbeyond\b | \bover (?:the|its|this|your|a)\b
\bout ?of context\b | \b(?:longer|larger|greater|bigger|more|higher) than\b
(?:\bnot|n't|\bno longer|\bcannot) fits?\b | \bmore (?:\w{1,12} ){1,2}than\b
\b(?:smaller|shorter|fewer|less) than\b.{0,30}\b(?:prompt|input|messages|request)\b | \b(?:ran|run|running) out of\b
\bno (?:room|space)\b | > ?(?:[\w.]{1,20} ){0,2}\d
\b(?:limit|maximum|window) (?:\w{2,4} ){0,2}(?:reached|hit|full)\b | \büberschr\w{3,10} | \bzu viele
\bdépass\w{1,5} | \btrop de jetons | \bsuper(?:a|an|ó|ado|ada)\b | \bexced\w{1,4}\b | \bdemasiados tokens | 超过 | 超出
超限 | 过多 | 超え | 超過 | 多すぎ"""
)
_WINDOW = r"""\bcontext\b | \bwindow\b | \bsequence length\b | \bkontext\w{0,20} | \bcontexte\b
\bcontexto\b | 上下文 | コンテキスト"""
_FULL = r"""\breached\b | \bexhausted\b | \bconsumed\b | 已满 | \bfull\b | \bused up\b | \bend of\b
\b(?:smaller|shorter) than\b | \berreicht | \batteint | \bagotad | 达到 | 不足"""
_NO_OVERFLOW = (
    _PER
    + r"""
\brate\b | \bquota\b | \bbudget | \bcredits?\b | \bbalance\b | \boutput | \bcompletion | max_\w{0,20}tokens
\blogit | \bcharacters?\b | \bitems\b | \b(?:access|api|auth|bearer) token | \bstop\b | \bname\b | \bids?\b
\bdescription\b | \bkey\b | \bmetadata\b | \bfile\b | \bimage (?:size|dimensions|is|exceeds) | \btools?\b
\bfunctions?\b | \bschema\b | \btitle\b | \bbatch\b | \bstopp?w"""
)
_SIZE = r"""\blengths?\b | \bsizes?\b | \blänge\b | \blongueur\b | \blongitud\b | 长度 | 長さ"""
_LIMIT = r"""\bcontext (?:window|length|size)\b
\bavailable\b | \bmax\w{0,5}\b | \blimit\w{0,3}\b | \bat most\b | \bup to\b | \bonly\b
\ballow\w{0,3}\b | \baccepts?\b | \bhandles?\b | \bsupports?\b | \bholds?\b | \bpermitted\b | \bmaximal\b
\berlaubt\b | 最大 | 上限"""
_TWO_SIZES = r"""\d[\d,.]{2,12}\D{1,160}\d[\d,.]{2,12}"""
_AT_MOST = r"""\b(?:must|should|may|can)\b.{0,40}\b(?:fewer|less|shorter) than\b.{0,20}\d{3,9} tokens\b
\b(?:must|should|may|can)\b.{0,40}\b(?:at most|no more|exceed|up to)\b.{0,20}\d{3,9} tokens\b"""

_RATE = r"""\brate[ -]?limit\w{0,3}\b | \brequest (?:limit|rate) | \brate cap\b | ratenlimit
anfragelimit | レート制限 | リクエスト数 | 速率限制 | 频率 | \blimite de (?:débit|requêtes)
\blímite de (?:velocidad|solicitudes|peticiones|tasa)"""
_HIT = r"""\bexceed\w{0,3}\b | \breach\w{0,2}\b | \bhit\b | \bover\b | \btoo\b | \bslow\b | \bwait\b
\blimit(?:s|ed)?\b | \bmaximum\b | \bexhausted\b | \büberschr\w{3,10} | \berreicht\b | \bdépass\w{1,5} | \batteint
\bsuper(?:a|ó|ado|ada)\b | \bexced\w{1,4}\b | \balcanzad | 超 | 过高 | 过快 | 达到 | 上限 | 限制"""
_OFTEN = r"""\btoo many (?:\w{1,12} ){0,2}(?:requests|calls|connections)\b | \bslow(?:ing)? down\b
\bthrottled\b | \brate[ -]?limited\b | \brequests? (?:\w{1,8} ){0,2}too (?:quickly|fast|often|frequently)
\bzu viele anfragen | \btrop de requêtes | \bdemasiadas (?:solicitudes|peticiones) | \btoo (?:fast|quickly)\b
(?:过于|太|请求|操作)频繁 | 频繁(?:请求|操作|调用) | 请求过多 | リクエスト(?:数)?が多すぎ"""
_BATCH = r"\bbatch\b"
_FREQUENT = (
    _PER
    + r"""
\bconcurren\w{1,4} | \bparallel requests | \bsimultaneous\b | 并发"""
)

_FUNDS = r"""(?<![a-z_])credits?(?![a-z_]) | \bbalance\b | \bwallet\b | \bfunds\b | \bmoney\b
\bguthaben\b | \bsolde\b | \bcrédits?\b | \bcréditos?\b | \bsaldo\b | \bfondos\b | 余额 | 欠费 | 残高
クレジット"""
_MONEY = (
    _FUNDS
    + r"""
\bquotas?\b | \bbilling\b | \bpayments?\b | \binvoices?\b | \bsubscription\b | \bbudget\b | \ballowance\b
\bspend(?:ing)?\b | \b(?:free|paid) (?:trial|tier)\b | \btrial\b | \bkontingent\w{0,2} | \bcuota\b | 额度 | 配额 | 套餐
クォータ | 利用(?:枠|上限|限度) | \b(?:monthly|weekly|usage) (?:\w{1,12} )?limit\b
\bmonatliche\w? limit | \blimite mensuel
\blímite mensual"""
)
_SPENT = r"""\binsufficient\b | \bnot enough\b | \bexhaust\w{1,3}\b | \bdeplet\w{1,3}\b
\bused (?:up|all)\b | \bconsumed\b | \bout of\b | \b(?:run|ran) out\b | \bempty\b | \btoo low\b | \bnegative\b
\bno (?:\w{1,12} ){0,2}(?:credits?|balance|funds|payment)\b | \bcredits left\b | \baufgebraucht\b | \berschöpft
\bausgeschöpft | \breicht nicht | \bnicht ausreich | \bkein\w{0,2} guthaben | \bnicht genügend | \bpas assez
\binsuffisant | \bépuisé | \bplus de crédits | \binsuficiente | \bagota(?:d|r) | \bno hay
\bsin (?:saldo|créditos|fondos) | \bleer\b | \bno (?:le |te )?quedan | ありません
不足 | 用尽 | 用完 | 耗尽 | 欠费 | 为零 | 使い切 | 使い果 | 足りません | 枯渇"""
_LACKS = (
    _SPENT
    + r"""
\bspent\b | \bexpired\b | \bended\b | \bexceed\w{0,3}\b | \breached\b | \boverdue\b | \bunpaid\b | \bpast due\b
\bpurchase\b | \badd (?:funds|credit) | \bnot (?:enabled|active)\b | \binactive\b | \bclosed\b | \bdeclined\b | \bgone\b
\bhit\b | \binvalid subscription\b | \bquota failed\b | \bno (?:active |valid )?subscription | \büberschritten\b
\bdépassé | \batteint | \bsuperad | \bexcedid | 超出 | 上限 | 超過 | 達し"""
)
_REFILL = r"""\b(?:recharge|top[ -]up)\b.{0,30}\b(?:account|balance|wallet|credits?)\b | \barrears\b
充值 | 欠费 | \baufladen\b | \brecharger votre"""
_NO_MONEY = (
    _PER
    + "\n"
    + _FORM
    + r"""
\b(?:thinking|reasoning|token|context) budget"""
)

_MODEL = r"""(?<![\w.:-])models?(?![\w.:]\w) | (?<![\w.-])deployment\b(?!/) | \bmod(?:ell|èle|elo)s?\b
模型 | モデル
(?:foundation-model|imported-model|custom-model(?:-deployment)?|provisioned-model|inference-profile|endpoint)/\w"""
_REFUSED = r"""(?:\bnot|n't) (?:been |currently ){0,2}(?:accessible|authori[sz]ed|allowed|permitted|entitled|approved)\b
(?:\bnot|n't) (?:been |currently ){0,2}(?:included|part of|available|enabled|activated|offered)\b
\bno (?:access|permission)\b | \bnot have (?:access|permission)\b | n't have (?:access|permission)\b
\black\w? (?:access|permission) | \bdenied\b | \bforbidden\b | \brestricted\b | \bgated\b | \bblocked\b
\baccess\b.{0,40}\brevoked\b | \b(?:cannot|can't|can not|may not) (?:access|use|call|invoke)\b
(?:not|n't) (?:include|cover)
\brequires? (?:\w{1,12} ){0,3}(?:subscription|upgrade|plan|approval|access|tier|pro)\b | \bupgrade\b
\b(?:subscription|upgrade|plan|approval|access|tier) (?:is |are )?(?:required|needed)\b
\bonly (?:available|for|open)\b | \bfor (?:\w{1,12} ){0,2}(?:customers|users|subscribers|members|plans?) only\b
\b(?:nicht (?:berechtigt|erlaubt|freigeschaltet|verfügbar)|gesperrt)\b | \bkeine berechtigung | \bkeinen? zugriff
\b(?:pas (?:autorisé|accès|disponible)|refusé) | \bno (?:está )?(?:autorizad|disponible|tiene (?:acceso|permiso))
无权 | (?:没有|无).{0,20}权限 | 权限不足 | 不允许 | 未开通 | 不支持 | 未授权 | 无法访问 | アクセス権 | 許可されて"""
_DENIES = r"""\b(?:not|no|must|never|cannot|only|needs?|requires?)\b
\b(?:locked|limited|reserved|unavailable|disabled|without)\b
n't\b"""
_NO_ONE_MODEL = r"""\baccount (?:is |was |has been )?(?:not active|suspended|disabled|locked|deactivated|banned)\b
\bscopes?\b"""
_WHO = r"""\byou\b | \byour\b
\b(?:key|token|account|user|organi[sz]ation|team|project|plan|tier|subscription|caller)s?\b | 令牌 | 账户 | 套餐"""
_ALL_MODELS = r"""\b(?:any|all|no) (?:of (?:the|these) )?models?\b | \blist models\b
\bmodel (?:api|server|service)\b | \bchoose a model\b"""
_LOST = r"""(?:\bnot|n't) (?:be |been |currently ){0,2}(?:found|exist|recogni[sz]ed|known|offered|available)\b
(?:\bnot|n't) (?:be |been |currently ){0,2}(?:enabled|deployed|servable|activated)\b
\bno longer\b | \bobsolete\b | \bretired\b | \bdeprecated\b | \bdecommissioned\b | \bdiscontinued\b | \bsunset\b
\bshut ?down\b | \bremoved\b | \bend[ -]of[ -](?:life|service|support)\b | \bunknown\b | \bunavailable\b"""
_GONE = (
    r"(?<![\w.:-])(?:models?|deployment)(?![\w.:]\w)[^!?]{0,120}?(?:"
    + _one(_LOST)
    + ")"
    + r"""
\b(?:no|unknown|unrecogni[sz]ed|unavailable) (?:such )?(?:model|deployment)\b
(?:\bnot|n't|\bcannot|\bunable to) find (?:\w{1,10} ){0,2}model\b
\bno longer (?:serve|offer|host|support)\w? (?:\w{1,10} ){0,2}model\b | 模型.{0,40}(?:不存在|下线|停用|未开通|不可用)
モデル.{0,40}(?:存在しません|見つかりません) | \bmodell\b.{0,60}(?:nicht gefunden|existiert nicht)
\bmodèle\b.{0,60}(?:introuvable|n'existe pas) | \bmodelo\b.{0,60}(?:no existe|no (?:se )?encontr)"""
)
_OF_MODEL = (
    r"""\b(?:for|with|by|on|from|of|using) (?:the |this |that |your |selected |requested |chosen ){0,2}model\b"""
)

_HARM = r"""(?<!case-)(?<!case )\bsensitive\b | \binappropriate\b | \bharmful\b | \bunsafe\b
\bprohibited\b | \bmoderat(?:ion|or)\b | \bsafety\b
\b(?:content|usage|use|community) (?:polic(?:y|ies)|guidelines|rules)\b | \bguardrails?\b | \bcensor\w{0,4}\b
\bnsfw\b | \bhateful\b | 敏感 | 违规 | 违禁 | 不安全 | 不当 | 审核 | 審査 | 不適切"""
_FOUND = r"""\bblocked\b | \brejected\b | \bflagged\b | \bviolat\w{1,5}\b | \bdetect\w{0,3}\b
\btrigger\w{0,3}\b | \brefused\b | \bfiltered\b | \bcontains?\b | \bincludes?\b | \bfailed\b | \bintervened\b
\bwithheld\b | \bcensored\b | \bagainst\b | \bfound\b | 包含 | 触发 | 含有 | 含まれ | 违规"""
_NO_HARM = (
    _FORM
    + r"""
\bsettings\b | \bcategory\b | \bidentifier\b | \bthreshold\b | \baccount\b | \borgani[sz]ation\b | 账户 | 账号"""
)

_BUSY = r"""\b(?:temporarily|currently|momentarily) (?:unavailable|overloaded|busy|down|not available)\b
\boverloaded\b | \bat capacity\b
\b(?:server|service|system|engine|model|backend|worker|provider)s? (?:is |are )?(?:too |currently )?busy\b
\b(?:heavy|high|peak) (?:load|demand|traffic)\b | \bno (?:free |available |spare )?capacity\b
\bcapacity (?:is |was |has been )?(?:exhausted|exceeded|reached|full)\b | \b(?:warming|starting) up\b
繁忙 | 负载过高 | 混み合 | 混雑 | \büberlastet | \bsurchargé | \bsobrecargad"""
_BROKE = r"""\binternal (?:server )?(?:error|failure|exception)\b | \bunexpected (?:server )?error\b
\bserver error\b | \bsomething went wrong\b | \bunhandled exception\b
\b(?:upstream|backend)\b.{0,40}\b(?:error|failed|failure|malformed|exception|crashed|unreachable)\b
内部错误 | 服务器错误 | 内部エラー | \binterner fehler | \berreur interne | \berror interno"""

_KEY = r"""\bapi[ _-]?(?:key|token)s?\b
\b(?:access|bearer|auth|authentication|authori[sz]ation|your) token\b | \bcredentials?\b | \bauthentication\b
\b(?:your|secret) key\b | 密钥 | 令牌 | api ?キー | \bapi-?schlüssel | \bclé (?:d')?api | \bclave (?:de )?api"""
_BAD = r"""\binvalid\b | \bexpired\b | \brevoked\b | \bdisabled\b | \bincorrect\b | \bwrong\b
\bunknown\b | \bfailed\b | \brejected\b | \bnot (?:be )?(?:valid|verified|recogni[sz]ed|found|authenticated)\b
\bdeactivated\b | \bdeleted\b | \bleaked\b | 无效 | 失效 | 过期 | 無効 | \bungültig | \babgelaufen | \binvalide\b
\bexpirée?\b | \binválid[ao]\b | \bcaducad"""

_PARTS = r"""images? | vision | audio | video | files? | documents? | pdfs? | tools? | functions? | json | media
structured | stream\w{0,3} | multimodal
(?:tool|function)[- ]call\w{0,3} | system (?:messages?|prompts?|role) | logprobs | reasoning | thinking
temperature | seed | top_\w{1,9} | modalit\w{1,3}"""
_PART = r"(?<![\w./-])(?:" + _one(_PARTS) + r""")(?![\w/-]) | 图片 | 图像 | 工具 | 画像 | 音声"""
_ABILITY = r"""\b(?:images?|vision|audio|video|multimodal|(?:function|tool)[- ]calling|json_schema|streaming)\b
图片 | 图像 | 画像 | 音声"""
_OFF = r"""(?:\bnot|n't) (?:accepted|available|enabled|implemented)\b | \bdisabled\b | 不支持"""
_UNABLE = r"""\b(?:cannot|can't|can not|unable to|not able to|doesn't|does not|has no|have no|lacks?)\b
\bonly (?:takes?|accepts?|handles?)
(?:\bnot|n't) (?:be )?(?:accepted|available|enabled|permitted|allowed|used|possible|implemented)\b | \bdisabled\b
\bunavailable\b | 不支持 | 対応して"""
_SERVED = r"""\bmodel\b | \bdeployment\b | \bendpoint\b | (?<!\w)[\w./:-]{1,40}\d{1,4}b\b | 模型 | モデル"""
_NO_PART = (
    _FORM
    + r"""
\bdownload | \bdecod | \bfetch | \bcorrupt"""
)


def _sense(kind: str, *parts: str, without: str = _FORM, spread: bool = False) -> SentencePattern:
    return SentencePattern(kind, tuple(re.compile(_one(part)) for part in parts), re.compile(_one(without)), spread)


_SPENT_UP = _sense("quota_exhausted", _FUNDS, _SPENT, without=_NO_MONEY)
_NO_MODEL = "\n".join((_FORM, _ALL_MODELS, _PART))
_NO_MODEL_AT_403 = "\n".join((_NO_ONE_MODEL, _ALL_MODELS, _PART))  # a 403 is not about the form of a field
_REFUSED_MODEL = _sense("not_found", _MODEL, _REFUSED, without=_NO_MODEL)
_DENIED_MODEL = _sense("not_found", _MODEL, _REFUSED + "\n" + _DENIES, without=_NO_MODEL_AT_403)
_REFUSED_CALLER = _sense("not_found", _MODEL, _REFUSED, _WHO, without=_NO_MODEL)
_FILTERED = _sense("content_filtered", _HARM, _FOUND, without=_NO_HARM)
_OVERFLOWS = tuple(
    _sense("context_overflow", *parts, without=_NO_OVERFLOW)
    for parts in (
        (_TOKENS, _EXCESS),
        (_INPUT, _TOO_LONG),
        (_INPUT, _SIZE, _EXCESS),
        (_INPUT, _AT_MOST),
        (_WINDOW, _FULL),
        (_INPUT, r"\bexceeds?\b", r"\bmodel\b"),
    )
)
_TWO_COUNTS = _sense("context_overflow", _TOKENS, _LIMIT, _TWO_SIZES, without=_NO_OVERFLOW, spread=True)
_BAD_KEY = _sense("auth", _KEY, _BAD)
_CALLER = (
    _BAD_KEY,
    _FILTERED,
    _sense("rate_limited", _RATE, _HIT),
    _sense("rate_limited", _OFTEN, without=_FORM + "\n" + _BATCH),
    _sense("rate_limited", _FREQUENT, _HIT),
    *_OVERFLOWS,
    _TWO_COUNTS,
    _sense("quota_exhausted", _MONEY, _LACKS, without=_NO_MONEY),
    _sense("quota_exhausted", _REFILL, without=_NO_MONEY),
)
_SERVER = (_sense("overloaded", _BUSY), _sense("server_error", _BROKE))
_UNSUPPORTED = (
    _sense("unsupported", _PART, _UNABLE, _SERVED, without=_NO_PART),
    _sense("unsupported", _ABILITY, _OFF, without=_NO_PART),
)
_GONE_MODEL = _sense("not_found", _GONE, without="\n".join((_FORM, _OF_MODEL, _NO_ONE_MODEL)))
_SENSES: dict[int, tuple[SentencePattern, ...]] = {
    **dict.fromkeys((400, 422), (*_CALLER, *_SERVER, *_UNSUPPORTED, _GONE_MODEL, _REFUSED_CALLER)),
    401: (_BAD_KEY, _REFUSED_MODEL),
    403: (*_CALLER, _DENIED_MODEL, *_SERVER, *_UNSUPPORTED, _GONE_MODEL),
    429: (_SPENT_UP,),
    451: (_FILTERED,),
}
_READ = 1024  # characters of a text: what happened is said first
_QUOTES = re.compile(
    r"(?<!\w)'(?P<a>(?:[^'\n]|'(?=\w)){0,400})'(?!\w)|\"(?P<b>[^\"\n]{0,400})\"|`(?P<c>[^`\n]{0,400})`"
    r"|[“„](?P<d>[^“”\n]{0,400})[“”]|«(?P<e>[^»\n]{0,400})»|「(?P<f>[^」\n]{0,400})」"
)
_NAME = re.compile(r"[\w.:/@\[\]-]{1,80}", re.ASCII)
_LINK = re.compile(r"https?://[^\s)]{1,300}")
_ENDS = re.compile(r"[.!?](?=\s|$)|[。！？\n]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def kind_by_sentences(link: ExceptionLink) -> str:
    """The kind of fault that an answer's sentences and codes mean; "" if they tell nothing."""
    senses = _SENSES.get(link.status or 0, ())
    if not senses:
        return ""
    texts = tuple(dict.fromkeys(_told(link)))
    sentences = tuple(dict.fromkeys(part.strip() for text in texts for part in _ENDS.split(text)))
    return next((sense.kind for sense in senses if any(map(sense.of, texts if sense.spread else sentences))), "")


def _told(link: ExceptionLink) -> Iterator[str]:
    for text in link.texts:
        own = (text.partition("{")[0] if link.bodies else text)[:_READ]  # the body has texts of its own
        yield _QUOTES.sub(_named, _LINK.sub("", own))
    for code in link.codes:
        yield _HUMP.sub(" ", code).lower()


def _named(quoted: re.Match[str]) -> str:
    """A quoted name as it is; nothing of other quoted text, which may be the request's."""
    inner = quoted[quoted.lastgroup or 0]
    return inner if _NAME.fullmatch(inner) else " "
