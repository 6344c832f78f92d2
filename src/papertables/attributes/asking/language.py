"""Whether an answer is English, by the small words that every language has."""

import re
import unicodedata

ENGLISH = {
    "the",
    "and",
    "of",
    "with",
    "is",
    "are",
    "its",
    "it",
    "that",
    "has",
    "which",
    "by",
    "from",
    "or",
    "on",
    "this",
}
OTHERS = {
    "German": {"der", "die", "das", "und", "mit", "ist", "ein", "eine", "von", "den", "sind", "sich", "auf", "oder"},
    "French": {"le", "les", "des", "et", "est", "une", "du", "avec", "dans", "sont", "par", "qui", "aux", "ou"},
    "Spanish": {"el", "los", "las", "y", "con", "una", "del", "por", "que", "es", "son", "su", "se"},
    "Italian": {"il", "gli", "di", "che", "con", "una", "della", "sono", "è", "per", "del", "le"},
    "Portuguese": {"os", "com", "uma", "da", "dos", "que", "são", "é", "por", "e"},
    "Dutch": {"het", "een", "van", "en", "met", "zijn", "op", "die", "voor", "niet"},
}


def is_english(text: str) -> bool:
    """False where most letters are not Latin, or more of its small words are another language's."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if letters and 2 * latin < len(letters):
        return False
    words = re.findall(r"[^\W\d_]+", text.lower())
    most = max(sum(word in known for word in words) for known in OTHERS.values())
    return sum(word in ENGLISH for word in words) >= most
