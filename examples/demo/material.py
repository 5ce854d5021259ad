"""What the chains and the agent are given, each with the answer that is right."""

from __future__ import annotations

MESSAGES = (
    ("The invoice of last month shows the annual subscription twice.", "billing"),
    ("Since the update the program ends with an error at every start.", "technical"),
    ("My parcel should have arrived on Monday; the tracking page stands still.", "shipping"),
    ("Please refund the second charge on my card.", "billing"),
    ("The login page does not accept my new password.", "technical"),
    ("The courier left the package in the rain.", "shipping"),
    ("Why was my card charged before the delivery note came?", "billing"),
    ("The app crashed while I was saving my work.", "technical"),
    ("Is there a tracking number for my delivery?", "shipping"),
    ("The price on the invoice is not the one in the shop.", "billing"),
    ("A bug hides the last line of every table on the screen.", "technical"),
    ("Two of three parcels arrived, one late.", "shipping"),
    ("I want to cancel the subscription and get the payment back.", "billing"),
    ("The install stops at half with a broken progress bar.", "technical"),
    ("Can the courier come on Saturday?", "shipping"),
    ("Your invoice has the wrong company name on it.", "billing"),
    ("Printing fails whenever two people share the screen.", "technical"),
    ("The delivery went to my old address.", "shipping"),
    ("What does the payment of 14 euros stand for?", "billing"),
    ("After the password change every request fails.", "technical"),
    ("When will the parcel to Bergen be sent with its tracking code?", "shipping"),
    ("The refund has not reached my account.", "billing"),
    ("The window freezes with an error about fonts.", "technical"),
    ("The package was open when it arrived.", "shipping"),
)
RULES = (
    "Orders above 50 euros are sent free of charge within the European Union. "
    "Returns are accepted for 30 days after delivery when the goods are unused. "
    "A refund is paid to the original means of payment within five working days. "
    "Gift cards are valid for three years and cannot be exchanged for money. "
    "Keyboards and headsets have a guarantee of two years, monitors of three years. "
    "Parcels are handed to the courier on working days before four in the afternoon. "
    "The support desk answers from eight to six on working days. "
    "Companies can pay by invoice from their second order on."
)
CUSTOMER_QUESTIONS = (
    "From which amount are orders sent free of charge?",
    "For how many days are returns accepted?",
    "How long does a refund take to be paid?",
    "How long are gift cards valid?",
    "How long is the guarantee of a monitor?",
    "When are parcels handed to the courier?",
    "When does the support desk answer?",
    "Can a company pay by invoice?",
    "Are returns accepted for goods that were used?",
    "Is a refund paid to another means of payment?",
    "What is the guarantee on headsets?",
    "Can gift cards be exchanged for money?",
)
_CUSTOMERS = ("Harbour Books", "Mill Lane Bakery", "Northwind Sails", "Copper Beech School", "Old Dock Hotel")
_CITIES = ("Gothenburg", "Porto", "Ghent", "Aarhus", "Trieste", "Cork", "Graz")
_PRODUCTS = ("keyboards", "monitors", "headsets", "cables")
ORDERS = tuple(
    (_CUSTOMERS[i % 5], 3 + 7 * i % 40, _PRODUCTS[i % 4], _CITIES[i % 7]) for i in range(14)
)  # fmt: skip
ERRANDS = (
    ("How many keyboards are in stock?", "41"),
    ("Calculate 12*(3+4)+9", "93"),
    ("How many monitors are in stock?", "7"),
    ("Calculate 41*19-120", "659"),
    ("Are headsets in stock?", "120"),
    ("Calculate (250-37)*3", "639"),
    ("How many cables are in stock?", "0"),
    ("Calculate 7*349+12", "2455"),
    ("How many headsets are in stock?", "120"),
    ("Calculate 1024/16+5", "69"),
)
PICTURE_QUESTIONS = (
    "Which colours are in this picture?",
    "Is there writing in this picture?",
    "Describe the picture in one sentence.",
    "How many squares does the picture show?",
)


def letter(customer: str, quantity: int, product: str, city: str) -> str:
    """An order as it comes by mail."""
    return f"Customer: {customer}\nCity: {city}\nPlease send {quantity} {product} as soon as you can. Thank you!"
