"""GitHub: webhooks in, a few API calls out, and what its answers mean.

It decides nothing and keeps nothing. Read first `webhooks`, then `client`, then `answers`.
"""
