"""
A file of contacts that looks like a real one, and is the same every time.
"""

import csv
import random
from pathlib import Path

#: Prefixes in use, with how many digits follow, and how often they come up of a hundred.
_RANGES = (
    (("7903", "7905", "7910", "7916", "7921", "7926", "7950", "7962", "7981", "7999"), 7, 52),  # Russia, mobile
    (("740121", "740153", "740193"), 5, 5),  # Kaliningrad
    (("734322", "734335"), 5, 5),  # Yekaterinburg
    (("738333", "738322"), 5, 5),  # Novosibirsk
    (("742322", "742324", "742326"), 5, 6),  # Vladivostok
    (("7701", "7702", "7705", "7707", "7747", "7771", "7777"), 7, 10),  # Kazakhstan
    (("37529", "37533", "37544"), 7, 7),  # Belarus
    (("37477", "37491", "37493", "37498"), 6, 4),  # Armenia
    (("99890", "99891", "99893", "99897"), 7, 6),  # Uzbekistan
)
_NAMES = (
    "Анна", "Мария", "Елена", "Ольга", "Дарья", "Гульнара", "Айгерим", "Ануш", "Нигора", "Светлана",
    "Иван", "Алексей", "Дмитрий", "Сергей", "Тимур", "Нурлан", "Армен", "Рустам", "Янка", "Михаил",
)  # fmt: skip


def write_contacts(file: Path, count: int, seed: int) -> None:
    """Write *count* contacts with destinations that differ, a name and a promotion code each."""
    # Not a secret: the same file every time is the point.
    chance = random.Random(seed)  # noqa: S311
    ranges = [(prefix, digits, weight / len(prefixes)) for prefixes, digits, weight in _RANGES for prefix in prefixes]
    weights = [weight for _, _, weight in ranges]
    seen: set[str] = set()
    with file.open("w", newline="", encoding="utf-8") as sheet:
        rows = csv.writer(sheet)
        rows.writerow(("destination", "name", "code"))
        while len(seen) < count:
            prefix, digits, _ = chance.choices(ranges, weights)[0]
            destination = prefix + str(chance.randrange(10**digits)).zfill(digits)
            if destination not in seen:
                seen.add(destination)
                rows.writerow((destination, chance.choice(_NAMES), f"{chance.randrange(10**4):04}"))
