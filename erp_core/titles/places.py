"""What the states of India are called in Hindi and Gujarati; in English they are what the catalogue calls them.

Owns: a title per state.
Must not know: their codes in the tax (india.py).
Invariant: every state of india.py has one (tests/unit/test_titles.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "Andaman and Nicobar Islands": ("अंडमान और निकोबार द्वीपसमूह", "આંદામાન અને નિકોબાર ટાપુઓ"),
    "Andhra Pradesh": ("आंध्र प्रदेश", "આંધ્ર પ્રદેશ"),
    "Arunachal Pradesh": ("अरुणाचल प्रदेश", "અરુણાચલ પ્રદેશ"),
    "Assam": ("असम", "આસામ"),
    "Bihar": ("बिहार", "બિહાર"),
    "Chandigarh": ("चंडीगढ़", "ચંદીગઢ"),
    "Chhattisgarh": ("छत्तीसगढ़", "છત્તીસગઢ"),
    "Dadra and Nagar Haveli and Daman and Diu": ("दादरा और नगर हवेली और दमन और दीव", "દાદરા અને નગર હવેલી અને દમણ અને દીવ"),
    "Delhi": ("दिल्ली", "દિલ્હી"),
    "Goa": ("गोवा", "ગોવા"),
    "Gujarat": ("गुजरात", "ગુજરાત"),
    "Haryana": ("हरियाणा", "હરિયાણા"),
    "Himachal Pradesh": ("हिमाचल प्रदेश", "હિમાચલ પ્રદેશ"),
    "Jammu and Kashmir": ("जम्मू और कश्मीर", "જમ્મુ અને કાશ્મીર"),
    "Jharkhand": ("झारखंड", "ઝારખંડ"),
    "Karnataka": ("कर्नाटक", "કર્ણાટક"),
    "Kerala": ("केरल", "કેરળ"),
    "Ladakh": ("लद्दाख", "લદ્દાખ"),
    "Lakshadweep": ("लक्षद्वीप", "લક્ષદ્વીપ"),
    "Madhya Pradesh": ("मध्य प्रदेश", "મધ્ય પ્રદેશ"),
    "Maharashtra": ("महाराष्ट्र", "મહારાષ્ટ્ર"),
    "Manipur": ("मणिपुर", "મણિપુર"),
    "Meghalaya": ("मेघालय", "મેઘાલય"),
    "Mizoram": ("मिज़ोरम", "મિઝોરમ"),
    "Nagaland": ("नागालैंड", "નાગાલૅન્ડ"),
    "Odisha": ("ओडिशा", "ઓડિશા"),
    "Puducherry": ("पुदुच्चेरी", "પુડુચેરી"),
    "Punjab": ("पंजाब", "પંજાબ"),
    "Rajasthan": ("राजस्थान", "રાજસ્થાન"),
    "Sikkim": ("सिक्किम", "સિક્કિમ"),
    "Tamil Nadu": ("तमिलनाडु", "તમિલનાડુ"),
    "Telangana": ("तेलंगाना", "તેલંગાણા"),
    "Tripura": ("त्रिपुरा", "ત્રિપુરા"),
    "Uttar Pradesh": ("उत्तर प्रदेश", "ઉત્તર પ્રદેશ"),
    "Uttarakhand": ("उत्तराखंड", "ઉત્તરાખંડ"),
    "West Bengal": ("पश्चिम बंगाल", "પશ્ચિમ બંગાળ"),
}
