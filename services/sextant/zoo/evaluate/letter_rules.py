"""How English words are said by rule: a baseline that no lexicon was consulted for.

Spelling rules in the manner of Elovitz et al. 1976 ("Letter-to-sound rules for automatic translation of English text
to phonetics"), a table of our own from general knowledge of spelling; then one stress, weakened vowels and American
flaps. Of the lexicon it takes only the letters that phonemes are written with, see `zoo.data.phonemes`.
"""

import re
from collections.abc import Sequence

_VOWELS = "æɑɔɛɪʊʌəɜiuAOIWYᵊᵻ"
_VOWEL_LETTERS = "aeiouy"
# At each place of a word the first rule that matches there applies: a pattern of letters, and how they are said.
# `V` stands for a vowel letter, `C` for another letter.
_RULES: tuple[tuple[str, str], ...] = (
    # Endings
    (r"tion(?=s?$|al|ed|ing)", "ʃən"),
    (r"(?<=V)sion(?=s?$|al)", "ʒən"),
    (r"ssion|sion", "ʃən"),
    (r"cian(?=s?$)", "ʃən"),
    (r"[ct]ial", "ʃəl"),
    (r"[ct]ious", "ʃəs"),
    (r"[ct]ient", "ʃənt"),
    (r"geous|gious", "ʤəs"),
    (r"ous(?=$|ly|ness)", "əs"),
    (r"ture(?=s?$|d$)", "ʧəɹ"),
    (r"(?<=V)sure(?=s?$|d$)", "ʒəɹ"),
    (r"(?<=.V)ble(?=s?$|d$)", "bᵊl"),
    (r"(?<=C)le(?=s?$|d$)", "ᵊl"),
    (r"(?<=.)ful(?=$|ly|ness)", "fəl"),
    (r"(?<=.)less(?=$|ly|ness)", "ləs"),
    (r"(?<=.)ness(?=$|es$)", "nəs"),
    (r"(?<=.)ment(?=s?$|al)", "mənt"),
    (r"(?<=..)able(?=s?$)", "əbᵊl"),
    (r"(?<=..)ible(?=s?$)", "əbᵊl"),
    (r"(?<=..)age(?=s?$)", "ɪʤ"),
    (r"(?<=..)ity(?=$)", "əti"),
    (r"(?<=..)ism(?=s?$)", "ɪzəm"),
    (r"(?<=..)ize(?=[sdr]?$)|(?<=..)ise(?=[dr]?$)", "Iz"),
    (r"(?<=..)ally(?=$)", "əli"),
    (r"(?<=..)ic(?=s?$|al)", "ɪk"),
    (r"(?<=..)ing(?=s?$|ly)", "ɪŋ"),
    (r"(?<=..[td])ed(?=$)", "ᵻd"),
    (r"(?<=[^V][pkfs])ed(?=$)|(?<=sh)ed(?=$)|(?<=ch)ed(?=$)|(?<=x)ed(?=$)", "t"),
    (r"(?<=V[pkf])ed(?=$)", "t"),
    (r"(?<=..C)ed(?=$)", "d"),
    (r"(?<=..[sxz])es(?=$)|(?<=ch)es(?=$)|(?<=sh)es(?=$)|(?<=[cg])es(?=$)", "ᵻz"),
    (r"(?<=[ptkf])'?s(?=$)|(?<=[pkt]e)s(?=$)", "s"),
    (r"(?<=[bdgvmnrlwyaeio])'?s(?=$)", "z"),
    (r"'", ""),
    # Consonants
    (r"b(?=t$)|(?<=m)b(?=$|s$|ing|ed)", ""),
    (r"bb?", "b"),
    (r"tch", "ʧ"),
    (r"sch(?=[^eiV])", "sk"),
    (r"ch(?=[rl])", "k"),
    (r"ch", "ʧ"),
    (r"ck|cc(?=[^eiy])|cqu?", "k"),
    (r"(?<=s)c(?=[eiy])", ""),
    (r"cc(?=[eiy])", "ks"),
    (r"c(?=[eiy])", "s"),
    (r"c", "k"),
    (r"dge(?=[^V]|$)|dg(?=e)", "ʤ"),
    (r"dd?", "d"),
    (r"ph|ff?", "f"),
    (r"^gh", "ɡ"),
    (r"gg", "ɡ"),
    (r"^gn|gn(?=$|s$|ed$|ing$)", "n"),
    (r"gu(?=[ei])", "ɡ"),
    (r"g(?=et|ift|irl|ear$)", "ɡ"),
    (r"g(?=[eiy])", "ʤ"),
    (r"g", "ɡ"),
    (r"^h(?=onor|onest|our|eir)", ""),
    (r"(?<=V)h(?=$|C)", ""),
    (r"h", "h"),
    (r"j", "ʤ"),
    (r"^kn", "n"),
    (r"kk?", "k"),
    (r"l(?=[kf]$)(?<=al)", ""),
    (r"ll?", "l"),
    (r"mm?", "m"),
    (r"(?<=m)n(?=$|s$)", ""),
    (r"n(?=[kxq]|c[aou])", "ŋ"),
    (r"ng(?=$|s|ed|e?r$|C)", "ŋ"),
    (r"nn?", "n"),
    (r"^p(?=[snt])", ""),
    (r"pp?", "p"),
    (r"qu(?=e$|es$)", "k"),
    (r"qu", "kw"),
    (r"q", "k"),
    (r"rrh?|rh?", "ɹ"),
    (r"sh", "ʃ"),
    (r"(?<=V)s(?=V(?!.?$))|(?<=V)s(?=es?$|ed$|ing$)", "z"),
    (r"s(?=m$|ms$)", "z"),
    (r"ss?", "s"),
    (r"^th(?=e[yrmns]?$|is$|at$|ose$|ough$)|th(?=er)", "ð"),
    (r"th", "θ"),
    (r"(?<=s)t(?=le|en$)", ""),
    (r"tt?", "t"),
    (r"vv?", "v"),
    (r"^wr", "ɹ"),
    (r"^who", "hu"),
    (r"wh?", "w"),
    (r"^x", "z"),
    (r"(?<=e)x(?=V)", "ɡz"),
    (r"x", "ks"),
    (r"^y(?=V)", "j"),
    (r"zz?", "z"),
    # Vowels
    (r"augh", "ɔ"),
    (r"eigh", "A"),
    (r"igh", "I"),
    (r"ought", "ɔt"),
    (r"ough", "O"),
    (r"air|are(?=s?$|d$)", "ɛɹ"),
    (r"arr", "ɛɹ"),
    (r"(?<=w)ar", "ɔɹ"),
    (r"(?<=..)ar(?=$|s$|d$|ly$)", "əɹ"),
    (r"ary(?=$)", "ˌɛɹi"),
    (r"ar(?=V)", "ɛɹ"),
    (r"ar", "ɑɹ"),
    (r"all(?=$|s)|al(?=[tk])", "ɔl"),
    (r"a[iy]", "A"),
    (r"a[uw]", "ɔ"),
    (r"(?<=[wq])a(?=[ntds])", "ɑ"),
    (r"a(?=tion|C(?:e|es|ed|er|ers|ing)$|sion)", "A"),
    (r"a(?=$|'|s$|h)", "ə"),
    (r"a(?=ble|ste$)", "A"),
    (r"ae", "i"),
    (r"a", "æ"),
    (r"ear(?=[dnlt])", "ɜɹ"),
    (r"ear|eer", "ɪɹ"),
    (r"ere(?=s?$)", "ɪɹ"),
    (r"err(?=V)|er(?=[iy])", "ɛɹ"),
    (r"(?<=.)er(?=$|s$|ed$|ing$|ly$|V)", "əɹ"),
    (r"er", "ɜɹ"),
    (r"ea(?=d$|lth|ther|sure)", "ɛ"),
    (r"e[ae]", "i"),
    (r"ei|(?<=V)ey(?=$)", "i"),
    (r"ey(?=s?$)", "i"),
    (r"e[uw]", "u"),
    (r"eo", "iə"),
    (r"(?<=.)e(?=$|ly$|ment|ful|less)", ""),
    (r"(?<=VC)e(?=s$|d$)", ""),
    (r"e(?=C(?:e|es)$)", "i"),
    (r"^e(?=CV)", "ɪ"),
    (r"(?<=^[bdr])e(?=CV)", "ɪ"),
    (r"e", "ɛ"),
    (r"ier(?=$|s$)", "iəɹ"),
    (r"iest$", "iəst"),
    (r"ied$", "id"),
    (r"ies$", "iz"),
    (r"ie(?=$)", "i"),
    (r"ie", "i"),
    (r"ir(?=C|$)", "ɜɹ"),
    (r"ire", "Iəɹ"),
    (r"i(?=nd$|ld$|gn$)", "I"),
    (r"i(?=C(?:e|es|ed|er|ers|ing)$)", "I"),
    (r"i(?=[ao])", "i"),
    (r"i(?=$|s$)", "i"),
    (r"i", "ɪ"),
    (r"oar|oor|ore(?=s?$|d$)", "ɔɹ"),
    (r"(?<=w)or(?=C)", "ɜɹ"),
    (r"(?<=..)or(?=$|s$)", "əɹ"),
    (r"or", "ɔɹ"),
    (r"oul(?=d)", "ʊ"),
    (r"our", "ɔɹ"),
    (r"ou", "W"),
    (r"ow(?=$|s$|ed|ing$)", "O"),
    (r"ow", "W"),
    (r"oo(?=k|d$)", "ʊ"),
    (r"oo", "u"),
    (r"o[iy]", "Y"),
    (r"oa|oe(?=s?$)", "O"),
    (r"o(?=[^Vx](?:e|es|ed|er|ers|ing)$)", "O"),
    (r"o(?=$|s$|'|ld|lt|st$|ll$|V)", "O"),
    (r"o(?=ther|ve)", "ʌ"),
    (r"o", "ɑ"),
    (r"ure(?=s?$|d$)", "jʊɹ"),
    (r"ur", "ɜɹ"),
    (r"ui", "u"),
    (r"ue(?=$|s$|d$)", "u"),
    (r"uy", "I"),
    (r"(?<=[rljs])u(?=CV)", "u"),
    (r"^u(?=n[^i])|u(?=nder)", "ʌ"),
    (r"u(?=CV|$)", "ju"),
    (r"u(?=[ao])", "ju"),
    (r"u", "ʌ"),
    (r"(?<=^.)y(?=$)|(?<=^..)y(?=$)", "I"),
    (r"y(?=$|ing$)", "i"),
    (r"y(?=C(?:e|es)$)", "I"),
    (r"y(?=V)", "i"),
    (r"y", "ɪ"),
)
_COMPILED = tuple(
    (
        re.compile(
            pattern.replace("[^V", f"[^{_VOWEL_LETTERS}")
            .replace("V", f"[{_VOWEL_LETTERS}]")
            .replace("C", f"[^{_VOWEL_LETTERS}']")
        ),
        said,
    )
    for pattern, said in _RULES
)
# Endings that put the stress on the vowel before them.
_DRAWS_STRESS = re.compile(r"[ʃʒ]ən|[ʃʤ]əs|ʃəl|əti$|ɪk")
_FULL = "æɑʌɛ"


