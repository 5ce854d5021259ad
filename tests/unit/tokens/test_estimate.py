"""The estimate against a real vocabulary, on texts that it was not fitted on, and what holds for every text."""

from __future__ import annotations

import base64
import inspect
import json
import random
from collections.abc import Callable
from importlib.resources import files
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.tokens import estimate
from capability_router.tokens.estimate import (
    COSTS,
    COSTS_BEYOND,
    SAMPLE_ABOVE,
    counts,
    estimate_tokens,
    measure,
    most_tokens,
)

ENGLISH = (
    "The committee met on Tuesday to decide whether the bridge should be closed while its bearings are replaced. "
    "Nobody objected, but two members asked for the ferry to run until midnight, as those on the night shift have "
    "no other way home."
)
LANGUAGES = {
    "de": "Der Ausschuss trat am Dienstag zusammen, um zu entscheiden, ob die Brücke dann gesperrt wird.",
    "fr": "Le comité s'est réuni mardi pour décider si le pont devait être fermé pendant les travaux de réparation.",
    "es": "El comité se reunió el martes para decidir si el puente debía cerrarse mientras duran las obras.",
    "ru": "Комитет собрался во вторник, чтобы решить, нужно ли закрывать мост на время ремонтных работ этой осенью.",
    "el": "Η επιτροπή συνεδρίασε την Τρίτη για να αποφασίσει αν η γέφυρα πρέπει να κλείσει κατά τις εργασίες.",
    "ar": "اجتمعت اللجنة يوم الثلاثاء لتقرر ما إذا كان يجب إغلاق الجسر أثناء أعمال الإصلاح في هذا الخريف.",
    "hi": "समिति ने मंगलवार को बैठक की ताकि यह तय किया जा सके कि मरम्मत के दौरान पुल को बंद किया जाए या नहीं।",
    "th": "คณะกรรมการประชุมเมื่อวันอังคารเพื่อตัดสินใจว่าควรปิดสะพานระหว่างการซ่อมแซมหรือไม่",
    "zh": "委员会星期二开会，讨论在维修期间是否应该关闭这座桥。没有人反对，但有两名成员要求渡轮运行到午夜。",
    "ja": "委員会は火曜日に会合を開き、修理の間その橋を閉鎖すべきかどうかを決めた。反対する人はいなかった。",
    "ko": "위원회는 화요일에 모여 수리하는 동안 다리를 폐쇄해야 하는지 결정했다. 아무도 반대하지 않았다.",
}


@pytest.fixture(scope="module")
def true_count() -> Callable[[str], int]:
    """o200k, by the copy that llama-index-core ships."""
    tiktoken = pytest.importorskip("tiktoken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(files("llama_index.core").joinpath("_static", "tiktoken_cache")))
        encoding = tiktoken.get_encoding("o200k_base")
    return lambda text: len(encoding.encode_ordinary(text))


def texts() -> dict[str, str]:
    dice = random.Random(3)
    rows = [{"id": dice.randrange(10**6), "name": "Ann Lee", "tags": ["new", "vip"], "ok": True} for _ in range(20)]
    return {
        "english": ENGLISH, **LANGUAGES,
        "python": inspect.getsource(argparse_module())[:6_000], "json": json.dumps(rows),
        "json, indented": json.dumps(rows, indent=4),
        "csv": "\n".join(f"{i},{dice.random():.3f},{dice.choice('abc')},2026-01-{i:02}" for i in range(1, 28)),
        "base64": base64.b64encode(dice.randbytes(900)).decode(), "hex": dice.randbytes(500).hex(),
        "digits": "".join(dice.choices("0123456789", k=600)),
        "indented": "\n".join(" " * 4 * (i % 7) + "return None" for i in range(60)),
        "camel": " ".join("getCustomerOrderHistory setShippingAddress" for _ in range(20)),
    }  # fmt: skip


_OF_LATIN = list(COSTS_BEYOND).index("Greek")  # what is counted where all letters are Latin


def argparse_module() -> object:
    import textwrap

    return textwrap


def test_the_mean_error_is_at_most_eight_percent(true_count: Callable[[str], int]) -> None:
    errors = {name: estimate_tokens(text) / true_count(text) - 1 for name, text in texts().items()}
    assert fmean(map(abs, errors.values())) <= 0.08, errors


@pytest.mark.parametrize(
    "name", ["english", "python", "json", "base64", "hex", "digits", "indented", "zh", "ko", "hi", "ru"]
)
def test_no_usual_kind_is_far_off(name: str, true_count: Callable[[str], int]) -> None:
    text = texts()[name]
    assert estimate_tokens(text) == pytest.approx(true_count(text), rel=0.2)


def test_a_long_text_is_sampled_without_much_loss(true_count: Callable[[str], int]) -> None:
    parts = list(texts().values())
    random.Random(1).shuffle(parts)
    text = "\n\n".join(parts * 12)
    assert len(text) > 10 * SAMPLE_ABOVE
    assert estimate_tokens(text) == pytest.approx(true_count(text), rel=0.15)


def test_nothing_takes_nothing_and_anything_takes_a_token() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens(" ") == estimate_tokens("a") == 1


@given(st.text(max_size=300))
def test_every_text_takes_between_one_token_and_its_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "replace"))
    assert 0 <= estimate_tokens(text) <= max(3 * size, 1)
    assert (estimate_tokens(text) == 0) == (text == "")


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_longer_text_takes_about_as_many_more(one: str, two: str) -> None:
    together = measure(f"{one}\n{two}").tokens
    assert together <= measure(one).tokens + measure(two).tokens + 90


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_there_is_a_cost_for_everything_counted(text: str) -> None:
    plain, beyond = counts(text)
    assert len(plain) == len(COSTS)
    assert len(beyond) in ((0,) if text.isascii() else (_OF_LATIN, len(COSTS_BEYOND)))
    assert min((*plain, *beyond), default=0) >= 0


