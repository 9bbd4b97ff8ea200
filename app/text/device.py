"""What a browser calls itself, in words of ours: "an iPhone, Safari". Pure.

Only names from here are ever returned, never a part of what was sent. Browsers tell little and sometimes pretend, so
the order counts. https://developer.mozilla.org/docs/Web/HTTP/Guides/Browser_detection_using_the_user_agent
"""

from __future__ import annotations

import re

_DEVICES = (
    (r"iPhone|iPod", "an iPhone"),
    (r"iPad", "an iPad"),
    (r"Android.*Mobile", "an Android phone"),
    (r"Android", "an Android tablet"),
    (r"Windows NT", "Windows"),
    (r"CrOS", "a Chromebook"),
    (r"Macintosh", "a Mac"),
    (r"Linux|X11", "Linux"),
)
_BROWSERS = (
    (r"Edg(?:e|A|iOS)?/", "Edge"),
    (r"OPR/|Opera|OPiOS", "Opera"),
    (r"SamsungBrowser/", "Samsung Internet"),
    (r"DuckDuckGo/|Ddg/", "DuckDuckGo"),
    (r"FxiOS/|Firefox/", "Firefox"),
    (r"CriOS/|Chrome/|Chromium/", "Chrome"),
    (r"Version/\S+.* Safari/", "Safari"),
    (r"AppleWebKit/", "a mail program"),
)


def device_words(user_agent: str) -> str:
    """Return device and browser, or the one of them that is known; "" where neither is."""
    known = user_agent[:1000]
    found = [
        next((name for pattern, name in table if re.search(pattern, known)), "")
        for table in (_DEVICES, _BROWSERS)
    ]
    return ", ".join(name for name in found if name)
