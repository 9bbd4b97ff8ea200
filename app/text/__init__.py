"""Words for people: strangers' text made harmless, times and sizes in plain words. Pure.

Called by mail and pages. Read `clean` (what no reader can see goes), then `markdown` (a description as HTML
for pages and mails), `plain_text` (the text of a mail from its HTML), `how_to_test`, then `words` (times, sizes, counts,
lines of files).
Nothing here raises for any text it is given.
"""