def test_lone_surrogates_are_counted_not_refused() -> None:
    assert estimate_tokens("a\ud800b") >= 1


@pytest.mark.parametrize(
    ("text", "bucket"),
    [
        (ENGLISH, "ascii"), (ENGLISH.replace("'", "\u2019") + "\u2019", "ascii"), (LANGUAGES["de"], "latin_ext"),
        (LANGUAGES["ru"], "other_script"), (LANGUAGES["hi"], "other_script"), (LANGUAGES["ko"], "cjk"),
        (LANGUAGES["zh"], "cjk"), ('{"a": [1, 2.5, {"b": null}], "c": "x"}', "structured"),
        ("1,2,3\n4,5,6", "structured"),
    ],
)  # fmt: skip
def test_the_bucket_tells_what_a_text_consists_of(text: str, bucket: str) -> None:
    assert measure(text).bucket == bucket


def unlike_text() -> dict[str, str]:
    dice = random.Random(11)

    def of(letters: str, size: int = 600) -> str:
        return "".join(dice.choices(letters, k=size))

    return {
        "protein": of("ACDEFGHIKLMNPQRSTVWY"), "DNA": of("ACGT"), "small letters": of("abcdefghijklmnopqrstuvwxyz"),
        "FASTA": ">P1 chain A\n" + "\n".join(of("ACDEFGHIKLMNPQRSTVWY", 60) for _ in range(12)),
        "base32": base64.b32encode(dice.randbytes(400)).decode(),
        "base85": base64.b85encode(dice.randbytes(400)).decode(),
        "Amharic": "ኮሚቴው ማክሰኞ ዕለት ተሰብስቦ ድልድዩ መዘጋት እንዳለበት ወሰነ", "newlines": "\n" * 500, "tabs": "\t" * 500,
        "rule": "-" * 1000, "marks": "".join(c + "\u0316\u0342\u0323" for c in "every letter has three marks"),
        "tree": "\n".join(f"│   ├── part{i}.py" for i in range(40)) + "\n" + "─" * 60,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(unlike_text()))
def test_what_is_no_text_is_not_estimated_as_one(name: str, true_count: Callable[[str], int]) -> None:
    text = unlike_text()[name]
    assert estimate_tokens(text) == pytest.approx(true_count(text), rel=0.3, abs=6)


@pytest.mark.parametrize("name", ["protein", "DNA", "small letters", "base32", "FASTA"])
def test_money_for_letters_without_spaces_is_reserved_by_their_bytes(
    name: str, true_count: Callable[[str], int]
) -> None:
    text = unlike_text()[name]
    assert most_tokens([text]) >= len(text) / 1.875
    assert 1.25 * most_tokens([text[:100], text[100:]]) >= true_count(text)


