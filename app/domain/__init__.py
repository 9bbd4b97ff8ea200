"""The pure rules: what a pull request is, whose turn it is, what follows what, and why.

Read first `facts` (the nouns), then `rules` (the transition table), `action` (what is done next), `approval` and `statuses`.
Everybody imports from here; nothing here reads a clock, a network, a database or a setting.
"""
