"""Kratos' form of an identifier, by the rules alone: RFC 8264 (FreeformClass), RFC 5892 (its properties and contexts), RFC 5893 (bidi), one character
after the other. It knows nothing of the extension; it has Python's tables of Unicode.

    identifier.py make SEED    writes texts, a JSON string a line
    identifier.py judge        reads pairs of a text and an answer, and says which are wrong
"""
import json
import random
import sys
import unicodedata as ucd


def ranges(*pairs):
    return {c for first, last in pairs for c in range(first, last + 1)}


IGNORABLE = ranges(
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF))
JAMO = ranges((0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7C6), (0xD7CB, 0xD7FB))
NO_CHARACTER = ranges((0xFDD0, 0xFDEF)) | {plane * 0x10000 + low for plane in range(17) for low in (0xFFFE, 0xFFFF)}
VALID = {0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007}
DISALLOWED = {0x640, 0x7FA, 0x302E, 0x302F, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303B}
ARABIC, EXTENDED = ranges((0x660, 0x669)), ranges((0x6F0, 0x6F9))
# Hiragana, Katakana and Han, by the names of their characters.
JAPANESE = ('HIRAGANA ', 'HENTAIGANA ', 'KATAKANA LETTER', 'KATAKANA ITERATION', 'KATAKANA VOICED ITERATION', 'CJK UNIFIED', 'CJK COMPATIBILITY IDEOGRAPH',
            'CJK RADICAL', 'KANGXI RADICAL', 'HANGZHOU NUMERAL', 'IDEOGRAPHIC ITERATION', 'IDEOGRAPHIC NUMBER ZERO', 'VIETNAMESE ALTERNATE',
            'OLD CHINESE ITERATION')
# Characters whose direction or category is another one in a later version of Unicode than Python's (14.0), up to 18.0.
CHANGED = {0x295, 0x1B3A, 0x1B3C, 0x1B42, 0x1171E, 0x1D6C1, 0x1D6FB, 0x1D735, 0x1D76F, 0x1D7A9}
# White_Space. Python's own idea of it has more.
SPACE = '\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000' + ''.join(chr(c) for c in range(0x2000, 0x200B))
CONTEXT = {0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB} | ARABIC | EXTENDED


def freeform(c):
    """One of valid, context, disallowed."""
    cp, category = ord(c), ucd.category(c)
    if cp in VALID:
        return 'valid'
    if cp in CONTEXT:
        return 'context'
    if cp in DISALLOWED or category == 'Cn':
        return 'disallowed'
    if 0x21 <= cp <= 0x7E:
        return 'valid'
    if cp in (0x200C, 0x200D):
        return 'context'
    if cp in JAMO or cp in IGNORABLE or cp in NO_CHARACTER or category == 'Cc':
        return 'disallowed'
    if ucd.normalize('NFKC', c) != c:
        return 'valid'
    return 'valid' if category[0] in 'LMNPS' or category == 'Zs' else 'disallowed'


def refused(c):
    return ucd.category(c)[0] == 'C' or ord(c) in IGNORABLE or ord(c) in NO_CHARACTER


def script(c, *names):
    return any(ucd.name(c, '').startswith(name) for name in names)


def fits(text, i):
    c = ord(text[i])
    before, after = text[i - 1:i], text[i + 1:i + 2]
    if c == 0xB7:
        return before == 'l' and after == 'l'
    if c == 0x375:
        return script(after or ' ', 'GREEK')
    if c in (0x5F3, 0x5F4):
        return script(before or ' ', 'HEBREW')
    if c == 0x30FB:
        return any(script(o, *JAPANESE) for o in text)
    if c in ARABIC:
        return not any(ord(o) in EXTENDED for o in text)
    if c in EXTENDED:
        return not any(ord(o) in ARABIC for o in text)
    return False


def bidi(text):
    classes = [ucd.bidirectional(c) for c in text]
    if not {'R', 'AL', 'AN'} & set(classes):
        return True
    end = [c for c in classes if c != 'NSM'][-1:]
    if classes[0] in ('R', 'AL'):
        return (set(classes) <= {'R', 'AL', 'AN', 'EN', 'ES', 'CS', 'ET', 'ON', 'BN', 'NSM'} and end and end[0] in ('R', 'AL', 'EN', 'AN')
                and not {'EN', 'AN'} <= set(classes))
    if classes[0] == 'L':
        return set(classes) <= {'L', 'EN', 'ES', 'CS', 'ET', 'ON', 'BN', 'NSM'} and end and end[0] in ('L', 'EN')
    return False


def once(text):
    text = text.strip(SPACE)
    # Width, case by the character alone, composition.
    strict = ''.join(ucd.normalize('NFKC', c) if ucd.decomposition(c).startswith(('<wide>', '<narrow>')) else c for c in text)
    strict = ucd.normalize('NFKC', ''.join(c.lower() for c in strict))
    if (strict and all(freeform(c) == 'valid' or freeform(c) == 'context' and fits(strict, i) for i, c in enumerate(strict))
            and not any(refused(c) for c in strict) and bidi(strict)):
        return strict
    # str.lower() knows the final sigma.
    return ''.join(c for c in ucd.normalize('NFKC', text) if freeform(c) == 'valid' and not refused(c)).lower()


def expected(text):
    return once(once(text))


def make(seed):
    random.seed(seed)
    # Not NUL and surrogates, which no text has; nor what is in no table of this Python.
    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF and ucd.category(chr(c)) != 'Cn']
    # All of Unicode, in places where it matters. A unified ideograph is like the next one; private use too.
    dull = ('CJK UNIFIED', 'HANGUL SYLLABLE', 'TANGUT IDEOGRAPH', 'EGYPTIAN', 'CUNEIFORM', 'ANATOLIAN', 'BAMUM', 'KHITAN', 'NUSHU')
    for c in characters:
        yield 'User' + c
        if not script(c, *dull) and ucd.category(c) != 'Co':
            yield from (c, c + 'A', '\u05d0' + c, 'a' + c + 'B@x.org')
    interesting = [c for c in characters if ord(c) not in CHANGED | {0x375, 0x5F3, 0x5F4, 0x2B, 0xFF0B, 0xFE62, 0x207A, 0x208A, 0xFB29}
                   and not script(c, *dull) and ucd.category(c) != 'Co']
    marks = [chr(c) for c in (0xB7, 0x30FB, 0x660, 0x6F0, 0x3A3, 0x3C2, 0x130, 0x200B, 0xFF21, 0x5D0, 0x627, 0x31, 0x300, 0x307, 0x345, 0x20, 0x1100, 0x1161)] + ['l', 'A', '@']
    for _ in range(20000):
        yield ''.join(random.choice(random.choice((interesting, marks))) for _ in range(random.randint(0, 8)))


if sys.argv[1] == 'make':
    for text in make(sys.argv[2]):
        print(json.dumps(text))
else:
    tried, wrong = 0, 0
    for line in sys.stdin:
        text, answer = json.loads(line)
        tried += 1
        if answer != expected(text):
            wrong += 1
            if wrong <= 10:
                print(f'{json.dumps(text)}: {json.dumps(answer)}, by the rules {json.dumps(expected(text))}', file=sys.stderr)
    print('fine' if tried > 200000 and not wrong else f'{wrong} of {tried} are wrong')
