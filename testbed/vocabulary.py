"""The values that traffic draws from, as many of each as the contract names. Pure data."""

from typing import Final

_COUNTRIES = """
AE AL AM AR AT AU AZ BA BD BE BG BO BR BY CA CH CI CL CM CN CO CR CU CY CZ DE DK DO DZ EC EE EG ES ET FI FR GB
GE GH GR GT HK HN HR HU ID IE IL IN IQ IR IS IT JM JO JP KE KH KR KW KZ LA LB LK LT LU LV MA MD MG MK MM MN MT
MX MY NG NI NL NO NP NZ OM PA PE PH PK PL PT PY QA RO RS RU SA SE SG SI SK SN
"""
COUNTRIES: Final = tuple(_COUNTRIES.split())
DEVICES: Final = ("PC", "MOBILE", "TV")
ORIGINS: Final = tuple(f"CAMPAIGN_{number}" for number in range(1000))
BRANDS: Final = tuple(
    f"{first}{second}"
    for second in ("os", "ia", "el", "um", "ix", "and_Co", "bros_Gift", "_Fils", " & Söhne", "ka")
    for first in (
        *("Nik", "Ebr", "Ad", "Lum", "Vor", "Tes", "Mar", "Kol", "Ben", "Dor", "Fen", "Gal", "Hal"),
        *("Ist", "Jun", "Kar", "Lor", "Mil", "Nov", "Orl", "Pel", "Ros", "Sil", "Tor", "Urb"),
    )
)
_CATEGORIES = """
Trousers Shirts Shoes Socks Hats Coats Scarves Gloves Belts Dresses Skirts Jeans Sweaters Jackets Suits Ties
Bags Watches Rings Necklaces Earrings Glasses Umbrellas Wallets Backpacks Suitcases Books Comics Music Films
Games Toys Puzzles Lamps Chairs Tables Sofas Beds Carpets Curtains Mirrors Clocks Vases Plants Pots Pans
Knives Plates Cups Kettles Toasters Blenders Ovens Fridges Phones Tablets Laptops Cameras Printers Speakers
Cables Bikes Tents Skis Balls Rackets Drones
"""
CATEGORIES: Final = tuple(_CATEGORIES.split())
