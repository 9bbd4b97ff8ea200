"""The work: the worker calls a function of this package for every job that it has claimed.

One pull request is one loop: read `run` first. Besides: mail (`letters`, `mail_contents`), what no webhook told
(`poll`), the release (`release`), and what is wrong for long (`problems`). Every outside call is
followed by a checkpoint, so that a step can be cut anywhere and run again. It never merges without a standing approval.
"""