def said_by_rule(word: str) -> str:
    """The phonemes of a word in small letters and apostrophes."""
    return _flapped(_stressed(_spelled_out(word)))


def _spelled_out(word: str) -> str:
    said, at = [], 0
    while at < len(word):
        for pattern, phonemes in _COMPILED:
            found = pattern.match(word, at)
            if found and found.end() > at:
                said.append(phonemes)
                at = found.end()
                break
        else:
            raise ValueError(f"no rule says {word[at]!r}")
    return "".join(said)


def _stressed(said: str) -> str:
    """The stress before one vowel: the one before an ending that draws it, else the first; others are weakened."""
    said = said.replace("ˌ", "")
    places = [place for place, phoneme in enumerate(said) if phoneme in _VOWELS]
    if not places:
        return said
    stress = _stress(said, [place for place in places if said[place] not in "əᵊᵻ"] or places)
    weakened = (
        "ə" if phoneme in _FULL and place != stress and place > 0 else phoneme for place, phoneme in enumerate(said)
    )
    phonemes = list(weakened)
    return "".join(phonemes[:stress]) + "ˈ" + "".join(phonemes[stress:])


def _stress(said: str, places: Sequence[int]) -> int:
    drawn = _DRAWS_STRESS.search(said, places[0] + 1)
    before = [place for place in places if drawn and place < drawn.start()]
    return before[-1] if before else places[0]


def _flapped(said: str) -> str:
    """A t between a vowel and one without stress is tapped."""
    return re.sub(rf"(?<=[{_VOWELS}ɹ])t(?=[əiᵊᵻɪ])", "ɾ", said)
