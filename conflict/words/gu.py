"""Explanations in Gujarati.

Owns: the Gujarati messages; en.py says what each of them is for.
Must not know: which policy decides what.
Invariant: the keys and placeholders of en.py, in Gujarati script, without a word left in English
(tests/unit/test_explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, str]] = {
    "kept.ours": "{field}: બીજાનું લખેલું રાખ્યું છે, આપનું નહીં.",
    "kept.theirs": "{field}: આપનું લખેલું રાખ્યું છે, બીજાનું નહીં.",
    "kept.combined": "{field}: આપનો અને બીજાનો ફેરફાર ભેગા કર્યા છે.",
    "theirs.theirs": "{field}: આ બીજાએ પણ બદલ્યું હતું; આપનું લખેલું રાખ્યું છે.",
    "ours.ours": "{field}: આની ગણતરી સર્વર પોતે કરે છે; એનો જ આંકડો રાખ્યો છે.",
    "newest.ours": "{field}: બીજાએ આપના પછી લખ્યું હતું, તેથી એમનું રાખ્યું છે.",
    "newest.theirs": "{field}: આપે બીજાના પછી લખ્યું હતું, તેથી આપનું રાખ્યું છે.",
    "tally.combined": "{field}: આપની અને બીજાની ગણતરીનો સરવાળો કર્યો છે.",
    "bag.combined": "{field}: આપે અને બીજાએ જે ઉમેર્યું કે કાઢ્યું તે બધું ભેગું કર્યું છે.",
    "highest.ours": "{field}: મોટો આંકડો ગણાય છે; એ બીજાનો લખેલો છે.",
    "highest.theirs": "{field}: મોટો આંકડો ગણાય છે; એ આપનો છે.",
    "lowest.ours": "{field}: નાનો આંકડો ગણાય છે; એ બીજાનો લખેલો છે.",
    "lowest.theirs": "{field}: નાનો આંકડો ગણાય છે; એ આપનો છે.",
    "prose.combined": "{field}: આપે અને બીજાએ જુદી જુદી જગ્યાએ લખ્યું હતું; હવે બંને વાત એમાં છે.",
    "guarded.ours": "{field}: બીજા આને પહેલેથી આગળ લઈ ગયા હતા, તેથી એમનું પગલું ગણાયું છે.",
    "guarded.theirs": "{field}: આપ આને બીજા કરતાં આગળ લઈ ગયા હતા, તેથી આપનું પગલું ગણાયું છે.",
    "once.theirs": "{field}: આ ખાલી હતું, તેથી આપનું લખેલું નોંધ્યું છે.",
    "locked.theirs": "{field}: આ હજી બદલી શકાય તેમ હતું, તેથી આપનું લખેલું રાખ્યું છે.",
    "why.base_unknown": "{field}: આપનો ફેરફાર એટલો જૂનો છે કે ત્યાર પછીના કામ સાથે સરખાવી શકાતો નથી.",
    "why.out_of_bounds": "{field}: બીજાની ગણતરી સાથે મળીને આ જેટલું હોઈ શકે તેટલું રહેતું નથી.",
    "why.overlapping_edits": "{field}: આપે અને બીજાએ એક જ જગ્યાનું લખાણ બદલ્યું છે.",
    "why.no_common_state": "{field}: આપનું અને બીજાનું પગલું એકબીજા સાથે મેળ ખાતાં નથી.",
    "why.set_once": "{field}: આ એક જ વાર લખાય છે, અને પહેલેથી લખેલું છે.",
    "why.locked": "{field}: આ નક્કી થઈ ગયું છે અને હવે એમ જ બદલી શકાતું નથી.",
    "why.needs_review": "{field}: આનો દરેક ફેરફાર તપાસ્યા પછી જ ગણાય છે.",
    "why.stale": "{field}: આપનો ફેરફાર બહુ મોડો આવ્યો, અને બીજા આના પર કામ કરતા રહ્યા.",
    "why.deleted_meanwhile": "{field}: આપ આ બદલતા હતા ત્યારે બીજાએ કાઢી નાખ્યું.",
    "why.changed_meanwhile": "{field}: આપ આ કાઢી નાખતા હતા ત્યારે બીજાએ એમાં ફેરફાર કર્યો.",
    "why.foreign_author": "{field}: આ ફોન પર આ ફેરફાર બીજા કોઈએ કર્યો છે, હમણાં લૉગ-ઇન છે તેમણે નહીં.",
    "why.waits_with": "{field}: આ બીજા એક ફેરફાર સાથે જોડાયેલું છે જે હજી અટકેલો છે.",
    "why.other": "{field}: આનો નિર્ણય કોઈ વ્યક્તિએ જ લેવો પડશે.",
    "do.base_unknown": "હમણાં શું લખેલું છે તે જોશો; આપની વાત હજી સાચી હોય તો ફરીથી લખશો.",
    "do.out_of_bounds": "ખરેખર કેટલું છે તે જોશો, અને સાચો આંકડો લખશો.",
    "do.overlapping_edits": "બંને લખાણ વાંચશો, જે રહેવું જોઈએ તે લખીને ફરીથી મોકલશો.",
    "do.no_common_state": "જેમણે બીજું પગલું ભર્યું તેમની સાથે વાત કરશો, અને જે સાચું હોય તે પસંદ કરશો.",
    "do.set_once": "જે લખેલું છે તે રહેવા દેશો; ખોટું હોય તો ઑફિસ પાસે સુધરાવશો.",
    "do.locked": "ઑફિસ પાસે બદલાવશો; સોદાની વાત હોય તો પહેલાં સામા પક્ષ સાથે નક્કી કરશો.",
    "do.needs_review": "આપે કંઈ કરવાનું નથી: ઑફિસ આપનો ફેરફાર મંજૂર કે નામંજૂર કરશે.",
    "do.stale": "હમણાં શું નોંધાયેલું છે તે જોશો, અને જે હજી સાચું હોય તે ફરીથી લખશો.",
    "do.deleted_meanwhile": "આની હજી જરૂર હોય તો ફરીથી નોંધશો; નહીં તો આપનો ફેરફાર છોડી દેશો.",
    "do.changed_meanwhile": "શું બદલાયું છે તે જોશો; હજી કાઢવું હોય તો ફરીથી કાઢી નાખશો.",
    "do.foreign_author": "જેમણે ફેરફાર કર્યો છે તેઓ લૉગ-ઇન કરે, અને ફરીથી મોકલે કે છોડી દે.",
    "do.waits_with": "પહેલાં બીજા ફેરફારનો નિર્ણય લેશો; આ એની સાથે ફરીથી મોકલી શકાય છે.",
    "do.other": "હમણાં શું નોંધાયેલું છે તે જોશો, અને પસંદ કરશો: આપનો ફેરફાર, કે જે લખેલું છે તે.",
    "part.base": "પહેલાં: {value}",
    "part.ours": "બીજાનું: {value}",
    "part.theirs": "આપનું: {value}",
    "part.kept": "હવે: {value}",
    "value.empty": "ખાલી",
    "value.yes": "હા",
    "value.no": "ના",
    "value.hidden": "આમાં એક એવી વિગત પણ છે જે આપને દેખાતી નથી.",
}