UNKNOWN = {
    "rare words": "quadrennial, zygomatic, phlogiston, deflagration, Wahhabism, thixotropic, bdellium, jeroboam",
    "molecules": "CC[C@H](C)[C@H](NC(=O)CNC(=O)[C@H](C)NC(=O)C) c1ccc2[nH]ccc2c1 CN1CCC[C@H]1c1cccnc1",
    "Circassian": "цӏыфхэр зэкӏэ шъхьафитэу, зэфэдэу къэхъух, ащ зэхашӏыкӏрэ ягупшысэрэ аӏэ илъ",
    "Shan": "ၵူၼ်းတင်းၼမ် ပဵၼ်ၵူၼ်းလွတ်ႈလႅဝ်း လႄႈ မီးသုၼ်ႇလႅဝ်းၵၼ်", "emoji": "🦤🪗🫖🪬🧿🦩🪷🛼🫧🪩" * 4,
    "Sinhala": "සියලු මනුෂ්‍යයෝ නිදහස්ව උපත ලබා ඇත. ගරුත්වයෙන් හා අයිතිවාසිකම්වලින් සමාන වෙති.",
    "Cherokee": "ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ", "Syriac": "ܟܠ ܒܪܢܫܐ ܒܪܝܠܗ ܚܐܪܐ ܘܒܪܒܪ",
}  # fmt: skip


@pytest.mark.parametrize("text", [*UNKNOWN.values(), ENGLISH, *LANGUAGES.values()])
def test_money_is_reserved_for_as_much_as_a_text_takes(text: str, true_count: Callable[[str], int]) -> None:
    assert 1.25 * max(measure(text).tokens, most_tokens([text])) >= true_count(text)


@pytest.mark.parametrize("text", ["", ENGLISH, *LANGUAGES.values()])
def test_for_usual_text_little_more_than_three_times_as_much_is_reserved_at_most(text: str) -> None:
    assert most_tokens([text]) <= 3.1 * measure(text).tokens  # Hindi: 0.37 for each of a letter's three bytes


TOLD_BY_LETTERS = {
    "be": "Камітэт сабраўся ў аўторак, каб вырашыць, ці трэба закрываць мост на час рамонтных работ гэтай восенню. "
    "Ніхто не быў супраць, але двое сказалі, што ў начной змены няма іншай дарогі дадому.",
    "lv": "Komiteja otrdien sanāca, lai izlemtu, vai tilts būtu jāslēdz remontdarbu laikā šoruden. Neviens neiebilda, "
    "bet divi locekļi lūdza, lai prāmis kursētu līdz pusnaktij.",
    "et": "Komitee kogunes teisipäeval, et otsustada, kas sild tuleks sügisel remondi ajaks sulgeda. Keegi ei olnud "
    "vastu, kuid kaks liiget palusid, et praam sõidaks keskööni.",
    "ca": "El comitè es va reunir dimarts per decidir si el pont s'havia de tancar mentre durin les obres. Ningú no hi "
    "va estar en contra, però dos membres van parlar amb els veïns que tornen a casa de nit.",
    "mr": "समितीची मंगळवारी बैठक झाली आणि दुरुस्तीच्या काळात पूल बंद करायचा का हे ठरवण्यात आले. कोणीही विरोध केला नाही.",
}  # Belarusian, Latvian, Estonian, Catalan, Marathi


@pytest.mark.parametrize("language", TOLD_BY_LETTERS)
def test_languages_that_share_a_script_are_told_by_their_own_letters(
    language: str, true_count: Callable[[str], int]
) -> None:
    text = TOLD_BY_LETTERS[language]
    assert estimate_tokens(text) == pytest.approx(true_count(text), rel=0.1)


def test_long_runs_and_repetitions_take_few_tokens(true_count: Callable[[str], int]) -> None:
    for text in (" " * 1_000, "a" * 700, "\n" * 600, "x " * 300, "0" * 600):
        assert estimate_tokens(text) == pytest.approx(true_count(text), rel=0.5, abs=4)


@given(st.text(st.sampled_from('ajkTZ19 _-="\\\n\t\ré是'), max_size=200))
def test_long_texts_are_counted_as_short_ones_are(text: str) -> None:
    as_short = counts(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimate, "_LONG", 0)
        assert counts(text) == as_short
