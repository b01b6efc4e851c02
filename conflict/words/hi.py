"""Explanations in Hindi.

Owns: the Hindi messages; en.py says what each of them is for.
Must not know: which policy decides what.
Invariant: the keys and placeholders of en.py, in Devanagari, without a word left in English (tests/unit/test_explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, str]] = {
    "kept.ours": "{field}: दूसरों का लिखा रखा गया है, आपका नहीं।",
    "kept.theirs": "{field}: आपका लिखा रखा गया है, दूसरों का नहीं।",
    "kept.combined": "{field}: आपका और दूसरों का बदलाव मिला दिया गया है।",
    "theirs.theirs": "{field}: इसे दूसरों ने भी बदला था; आपका लिखा रखा गया है।",
    "ours.ours": "{field}: इसका हिसाब सर्वर ख़ुद करता है; उसी का मान रखा गया है।",
    "newest.ours": "{field}: दूसरों ने आपके बाद लिखा था, इसलिए उनका रखा गया है।",
    "newest.theirs": "{field}: आपने दूसरों के बाद लिखा था, इसलिए आपका रखा गया है।",
    "tally.combined": "{field}: आपकी और दूसरों की गिनती जोड़ दी गई है।",
    "bag.combined": "{field}: आपने और दूसरों ने जो जोड़ा या हटाया, सब मिला दिया गया है।",
    "highest.ours": "{field}: बड़ी संख्या मानी जाती है; वह दूसरों की लिखी है।",
    "highest.theirs": "{field}: बड़ी संख्या मानी जाती है; वह आपकी है।",
    "lowest.ours": "{field}: छोटी संख्या मानी जाती है; वह दूसरों की लिखी है।",
    "lowest.theirs": "{field}: छोटी संख्या मानी जाती है; वह आपकी है।",
    "prose.combined": "{field}: आपने और दूसरों ने अलग-अलग जगह लिखा था; अब दोनों बातें इसमें हैं।",
    "guarded.ours": "{field}: दूसरे इसे पहले ही आगे बढ़ा चुके थे, इसलिए उनका क़दम माना गया है।",
    "guarded.theirs": "{field}: आप इसे दूसरों से आगे बढ़ा चुके थे, इसलिए आपका क़दम माना गया है।",
    "once.theirs": "{field}: यह ख़ाली था, इसलिए आपका लिखा दर्ज किया गया है।",
    "locked.theirs": "{field}: इसे अब भी बदला जा सकता था, इसलिए आपका लिखा रखा गया है।",
    "why.base_unknown": "{field}: आपका बदलाव इतना पुराना है कि उसके बाद के काम से उसका मिलान नहीं हो सकता।",
    "why.out_of_bounds": "{field}: दूसरों की गिनती के साथ मिलाकर यह उतना नहीं रहता जितना हो सकता है।",
    "why.overlapping_edits": "{field}: आपने और दूसरों ने एक ही जगह का लिखा बदला है।",
    "why.no_common_state": "{field}: आपका और दूसरों का क़दम एक-दूसरे से मेल नहीं खाते।",
    "why.set_once": "{field}: यह एक ही बार लिखा जाता है, और पहले से लिखा हुआ है।",
    "why.locked": "{field}: यह तय हो चुका है और अब यूँ ही नहीं बदला जा सकता।",
    "why.needs_review": "{field}: इसका हर बदलाव जाँच के बाद ही माना जाता है।",
    "why.stale": "{field}: आपका बदलाव बहुत देर से आया, और दूसरे इस पर काम करते रहे।",
    "why.deleted_meanwhile": "{field}: जब आप इसे बदल रहे थे, दूसरों ने इसे हटा दिया।",
    "why.changed_meanwhile": "{field}: जब आप इसे हटा रहे थे, दूसरों ने इसे बदल दिया।",
    "why.foreign_author": "{field}: इस फ़ोन पर यह बदलाव किसी और ने किया है, उसने नहीं जो अभी लॉग-इन है।",
    "why.waits_with": "{field}: यह एक और बदलाव से जुड़ा है जो अभी रुका हुआ है।",
    "why.other": "{field}: इसका फ़ैसला किसी व्यक्ति को ही करना होगा।",
    "do.base_unknown": "कृपया देखिए कि अभी क्या लिखा है; आपकी बात अब भी सही हो तो उसे फिर से लिखिए।",
    "do.out_of_bounds": "कृपया देखिए कि असल में कितना है, और सही संख्या लिखिए।",
    "do.overlapping_edits": "कृपया दोनों लिखावटें पढ़िए, जो रहनी चाहिए वह लिखिए और फिर से भेजिए।",
    "do.no_common_state": "कृपया उनसे बात कीजिए जिन्होंने दूसरा क़दम उठाया, और जो सही हो उसे चुनिए।",
    "do.set_once": "जो लिखा है उसे रहने दीजिए; ग़लत हो तो दफ़्तर से ठीक करवाइए।",
    "do.locked": "कृपया दफ़्तर से बदलवाइए; सौदे की बात हो तो पहले दूसरे पक्ष से तय कीजिए।",
    "do.needs_review": "आपको कुछ नहीं करना है: दफ़्तर आपका बदलाव मंज़ूर या नामंज़ूर करेगा।",
    "do.stale": "कृपया देखिए कि अभी क्या दर्ज है, और जो अब भी सही हो उसे फिर से लिखिए।",
    "do.deleted_meanwhile": "इसकी ज़रूरत अब भी हो तो फिर से दर्ज कीजिए; नहीं तो अपना बदलाव छोड़ दीजिए।",
    "do.changed_meanwhile": "कृपया देखिए कि क्या बदला है; अब भी हटाना हो तो फिर से हटाइए।",
    "do.foreign_author": "जिन्होंने बदलाव किया है वे लॉग-इन करें, और उसे फिर से भेजें या छोड़ दें।",
    "do.waits_with": "कृपया पहले दूसरे बदलाव का फ़ैसला कीजिए; यह उसके साथ फिर से भेजा जा सकता है।",
    "do.other": "कृपया देखिए कि अभी क्या दर्ज है, और चुनिए: आपका बदलाव, या जो लिखा है।",
    "part.base": "पहले: {value}",
    "part.ours": "दूसरों का: {value}",
    "part.theirs": "आपका: {value}",
    "part.kept": "अब: {value}",
    "value.empty": "ख़ाली",
    "value.yes": "हाँ",
    "value.no": "नहीं",
    "value.hidden": "इसमें एक ऐसी जानकारी भी है जो आपको नहीं दिखती।",
}
